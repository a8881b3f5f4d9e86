#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The channel of a guest's process that died is closed by vgpu-agent's daemon or, without it, by the
# next opener; one that is stopped, or whose child has the channel, keeps it.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest
guest_put "$top_builddir/tests/system/channel-holder" /tmp/holder
in_guest "chmod +x /tmp/holder"

# hold [COMMAND]: starts a holder in the guest; $holder is its pid there.
hold() {
	holder=$(in_guest ": >/tmp/said
		/tmp/holder ${1:-hold} >/tmp/said 2>&1 </dev/null & echo \$!")
	wait_until 60 "the holder has a channel" in_guest "grep -q ready /tmp/said"
	holder_worker=$(vm '.channels[-1].worker_pid')
}

# Whether no channel is open, nothing is held, and no worker is there but the mailbox's.
all_closed() {
	vm_is '.channels == [] and .usage.window_bytes == 0 and .usage.gpu_memory_bytes == 0' &&
		[ ! -e "/proc/$holder_worker" ]
}

# closed SECONDS WHAT: waits until all are closed, and says how long after $since that was.
closed() {
	wait_until "$1" "the channel is closed: $2" all_closed
	say "$2: closed and reaped $(($(now_ms) - since)) ms after the order"
}

# Checks that the channel is still open, and with the same worker.
kept() {
	vm_is ".channels | length == 1 and .[0].state == \"open\" and
		.[0].worker_pid == $holder_worker" || fail "$1: $(vm .channels)"
}

start_daemon() {
	daemon=$(in_guest "vgpu-agent daemon >>/tmp/daemon.log 2>&1 </dev/null & echo \$!")
	wait_until 60 "the daemon watches" in_guest "grep -q watching /tmp/daemon.log"
}

kill_holder() {
	since=$(now_ms)
	in_guest "kill -9 $holder"
}

# Nobody watches: the channels stay until the next opener comes.
hold
first=$holder
hold
in_guest "kill -9 $first"
kill_holder
sleep 3
vm_is '[.channels[].state] == ["open", "open"]' ||
	fail "without a daemon and without an opener: $(vm .channels)"
since=$(now_ms)
in_guest "/tmp/holder once" || fail "no channel after processes died"
closed 60 "the next opener"

start_daemon
expect 75 in_guest "vgpu-agent daemon"
grep -q "another 'vgpu-agent daemon' watches" "$work/output" || fail "$(cat "$work/output")"

for round in 1 2 3; do
	hold
	sleep "0.$((round * 3))"
	kill_holder
	closed 60 "round $round"
done

# It dies before it was ever seen.
since=$(now_ms)
in_guest "/tmp/holder hold >/tmp/said 2>&1 </dev/null & until grep -q ready /tmp/said; do
	usleep 1000; done; kill -9 \$!"
closed 60 "at once"

# A stopped process keeps its channel, and can use it afterwards.
hold
in_guest "kill -STOP $holder"
sleep 4
kept "a stopped process"
in_guest "kill -CONT $holder; kill -USR1 $holder"
wait_until 60 "a process that was stopped uses its channel" in_guest "grep -q served /tmp/said"
in_guest "kill -STOP $holder"
kill_holder
closed 60 "stopped"

# So does one whose VM is paused.
hold
virsh_ suspend guest
sleep 4
kept "a paused VM"
virsh_ resume guest
in_guest "kill -USR1 $holder"
wait_until 60 "a process of a paused VM uses its channel" in_guest "grep -q served /tmp/said"
kill_holder
closed 60 "paused before"

# A child has the channel as long as it lives.
hold fork
child=$(in_guest "sed -n 's/^ready //p' /tmp/said")
kill_holder
sleep 4
kept "a forked child"
since=$(now_ms)
in_guest "kill -9 $child"
closed 60 "forked"

# In a PID namespace, it knows itself by a number that is init's outside.
in_guest "unshare -p -f sh -c 'exec /tmp/holder hold' >/tmp/said 2>&1 </dev/null &"
wait_until 60 "a channel in a namespace" in_guest "grep -q ready /tmp/said"
holder_worker=$(vm '.channels[-1].worker_pid')
sleep 4
kept "another PID namespace"
since=$(now_ms)
in_guest "kill -9 \$(pidof holder)"
closed 60 "in a namespace"

# How often the daemon runs while it has a channel to watch. How long is not asked: a guest counts
# what this host gives to others meanwhile.
hold
before=$(in_guest "cut -d' ' -f3 /proc/$daemon/schedstat")
sleep 10
after=$(in_guest "cut -d' ' -f3 /proc/$daemon/schedstat")
say "the daemon ran $((after - before)) times in 10 s"
[ $((after - before)) -le 500 ] || fail "the daemon does not rest"

# The vGPU goes and comes back under the daemon, as far as the guest's kernel is concerned.
kill_holder
closed 60 "before the vGPU goes"
in_guest 'for dir in /sys/bus/pci/devices/*; do
	[ "$(cat $dir/vendor $dir/device)" = "$(printf "0x1af4\n0x10f0")" ] && echo 1 >$dir/remove
	done; true'
wait_until 60 "the daemon sees the vGPU go" in_guest "grep -q 'went away' /tmp/daemon.log"
in_guest "echo 1 >/sys/bus/pci/rescan"
wait_until 60 "the daemon sees the vGPU again" \
	in_guest "[ \$(grep -c watching /tmp/daemon.log) = 2 ]"
hold
kill_holder
closed 60 "after the vGPU came back"

in_guest "kill $daemon"
wait_until 60 "the daemon ends" in_guest "[ ! -e /proc/$daemon ] || grep -q Z /proc/$daemon/stat"
in_guest "tail -n 1 /tmp/daemon.log | grep -q 'ended: Terminated'" ||
	fail "$(in_guest 'cat /tmp/daemon.log')"
in_guest "cat /tmp/daemon.log"
