#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# libvgpu as a program of a tenant sees it: every function, threads, and memory that is lost.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
start_mediator
put_vm "$uuid"
client=$top_builddir/tests/guest-agent/library-client
transport=local:$dir/link/$uuid.sock

expect 0 "" "$client" "$transport"
wait_for 60 memory_is_free || fail "memory is left: $(vm .usage)"

# The worker dies under a handle that holds memory.
mkfifo "$dir/go"
"$client" "$transport" lost <"$dir/go" >"$dir/said" 2>&1 &
pid=$!
started+=("$pid")
exec 9>"$dir/go"
wait_for 60 grep -q ready "$dir/said" || fail "no handle with memory: $(cat "$dir/said")"
kill -9 "$(vm .worker.pid)"
echo >&9
wait "$pid" || fail "memory that was lost: $(cat "$dir/said")"
finish
