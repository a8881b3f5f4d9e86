#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every command against a real mediator and worker: what it prints, and that sums are right.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq awk
start_mediator
put_vm "$uuid" '{"name":"one \"quoted\" \\ näme","priority":"high","vm_id":7}'
cd "$dir"

# sum_is_right FILE A B [TOLERANCE]: an independent sum, of numbers that a double adds exactly.
sum_is_right() {
	paste "$1" "$2" "$3" | awk -v tolerance="${4:-0}" '
		function size(x) { return x < 0 ? -x : x }
		NF != 3 || size($1 - ($2 + $3)) > tolerance * size($2 + $3) { bad++ }
		END { exit NR == 0 || bad > 0 }' || fail "$1 is not the sum of $2 and $3"
}

expect 0 'one "quoted" \ näme' local_agent info
local_agent info --json >info.json
[ "$(jq -r '.name, .uuid, .vm_id, .pool, .priority, .link, .quotas.gpu_memory_bytes' info.json |
	tr '\n' '|')" = "one \"quoted\" \\ näme|$uuid|7|A|high|up|1073741824|" ] ||
	fail "info --json: $(cat info.json)"
[ "$(vm .worker.state)" = none ] || fail "info started a worker"

expect 0 "1 no-op answered" local_agent nop
local_agent nop -n 50 --json >nop.json
[ "$(jq '.count == 50 and .elapsed_us > 0' nop.json)" = true ] || fail "nop: $(cat nop.json)"
local_agent bench --mailbox -n 500 --json >bench.json
[ "$(jq '.min > 0 and .min <= .p50 and .p50 <= .p99 and .p99 <= ."p99.9" and ."p99.9" <= .max and
	.count == 500 and .unit == "us"' bench.json)" = true ] || fail "bench: $(cat bench.json)"
expect 0 "p99.9" local_agent bench --mailbox -n 100
local_agent bench -n 500 --window 16 --json >bench.json
[ "$(jq 'all(.noop_mailbox, .noop_polling, .noop_sleeping, .launch_sync;
		.p50_us > 0 and .p50_us <= .p99_us and .p99_us <= .p999_us) and
	.pipelined.ops_per_s > 0 and .vector_add.elements == 1048576 and .vector_add.us > 0 and
	([.h2d, .d2h] | all(map(.bytes) == [4096, 16384, 65536, 262144, 1048576, 4194304, 16777216])) and
	([.h2d[], .d2h[]] | all(.gb_per_s > 0 and .native_gb_per_s == null))' bench.json)" = true ] ||
	fail "bench: $(cat bench.json)"
expect 0 "pipelined no-ops" local_agent bench -n 100 --window 16
expect 0 "launch and synchronise, empty kernel" local_agent bench -n 100 --window 16

# The example, and one element.
examples=$top_srcdir/data/vectors
expect 0 "elements  1000 (f32)" local_agent add "$examples/A.txt" "$examples/B.txt" -o sum
sum_is_right sum "$examples/A.txt" "$examples/B.txt" 2e-7
echo 0.1 >a
echo 0.2 >b
local_agent add a b -o sum --json >add.json
[ "$(cat sum)" = 0.3 ] || fail "0.1 + 0.2 is $(cat sum)"
[ "$(jq -c '[.elements, .type, .checked, .backend, .path, .output]' add.json)" = \
	'[1,"f32",true,"cpu","ring","sum"]' ] || fail "add: $(cat add.json)"
local_agent add a b -o sum --mailbox --json >add.json
[ "$(cat sum) $(jq -r .path add.json)" = "0.3 mailbox" ] || fail "add --mailbox: $(cat add.json)"
[ "$(stat -c %a sum)" = "$(printf '%o' $((0666 & ~$(umask))))" ] || fail "mode of the sum"

# Beyond the range, and int32 that wraps.
echo 3e38 >a
echo 3e38 >b
local_agent add a b -o sum >/dev/null
[ "$(cat sum)" = inf ] || fail "3e38 + 3e38 is $(cat sum)"
printf '2147483647\n-5\n' >a
printf '1\n3\n' >b
local_agent add a b -o sum --type i32 >/dev/null
[ "$(tr '\n' ' ' <sum)" = "-2147483648 -2 " ] || fail "int32: $(cat sum)"

# Standard input and output: nothing but the sum on standard output.
[ "$(seq 3 | local_agent add - <(seq 3) -o - 2>report | tr '\n' ' ')" = "2 4 6 " ] ||
	fail "standard input and output"
grep -q '^elements  3' report || fail "no report on standard error"

# A million elements, random: whole numbers, which awk adds exactly, too.
awk 'BEGIN { srand(); for (i = 0; i < 1000000; i++) print int(rand() * 8388608) > "a"
	for (i = 0; i < 1000000; i++) print -int(rand() * 8388608) > "b" }'
expect 0 "elements  1000000 (f32)" local_agent add a b -o sum
sum_is_right sum a b
[ "$(wc -l <sum)" = 1000000 ] || fail "the sum has $(wc -l <sum) lines"

# All of that was done by workers, and nothing is left of it.
[ "$(vm .counters.failed)" = 0 ] || fail "$(vm .counters.failed) requests failed"
[ "$(vm .counters.completed)" -gt 12000 ] || fail "$(vm .counters.completed) requests completed"
wait_for 60 memory_is_free || fail "memory left: $(vm .usage)"
finish
