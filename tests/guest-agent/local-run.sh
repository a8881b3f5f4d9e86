#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vgpu-agent run: a kernel on files, against a sum that this shell computes; and what it refuses.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq od
start_mediator
put_vm "$uuid"
cd "$dir"

words() {
	od -An -v -t d4 -w4 "$1"
}

# An odd number of elements, more than one of the agent's buffers holds.
count=1100003
head -c $((4 * count)) /dev/urandom >a
head -c $((4 * count)) /dev/urandom >b
add=(run builtin vadd_i32 --grid $(((count + 255) / 256)) --block 256)
expect 0 "vadd_i32 on" local_agent "${add[@]}" --arg in:a --arg in:b --arg out:c:$((4 * count)) \
	--arg i64:$count
paste <(words a) <(words b) <(words c) | awk '
	function wrap(x) { return x > 2147483647 ? x - 4294967296 : x < -2147483648 ? x + 4294967296 : x }
	wrap($1 + $2) != $3 { bad++ }
	END { exit NR != '$count' || bad > 0 }' || fail "the kernel's output is not the sum"

# The second vector is replaced by the sum; the rest of an output is zero.
cp b inout
local_agent "${add[@]}" --arg in:a --arg inout:inout --arg out:rest:8 --arg i64:0 --json >run.json
cmp -s b inout || fail "inout: a kernel that did nothing changed it"
[ "$(words rest | tr -d ' \n')" = 00 ] || fail "new memory is not zero: $(words rest)"
[ "$(jq -r '.kernel, .backend' run.json | tr '\n' ' ')" = "vadd_i32 cpu " ] ||
	fail "run --json: $(cat run.json)"

# Nothing is written, and nothing left beside it, where the kernel cannot run.
echo old >kept
expect 64 "vadd_i32 has more parameters than the 1 that are given" \
	local_agent run builtin vadd_i32 --grid 1 --block 1 --arg out:kept:8
expect 64 "parameter 4 of vadd_i32 has 8 bytes, and its argument 4" \
	local_agent "${add[@]}" --arg in:a --arg in:b --arg out:kept:8 --arg i32:2
expect 64 "vadd_i32 has 4 parameters, and 5 are given" \
	local_agent "${add[@]}" --arg in:a --arg in:b --arg out:kept:8 --arg i64:2 --arg i32:1
expect 65 "no_such_kernel" local_agent run builtin no_such_kernel --grid 1 --block 1 \
	--arg out:kept:8
# The kernel would write beyond the output: its fault is CUDA's.
expect 70 "CUDA_ERROR_ILLEGAL_ADDRESS" \
	local_agent "${add[@]}" --arg in:a --arg in:b --arg out:kept:8 --arg i64:$count
expect 70 "CUDA_ERROR_INVALID_VALUE" local_agent run builtin vadd_i32 --grid 1 --block 1025 \
	--arg in:a --arg in:b --arg out:kept:8 --arg i64:2
expect 69 "CUDA_ERROR_OUT_OF_MEMORY" local_agent run builtin vadd_i32 --grid 1 --block 1 \
	--arg in:a --arg in:b --arg out:kept:1000000000000 --arg i64:2
echo ".version 6.0" >module.ptx
expect 65 "CUDA_ERROR_NO_BINARY_FOR_GPU" local_agent run module.ptx kernel --grid 1 --block 1 \
	--arg out:kept:8
expect 66 "missing.ptx: No such file" local_agent run missing.ptx kernel --grid 1 --block 1
[ "$(cat kept)" = old ] || fail "a run that failed wrote its output"
[ -z "$(find . -name 'kept.*')" ] || fail "a temporary file is left: $(ls)"
finish
