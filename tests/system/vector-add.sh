#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A guest under libvirt adds vectors through its vGPU, and this VM's worker is what did it.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest

for count in 1 7 1000 1000000; do
	put_vectors "$count"
	completed=$(vm .counters.completed)
	jobs=$(vm .worker.jobs)
	started=$(now_ms)
	in_guest "rm -f /tmp/sum; vgpu-agent add /tmp/a /tmp/b -o /tmp/sum" ||
		fail "vgpu-agent add of $count elements by a channel failed"
	say "$count elements by a channel in $(($(now_ms) - started)) ms"
	check_sum
	started=$(now_ms)
	in_guest "rm -f /tmp/sum; vgpu-agent add --mailbox /tmp/a /tmp/b -o /tmp/sum" ||
		fail "vgpu-agent add of $count elements by the mailbox failed"
	say "$count elements by the mailbox in $(($(now_ms) - started)) ms"
	check_sum

	# The mediator's counters say that this VM's requests were served, and by which process.
	[ "$(vm .counters.completed)" -gt "$completed" ] || fail "no request was counted"
	pid=$(vm .worker.pid)
	[ "$(vm .worker.state)" = ready ] || fail "the worker is $(vm .worker.state)"
	[ "$(readlink "/proc/$pid/exe")" = "$worker" ] || fail "pid $pid is not $worker"
	[ "$(pids_of "$worker")" = "$pid" ] || fail "other workers run: $(pids_of "$worker")"
	[ "$pid" != "$mediator_pid" ] || fail "the mediator is its own worker"
	if [ "$count" -gt 1 ]; then
		[ "$pid" = "$last_pid" ] || fail "the worker changed from $last_pid to $pid"
		[ "$(vm .worker.jobs)" -gt "$jobs" ] || fail "the worker's jobs were not counted"
	fi
	last_pid=$pid
done
[ "$(vm .link.state)" = up ] || fail "the link is not up"
[ "$(vm .link.pid)" = "$(cat /run/libvirt/qemu/guest.pid)" ] || fail "the link is not QEMU's"

# Nothing else can have done it: without the mediator the same command fails, and says why.
stop_mediator
wait_until 60 "the worker is gone" no_process "$worker"
expect 69 in_guest "rm -f /tmp/sum; vgpu-agent add /tmp/a /tmp/b -o /tmp/sum"
cat "$work/output"
grep -q mediator "$work/output" || fail "the error does not name the mediator"
expect 1 in_guest "test -e /tmp/sum"

# And with it again, it works by itself.
start_mediator
wait_until 60 "the link is up again" vm_is '.link.state == "up"'
in_guest "vgpu-agent add /tmp/a /tmp/b -o /tmp/sum" || fail "no sum after the mediator came back"
check_sum
