#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Several agents in one guest take turns on its vGPU, and the memory of one that was killed is freed
# by the next.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest

# Four at once, each with numbers of its own: a mixed-up request would show in a sum.
# shellcheck disable=SC2016 # the guest's shell expands these
in_guest '
	cd /tmp && seq 5000 >a || exit 1
	for i in 1 2 3 4; do
		seq $i $i $((i * 5000)) >b$i
		(vgpu-agent add a b$i -o s$i >said$i 2>&1; echo $? >status$i) &
	done
	wait
	for i in 1 2 3 4; do
		[ "$(cat status$i)" = 0 ] || { cat said$i; exit 1; }
		paste s$i a b$i | awk '\''$1 != $2 + $3 { exit 1 }'\'' || exit 1
		[ "$(wc -l <s$i)" = 5000 ] || exit 1
	done' || fail "four agents at once"
[ "$(vm .counters.failed)" = 0 ] || fail "$(vm .counters.failed) requests failed"

# One that does nothing but take turns does not keep another from its own.
# shellcheck disable=SC2016
in_guest '
	vgpu-agent nop -n 1000000000 >/dev/null 2>&1 & busy=$!
	vgpu-agent --timeout 60 nop -n 50; status=$?
	kill -0 $busy && kill -9 $busy
	exit $status' || fail "an agent starved"

# One that is killed in the middle leaves its memory, and nothing else, behind.
# shellcheck disable=SC2016
in_guest '
	cd /tmp && seq 300000 >large || exit 1
	vgpu-agent add --mailbox large large -o sum >/dev/null 2>&1 & adding=$!
	until vgpu-agent info --json | grep -q "\"usage\":{\"gpu_memory_bytes\":[1-9]"; do
		kill -0 $adding || exit 1
	done
	kill -9 $adding
	wait $adding
	[ $? = 137 ] && [ ! -e sum ]' || fail "no agent to kill"
vm_is '.usage.gpu_memory_bytes > 0' || fail "the test shows nothing: no memory was left"
in_guest "cd /tmp && vgpu-agent add a b1 -o s1" || fail "no sum after an agent was killed"
vm_is '.usage.gpu_memory_bytes == 0' || fail "memory is left: $(vm .usage)"
