#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A thousand clients that connect and say nothing, or stop anywhere in a request, harm nobody.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v perl >/dev/null || {
	echo "perl is missing (Debian: perl-base)"
	exit 77
}
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 4096 ] || {
	echo "only $(ulimit -Hn) descriptors are allowed"
	exit 77
}
ulimit -n 4096
start_daemon
expect 201 PUT "$vm1" '{}'

cat >"$work/clients" <<'PERL'
use strict;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
my ($path, $vm) = @ARGV;
my $request = "PUT $vm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{\"name\":";
my @idle;
$SIG{PIPE} = 'IGNORE';
for my $n (1 .. 1000) {
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "connect $n: $!";
	syswrite($socket, substr($request, 0, $n % (2 * length $request))) if $n % 2;
	push @idle, $socket;
}
for (1 .. 200) {
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "connect: $!";
	syswrite($socket, "GET $vm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	my $answer = join '', <$socket>;
	die "not served: $answer" unless $answer =~ /^HTTP\/1.1 200 /;
}
print "served\n";
PERL
perl "$work/clients" "$socket" "$vm1" >"$work/out" 2>&1 || fail "$(cat "$work/out")"
grep -q ^served "$work/out" || fail "$(cat "$work/out")"

# Nested deeper than any decoder should follow.
for nested in "$(printf '[%.0s' {1..10000})" "$(printf '{"a":%.0s' {1..10000})"; do
	for path in "$vm1" /v1/profiles/deep; do
		expect 400 PUT "$path" "$nested"
		problem
	done
	expect 400 POST /v1/tokens "$nested"
	expect 400 PATCH "$vm1" - -H 'Content-Type: application/merge-patch+json' -H 'If-Match: *' \
		--data-binary "$nested"
done
expect 200 GET "$vm1"
stop_daemon TERM
