#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Requests whose head is wrong, or ends too early: what the HTTP library lets through is answered
# with a problem document, the rest by the library; nothing of it is taken, and nothing is a 500.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v perl >/dev/null || {
	echo "perl is missing (Debian: perl-base)"
	exit 77
}
start_daemon

cat >"$work/heads" <<'PERL'
use strict;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
my ($path, $vm) = @ARGV;
my $host = "Host: localhost\r\n";
my $body = "Content-Length: 2\r\n\r\n{}";
$SIG{PIPE} = 'IGNORE';

# The statuses that may answer it; 0: the connection is closed without an answer.
sub answered {
	my ($request, $problem, @statuses) = @_;
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "connect: $!";
	syswrite($socket, $request);
	shutdown($socket, 1);
	my $answer = join '', <$socket>;
	my $status = $answer =~ /^HTTP\/1\.1 (\d+) / ? $1 : 0;
	my $shown = substr($request, 0, 100) . ": $answer";
	die $shown unless grep { $_ == $status } @statuses;
	die $shown if $problem and $answer !~ /^Content-Type: application\/problem\+json\r$/mi;
	die $shown if $problem and $answer !~ /"status":$status,/;
	# The library's own words are none of the request's, and the last on their connection.
	die $shown if $answer =~ /<html>/ and
		($answer !~ /^Connection: close\r$/m or $answer =~ /^Content-Type:/mi or $answer =~ /no header|aaaa|X-1/);
}

# Ours.
answered("GET /healthz HTTP/1.1\r\n\r\n", 1, 400);
answered("GET /healthz HTTP/1.1\r\n${host}Host: evil.example\r\n\r\n", 1, 400);
answered("PUT $vm HTTP/1.1\r\n$host${body}", 0, 201);
answered("PUT $vm HTTP/1.1\r\n${host}Content-Length: 3\r\n$body ", 1, 400);
answered("PUT $vm HTTP/1.1\r\n${host}Content-Length: 2\r\n$body", 1, 400);
answered("PUT $vm HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n$body", 1, 400);
answered("PUT $vm HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\n{}", 1, 501);
answered("PUT $vm HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 1, 501);
answered("PUT $vm HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 0, 200);
answered("PUT $vm HTTP/1.1\r\n${host}Content-Length $_: 2\r\n\r\n{}", 1, 400) for '', "\t";
answered("PUT $vm HTTP/1.1\r\n${host}A(b): c\r\n$body", 1, 400);
answered("PUT $vm HTTP/1.1\r\n${host}Content-Encoding: gzip\r\n$body", 1, 415);
answered('X' x 40 . " $vm HTTP/1.1\r\n$host\r\n", 1, 405);
answered("GET /" . 'a' x 10000 . " HTTP/1.1\r\n$host\r\n", 1, 404);
answered("GET / HTTP/1.0\r\n\r\n", 1, 404);
# The library's.
answered("GET /healthz HTTP/$_\r\n$host\r\n", 0, 505) for '9.9', '2.0', '0.9';
answered("GET /healthz HTTP/1.1\r\n${host}no header\r\n\r\n", 0, 400);
answered("GET /healthz HTTP/1.1\r\n${host}Content-Length: $_\r\n\r\n", 0, 400, 413)
	for 'x', '-1', '99999999999999999999';
answered("PUT $vm HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n", 0, 400);
answered("GET /" . 'a' x 100000 . " HTTP/1.1\r\n$host\r\n", 0, 414);
answered("GET /healthz HTTP/1.1\r\n${host}X: " . 'a' x 100000 . "\r\n\r\n", 0, 431);
answered("GET /healthz HTTP/1.1\r\n$host" . join('', map "X-$_: y\r\n", 1 .. 5000) . "\r\n", 0, 431);
answered("GET /v1/vms?" . join('&', map "a$_=b", 1 .. 1000) . " HTTP/1.1\r\n$host\r\n", 0, 0, 400, 414, 431);
answered($_, 0, 0, 400) for "\r\n\r\n", "GET\r\n\r\n", "\0\0\0\0\r\n\r\n", "GET /healthz HTTP/1.1\r\n$host",
	"PUT $vm HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\n{";
answered("GET /\0 HTTP/1.1\r\n$host\r\n", 0, 0, 400, 404);
print "done\n";
PERL
perl "$work/heads" "$socket" "$vm1" >"$work/out" 2>&1 || fail "$(cat "$work/out")"
grep -q ^done "$work/out" || fail "$(cat "$work/out")"
expect 200 GET "$vm1"
stop_daemon TERM
