#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Channels from end to end on this host: libvgpu's local transport, a mediator, its workers.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
start_mediator
second=7f1f2c3d-0a1b-4c5d-8e9f-001122334455
put_vm "$uuid"
put_vm "$second"
client=$top_builddir/tests/guest-agent/channel-client

all_is_free() {
	[ "$(vm .usage.gpu_memory_bytes "$1")" = 0 ] && [ "$(vm .usage.window_bytes "$1")" = 0 ]
}

# Two VMs at once.
"$client" "local:$dir/link/$uuid.sock" >"$dir/first" 2>&1 &
one=$!
"$client" "local:$dir/link/$second.sock" >"$dir/second" 2>&1 &
two=$!
started+=("$one" "$two")
wait "$one" || fail "the first VM: $(cat "$dir/first")"
wait "$two" || fail "the second VM: $(cat "$dir/second")"
wait_for 60 all_is_free "$uuid" || fail "memory is left: $(vm .usage)"
wait_for 60 all_is_free "$second" || fail "memory is left: $(vm .usage "$second")"

# The worker dies under an open channel.
mkfifo "$dir/go"
"$client" "local:$dir/link/$uuid.sock" lost <"$dir/go" >"$dir/said" 2>&1 &
pid=$!
started+=("$pid")
exec 9>"$dir/go"
wait_for 60 grep -q ready "$dir/said" || fail "no channel: $(cat "$dir/said")"
worker=$(vm ".channels[0].worker_pid")
kill -9 "$worker"
echo >&9
wait "$pid" || fail "a channel that was lost: $(cat "$dir/said")"

# The program dies with an open channel: all that it had is free again.
"$client" "local:$dir/link/$uuid.sock" hold <"$dir/go" >"$dir/held" 2>&1 &
pid=$!
started+=("$pid")
wait_for 60 grep -q ready "$dir/held" || fail "no channel: $(cat "$dir/held")"
[ "$(vm .usage.window_bytes)" -gt 0 ] || fail "an open channel's window is not counted"
kill -9 "$pid"
wait_for 60 all_is_free "$uuid" || fail "memory of a dead program is left: $(vm .usage)"
finish
