#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vgpu-agent and libvgpu through files, against a real mediator and worker: every function does what it
# does on a device, sums are right, errors are readable, and agents that share a folder take turns.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq awk
mkdir -p "$dir/tree/vm7"
mediatord_lines="files-dir = $dir/tree"
start_mediator
put_vm "$uuid" '{"vm_id":7}'
cd "$dir"

file_agent() {
	"$agent" --transport "file:$dir/tree/vm7" "$@"
}

# sum_is_right FILE A B [TOLERANCE]: an independent sum, of numbers that a double adds exactly.
sum_is_right() {
	paste "$1" "$2" "$3" | awk -v tolerance="${4:-0}" '
		function size(x) { return x < 0 ? -x : x }
		NF != 3 || size($1 - ($2 + $3)) > tolerance * size($2 + $3) { bad++ }
		END { exit NR == 0 || bad > 0 }' || fail "$1 is not the sum of $2 and $3"
}

expect 0 "1 no-op answered" file_agent nop
file_agent nop -n 20 --json >nop.json
[ "$(jq '.count == 20 and .elapsed_us > 0' nop.json)" = true ] || fail "nop: $(cat nop.json)"
file_agent bench -n 1000 --json >bench.json
[ "$(jq '.min > 0 and .min <= .p50 and .p50 <= .p99 and .p99 <= .max and .count == 50 and
	.benchmark == "no-op round trip through files"' bench.json)" = true ] ||
	fail "bench: $(cat bench.json)"

examples=$top_srcdir/data/vectors
expect 0 "elements  1000 (f32)" file_agent add "$examples/A.txt" "$examples/B.txt" -o sum
sum_is_right sum "$examples/A.txt" "$examples/B.txt" 2e-7
echo 0.1 >a
echo 0.2 >b
file_agent add a b -o sum --json >add.json
[ "$(cat sum) $(jq -r .path add.json)" = "0.3 mailbox" ] || fail "add: $(cat sum add.json)"
printf '2147483647\n-5\n' >a
printf '1\n3\n' >b
file_agent add a b -o sum --type i32 >/dev/null
[ "$(tr '\n' ' ' <sum)" = "-2147483648 -2 " ] || fail "int32: $(cat sum)"

# What local-library.sh has a device do.
expect 0 "" "$top_builddir/tests/guest-agent/library-client" "file:$dir/tree/vm7"
wait_for 60 memory_is_free || fail "memory is left: $(vm .usage)"
failures=$(vm .counters.failed) # which it asked for

# Several at once take turns, and none gets another's numbers.
seq 2000 >a
pids=()
for i in 1 2 3; do
	seq "$i" "$i" $((i * 2000)) >"b$i"
	file_agent add a "b$i" -o "sum$i" >"said$i" 2>&1 &
	pids+=("$!")
	started+=("$!")
done
for i in 1 2 3; do
	wait "${pids[i - 1]}" || fail "agent $i of three: $(cat "said$i")"
	sum_is_right "sum$i" a "b$i"
done
[ "$(vm .counters.failed)" = "$failures" ] || fail "requests failed"
[ "$(vm .usage.gpu_memory_bytes)" = 0 ] || fail "memory left: $(vm .usage)"

# An agent that is killed keeps nobody from going on.
seq 100000 >large
pid=
under_way() {
	# Another one, where the last ended before it was seen at work; no function, which would be
	# a shell around it.
	kill -0 "$pid" 2>/dev/null || {
		"$agent" --transport "file:$dir/tree/vm7" add large large -o sum >/dev/null 2>&1 &
		pid=$!
		started+=("$pid")
	}
	[ "$(vm .usage.gpu_memory_bytes)" -gt 0 ]
}
wait_for 60 under_way || fail "the agent that is to be killed does nothing"
kill -KILL "$pid" 2>/dev/null || true
wait "$pid" 2>/dev/null || true
expect 0 "1 no-op answered" file_agent nop

# What is not there through files says so.
expect 69 "is no device" file_agent info
expect 69 "no channel" file_agent run builtin vadd_i32 --grid 1 --block 1
expect 69 "No such file" "$agent" --transport "file:$dir/missing" nop
expect 69 "Not a directory" "$agent" --transport "file:$dir/nop.json" nop
rest DELETE "/v1/vms/$uuid" >/dev/null
expect 69 "no VM with vm_id 7 is registered" file_agent nop
put_vm "$uuid" '{"vm_id":7}'

# Without a mediator there is no answer, and it is served when there is one again.
stop_mediator
expect 75 "not answered yet" file_agent --timeout 0.3 nop
start_mediator
expect 0 "1 no-op answered" file_agent nop
finish
