#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A guest whose folder the host exports over NFS: vgpu-agent's sums through files are right, an old
# client is served, which way the agent takes follows from what there is, and server, disk, mount and
# mediator may fail meanwhile.
set -eu
# shellcheck source=tests/system/nfs.bash
. "${top_srcdir:?see tests/README.md}/tests/system/nfs.bash"
isolate "$@"

mkdir -p "$tree"
mount -t tmpfs -o size=256k tmpfs "$tree"
mkdir "$tree/vm1"
write_config
sed -i "/default-pool/a files-dir = $tree" "$work/mediatord.conf"
start_mediator
start_nfs vm1
start_libvirt
define_guest
give_network guest
rest PUT "/v1/vms/$guest_uuid" '{"name": "guest", "vm_id": 1, "priority": "high"}' >/dev/null
boot_guest
guest_network
# What NFS may remember, it remembers for longer than anybody waits here.
guest_mounts vm1 /mnt/vgpu actimeo=600

# The device is taken where there is one, and the folder where there is none.
in_guest '
	pci=/sys/bus/pci
	took() {
		vgpu-agent nop >/tmp/said 2>&1 && grep -qx "vgpu-agent: using $1" /tmp/said && return
		echo "not $1, but: $(cat /tmp/said)"
		exit 1
	}
	took pci:0000:00:1c.0
	echo 1 >$pci/devices/0000:00:1c.0/remove
	took file:/mnt/vgpu
	umount /mnt/vgpu && rmdir /mnt/vgpu
	vgpu-agent nop >/tmp/said 2>&1
	[ $? = 69 ] && grep -q "no vGPU" /tmp/said || { cat /tmp/said; exit 1; }
	echo 1 >$pci/rescan
	took pci:0000:00:1c.0' || fail "the agent took another way than it should"
guest_mounts vm1 /mnt/vgpu actimeo=600

# The checks of vector-add.sh.
for count in 1 1000; do
	put_vectors "$count"
	completed=$(vm .counters.completed)
	jobs=$(vm .worker.jobs)
	started=$(now_ms)
	in_guest "rm -f /tmp/sum; vgpu-agent --transport file:/mnt/vgpu add /tmp/a /tmp/b -o /tmp/sum" ||
		fail "vgpu-agent add of $count elements failed"
	say "$count elements through files in $(($(now_ms) - started)) ms"
	check_sum
	[ "$(vm .counters.completed)" -gt "$completed" ] || fail "no request was counted"
	[ "$(vm .worker.jobs)" -gt "$jobs" ] || fail "the worker's jobs were not counted"
	pid=$(vm .worker.pid)
	[ "$(readlink "/proc/$pid/exe")" = "$worker" ] || fail "pid $pid is not $worker"
	[ "$(pids_of "$worker")" = "$pid" ] || fail "other workers run: $(pids_of "$worker")"
	[ "$pid" = "${last_pid:-$pid}" ] || fail "the worker changed from $last_pid to $pid"
	last_pid=$pid
done
vm_is '.usage.gpu_memory_bytes == 0' || fail "memory is left: $(vm .usage)"

# An old client: writes the line, reads the answer every 100 ms for at least 60 s. One that removes the
# answer before needs a mount that does not remember what was not there.
cat >"$work/old-client" <<'END'
cd "$1" && $3 && echo "$2" >request.txt || exit 1
tries=0
until answer=$(cat response.txt 2>/dev/null) && [ -n "$answer" ]; do
	tries=$((tries + 1))
	[ $tries -le 600 ] || exit 1
	sleep 0.1
done
echo "$answer"
END
guest_put "$work/old-client" /tmp/old-client
guest_mounts vm1 /mnt/old actimeo=600,lookupcache=positive
# answers PLACE BEFORE, and on standard input lines: a request, a tab, and a pattern of its answer.
answers() {
	local request pattern got
	while IFS=$'\t' read -r request pattern; do
		got=$(in_guest "sh /tmp/old-client $1 '$request' '$2'") ||
			fail "no answer to '$request' in $1"
		# shellcheck disable=SC2053 # a pattern
		[[ $got == $pattern ]] || fail "the answer to '$request' is '$got', not '$pattern'"
	done
}
answers /mnt/vgpu "cp /dev/null response.txt" <<'END'
A:2:1:100:200	300
A:2:1:-5:-3	-8
END
answers /mnt/old "rm -f response.txt" <<'END'
A:2:1:40:2	42
A:2:2:1:2	error: *vm_id*not*this folder
END
in_guest "cd /mnt/old && rm -f request.txt response.txt && ln -s /etc/passwd request.txt"
wait_until 60 "the link is refused" grep -q "^error: .*link" "$tree/vm1/response.txt"
answers /mnt/old "rm -f request.txt response.txt" <<'END'
A:2:1:1:2	3
END

nop() {
	in_guest_of guest 90 "vgpu-agent --transport file:/mnt/vgpu --timeout 60 nop"
}
nop_begins() {
	nop >"$work/nop.log" 2>&1 &
	nop=$!
}
nop_ends() {
	wait "$nop" || fail "$1: $(cat "$work/nop.log")"
	say "$1: $(cat "$work/nop.log")"
}
requests_reach() {
	[ "$(vm .counters.requests)" -ge "$1" ]
}

kill_nfs() {
	kill -KILL "$nfs_pid"
	wait "$nfs_pid" 2>/dev/null || true
}

# The server is killed, and started again, with a request waiting for it.
kill_nfs
nop_begins
start_nfs vm1
nop_ends "with another server"

# No room for the answer, until there is.
kill -STOP "$last_pid"
wanted=$(($(vm .counters.requests) + 1))
nop_begins
wait_until 60 "the request is taken" requests_reach "$wanted"
cat /dev/zero >"$tree/full" 2>/dev/null || true
kill -CONT "$last_pid"
wait_until 60 "the full disk is noticed" grep -q "cannot answer in vm1: No space left" "$work/mediatord.log"
rm "$tree/full"
nop_ends "with room again"

# Without the mediator there is no answer; the next one gives it.
stop_mediator
nop_begins
wait_until 60 "a request waits" test -s "$tree/vm1/request.txt"
start_mediator
nop_ends "with another mediator"

# The folders vanish, under the server, too, and come back.
umount -l "$tree"
wait_until 60 "that is noticed" grep -q "files-dir: vm1 is gone" "$work/mediatord.log"
mount -t tmpfs -o size=256k tmpfs "$tree"
mkdir "$tree/vm1"
kill_nfs
start_nfs vm1
in_guest "umount -l /mnt/old; umount -l /mnt/vgpu"
guest_mounts vm1 /mnt/vgpu
nop || fail "no answer in the folder that came back"
