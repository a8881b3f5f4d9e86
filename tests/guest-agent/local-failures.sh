#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What goes wrong on the host: exit status, a clear line, no output file, and a device that works
# again afterwards.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
start_mediator
put_vm "$uuid"
cd "$dir"

seq 1000 >a
seq 1000 >b
seq 1000000 >large
expect 0 "elements  1000" local_agent add a b -o sum
rm sum

no_output() {
	! compgen -G 'sum*' >/dev/null || fail "$1: output files are left: $(echo sum*)"
	rm -f sum*
}

holds_memory() {
	[ "$(vm .usage.gpu_memory_bytes)" -gt 0 ]
}

begin_addition() {
	"$agent" --transport "local:$dir/link/$uuid.sock" add --mailbox large large -o sum \
		>said 2>&1 &
	adding=$!
	started+=("$adding")
}

# add_and_stop: an addition in the background that is held in its middle; its pid is $adding. It goes
# there in steps of 10 ms, far less than it takes, so that a slow look does not let it pass; where
# one of these steps took too long for that, there is another.
add_and_stop() {
	local steps=0

	begin_addition
	kill -STOP "$adding"
	until holds_memory; do
		if [ "$((steps += 1))" -gt 1000 ]; then
			fail "the addition does not get under way: $(cat said)"
			finish
		fi
		kill -CONT "$adding" 2>/dev/null || begin_addition
		sleep 0.01
		kill -STOP "$adding" 2>/dev/null || true
	done
}

# add_ends STATUS TEXT: the addition goes on, and ends so.
add_ends() {
	local status=0

	kill -CONT "$adding"
	wait "$adding" || status=$?
	[ "$status" = "$1" ] || fail "exit status $status, not $1: $(cat said)"
	grep -q "$2" said || fail "does not say '$2': $(cat said)"
}

# A worker that is killed in the middle: its memory is lost, and the next one begins anew.
add_and_stop
worker=$(vm .worker.pid)
kill -9 "$worker"
wait_for 60 test ! -e "/proc/$worker" || fail "worker $worker is still there"
add_ends 75 "device memory was lost"
no_output "worker killed"
expect 0 "elements  1000" local_agent add a b -o sum
rm sum

# More memory than the quota.
put_vm "$uuid" '{"quotas":{"gpu_memory_bytes":8192}}'
expect 69 "CUDA_ERROR_OUT_OF_MEMORY (2)" local_agent add a b -o sum
[[ $said == *"allocating 4000 bytes of device memory"* ]] || fail "quota: $said"
[[ $said == *"the VM's quota of GPU memory does not allow it"* ]] || fail "no limit is named: $said"
expect 69 "CUDA error 2 (out of memory)" local_agent add --mailbox a b -o sum
[[ $said == *"allocating 4000 bytes of device memory"* ]] || fail "quota: $said"
no_output "quota"
expect 69 '"cuda_error":2' local_agent --json add a b -o sum
[ "$(vm .usage.gpu_memory_bytes)" -le 8192 ] || fail "quota exceeded: $(vm .usage)"

# More requests than the rate limit.
put_vm "$uuid" '{"quotas":{"requests_per_second":5,"burst":2}}'
expect 75 "more requests than the VM's rate limit allows" local_agent nop -n 100
expect 75 "try again later" local_agent add --mailbox a b -o sum
no_output "rate limit"
put_vm "$uuid"
expect 0 "" local_agent nop

# A mediator that is killed in the middle, and comes back.
add_and_stop
stop_mediator KILL
add_ends 69 "mediator does not answer"
no_output "mediator killed"

# And while it is away.
SECONDS=0
expect 69 "mediator does not answer" local_agent --timeout 120 add a b -o sum
[ "$SECONDS" -lt 60 ] || fail "it took $SECONDS s to say that the mediator is away"
no_output "no mediator"
expect 0 "down" local_agent info
start_mediator
expect 0 "elements  1000" local_agent --timeout 60 add a b -o sum

# A link that this user may not use is refused at once, and the reason is told.
rest PUT "/v1/vms/$uuid" "{\"link_uid\":$(($(id -u) + 1))}" >/dev/null
SECONDS=0
expect 69 "refused" local_agent --timeout 120 nop
[ "$SECONDS" -lt 60 ] || fail "it took $SECONDS s to say that the link is refused"
expect 0 "refused" local_agent info
finish
