#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A mediator that is told to end answers everybody who asked before, and what it answered is there
# when the next one starts.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v perl >/dev/null || {
	echo "perl is missing (Debian: perl-base)"
	exit 77
}

# Changes a VM again and again, on one connection ("keep") or on a new one for each, until nobody
# listens any more or the answer says that it is the last; prints the last weight that was answered,
# after a line for the first.
cat >"$work/client" <<'PERL'
use strict;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
my ($path, $vm, $keep) = @ARGV;
my ($socket, $last) = (undef, 0);
$SIG{PIPE} = 'IGNORE';
for (my $weight = 1;; $weight = $weight % 10000 + 1) {
	$socket = undef unless $keep;
	$socket ||= IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or last;
	my $body = "{\"weight\":$weight}";
	my $close = $keep ? '' : "Connection: close\r\n";
	syswrite($socket, "PUT $vm HTTP/1.1\r\nHost: localhost\r\n${close}Content-Length: " .
		length($body) . "\r\n\r\n$body");
	my ($head, $length, $closed) = ('', 0, 0);
	while (my $line = <$socket>) {
		$head .= $line;
		$length = $1 if $line =~ /^Content-Length: (\d+)/i;
		$closed = 1 if $line =~ /^Connection: close/i;
		last if $line eq "\r\n";
	}
	die "not answered: '$head'\n" unless $head =~ /^HTTP\/1\.1 20[01] /;
	my $answer = '';
	read($socket, $answer, $length) == $length or die "cut short: $answer\n";
	die "another answer: $answer\n" unless $answer =~ /"weight":$weight,/;
	syswrite(STDOUT, "begun\n") unless $last;
	$last = $weight;
	last if $keep and $closed;
}
print "$last\n";
PERL

for round in 1 2; do
	start_daemon
	clients=()
	for n in 1 2 3 4; do
		vm=/v1/vms/0000000$n-0000-4000-8000-000000000000
		if [ $((n % 2)) = 0 ]; then keep=1; else keep=0; fi
		: >"$work/out$n"
		perl "$work/client" "$socket" "$vm" $keep >"$work/out$n" 2>"$work/err$n" &
		clients+=($!)
	done
	# An event stream does not hold up the end.
	: >"$work/out5"
	curl -sN -o "$work/out5" --unix-socket "$socket" http://localhost/v1/events &
	clients+=($!)
	for n in 1 2 3 4 5; do
		for _ in $(seq 1200); do
			[ ! -s "$work/out$n" ] || break
			sleep 0.05
		done
	done
	stop_daemon TERM
	[ ! -e "$socket" ] || fail "the control socket is still there"
	wait "${clients[@]}" || fail "$(cat "$work"/err*)"
	start_daemon
	for n in 1 2 3 4; do
		[ ! -s "$work/err$n" ] || fail "client $n, round $round: $(cat "$work/err$n")"
		expect 200 GET "/v1/vms/0000000$n-0000-4000-8000-000000000000"
		has "\"weight\":$(tail -n 1 "$work/out$n"),"
	done
	stop_daemon TERM
done
