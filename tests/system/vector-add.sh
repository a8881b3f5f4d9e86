#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A guest under libvirt adds vectors through its vGPU, and this VM's worker is what did it.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

worker=$VGPU_PKGLIBEXECDIR/vgpu-worker

start_mediator
start_libvirt
define_guest
register
boot_guest

# make_vectors COUNT: $work/a, $work/b and, with every sum rounded once, $work/sum.
make_vectors() {
	python3 - "$1" "$work" <<-'EOF'
	import random, struct, sys
	count, work = int(sys.argv[1]), sys.argv[2]
	def single(x):
	    return struct.unpack("f", struct.pack("f", x))[0]
	generator = random.Random(count)
	a = [single(generator.uniform(-1e6, 1e6)) for _ in range(count)]
	b = [single(generator.uniform(-1, 1)) for _ in range(count)]
	for name, values in (("a", a), ("b", b), ("sum", [single(x + y) for x, y in zip(a, b)])):
	    with open(f"{work}/{name}", "w") as file:
	        file.writelines(f"{value:.9g}\n" for value in values)
	EOF
}

# same_numbers FILE FILE: equal as float32 values, however they are written.
same_numbers() {
	python3 - "$1" "$2" <<-'EOF'
	import struct, sys
	def values(path):
	    with open(path) as file:
	        return [struct.pack("f", float(line)) for line in file]
	one, other = values(sys.argv[1]), values(sys.argv[2])
	sys.exit(0 if one == other and one else f"{sys.argv[1]} and {sys.argv[2]} differ")
	EOF
}

for count in 1 7 1000 1000000; do
	make_vectors "$count"
	guest_put "$work/a" /tmp/a
	guest_put "$work/b" /tmp/b
	completed=$(vm .counters.completed)
	jobs=$(vm .worker.jobs)
	started=$(now_ms)
	in_guest "rm -f /tmp/sum; vgpu-agent add /tmp/a /tmp/b -o /tmp/sum" ||
		fail "vgpu-agent add of $count elements failed"
	say "$count elements in $(($(now_ms) - started)) ms"
	guest_get /tmp/sum "$work/got"
	same_numbers "$work/got" "$work/sum" || fail "wrong sum of $count elements"

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
wait_until 5 "the worker is gone" no_process "$worker"
expect 69 in_guest "rm -f /tmp/sum; vgpu-agent add /tmp/a /tmp/b -o /tmp/sum"
cat "$work/output"
grep -q mediator "$work/output" || fail "the error does not name the mediator"
expect 1 in_guest "test -e /tmp/sum"

# And with it again, it works by itself.
start_mediator
wait_until 10 "the link is up again" vm_is '.link.state == "up"'
in_guest "vgpu-agent add /tmp/a /tmp/b -o /tmp/sum" || fail "no sum after the mediator came back"
guest_get /tmp/sum "$work/got"
same_numbers "$work/got" "$work/sum" || fail "wrong sum after the mediator came back"
