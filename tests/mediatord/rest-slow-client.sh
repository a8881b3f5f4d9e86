#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A client that stops in the middle of its request is dropped, and holds up nobody meanwhile.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon

command -v perl >/dev/null || {
	echo "perl is missing (Debian: perl-base)"
	exit 77
}

# Twenty clients stop within their body, one within its headers, and one sends a byte of its body
# each second, so that it is never idle. Meanwhile others are served; prints each one's fate.
cat >"$work/clients" <<'PERL'
use strict;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
my ($path, $vm) = @ARGV;
my $head = "PUT $vm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
my @slow;
$SIG{PIPE} = 'IGNORE';

sub client {
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "connect: $!";
	syswrite($socket, $_[0]);
	return $socket;
}
my $start = time;
push @slow, client("${head}Content-Length: 100\r\n\r\n{") for 1 .. 20;
push @slow, client($head);
my $trickling = client("${head}Content-Length: 100\r\n\r\n{");

# The first is served while all of them are still there.
for my $number (1 .. 200) {
	my $socket = client("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	my $answer = join '', <$socket>;
	die "not served: $answer" unless $answer =~ /^HTTP\/1.1 200 /;
	next if $number > 1;
	my $bits = '';
	vec($bits, fileno($_), 1) = 1 for @slow, $trickling;
	die "held up" if select($bits, undef, undef, 0);
}

for (1 .. 60) {
	my $bits = '';
	vec($bits, fileno($trickling), 1) = 1;
	last if select($bits, undef, undef, 1) or not syswrite($trickling, ' ');
}
printf "trickling one dropped after %d s\n", time - $start;
alarm 60;
for my $socket (@slow) {
	my $rest = join '', <$socket>;
	die "answered: $rest" if $rest =~ / 20\d /;
}
printf "dropped after %d s\n", time - $start;
PERL
perl "$work/clients" "$socket" "$vm1" >"$work/out" || fail "$(cat "$work/out")"
cat "$work/out"
grep -Eq '^trickling one dropped after (9|[1-9][0-9]+) s$' "$work/out" || fail "a body may take for ever"
grep -Eq '^dropped after (9|[1-9][0-9]+) s$' "$work/out" || fail "slow clients stay"
expect 404 GET "$vm1"
stop_daemon TERM
