#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the service manager is told: that links are served, again and again that the loop answers,
# that the configuration is read anew and in force, and that the end has begun.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v perl >/dev/null || {
	echo "perl is missing (Debian: perl-base)"
	exit 77
}
grep -q '^#define HAVE_SYSTEMD 1' "${top_builddir:?}/config.h" || {
	echo "built without libsystemd"
	exit 77
}

cat >"$work/manager" <<'PERL'
use strict;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die "bind: $!";
$| = 1;
print "listening\n";
while (defined recv($socket, my $state, 4096, 0)) {
	print "$state\n";
}
PERL
perl "$work/manager" "$work/notify" >"$work/states" &
manager=$!
trap 'kill "$manager" 2>/dev/null; clean_up' EXIT

# told LINE TIMES: waits until the manager was told that, so often.
told() {
	for _ in $(seq 1200); do
		if [ "$(grep -cx "$1" "$work/states")" -ge "$2" ]; then return; fi
		sleep 0.05
	done
	fail "no $2 of '$1' in: $(cat "$work/states")"
}
told listening 1
export NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=200000
start_daemon
told READY=1 1
told WATCHDOG=1 5
kill -HUP "$daemon_pid"
told RELOADING=1 1
told READY=1 2
stop_daemon TERM
told STOPPING=1 1

# A configuration that cannot be served is never ready.
before=$(grep -cx READY=1 "$work/states")
sed -i "s|^state = .*|state = $work/mediatord.conf|" "$work/mediatord.conf"
! "$top_builddir/mediatord/vgpu-mediatord" --config "$work/mediatord.conf" 2>/dev/null || fail "it starts"
[ "$(grep -cx READY=1 "$work/states")" = "$before" ] || fail "it says that it is ready"
