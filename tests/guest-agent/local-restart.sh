#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A mediator is killed while a program uses its channel: the program goes on, and so does the next
# mediator with what the program has.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
start_mediator
put_vm "$uuid"
mkfifo "$dir/go"

# Starts a program that does this, and waits until it has its channel.
begin() {
	: >"$dir/said"
	"$top_builddir/tests/guest-agent/channel-client" "local:$dir/link/$uuid.sock" "$1" \
		<"$dir/go" >"$dir/said" 2>&1 &
	client=$!
	started+=("$client")
	exec 9>"$dir/go"
	says ready
}

says() {
	wait_for 60 grep -qx "$1" "$dir/said" || fail "it does not come to '$1': $(cat "$dir/said")"
}

uses() {
	[ "$(vm .usage.gpu_memory_bytes)" = "$1" ] && [ "$(vm .usage.window_bytes)" = "$2" ]
}

begin outlive
memory=$(vm .usage.gpu_memory_bytes)
windows=$(vm .usage.window_bytes)
[ "$memory" -gt 0 ] || fail "the channel's memory is not counted"
stop_mediator KILL
echo >&9
says alone
start_mediator
# The other channel of the same size, which it closed meanwhile, is closed at last.
echo >&9
says again
wait_for 60 uses "$memory" "$((windows / 2))" || fail "not what it held before: $(vm .usage)"
echo >&9
wait "$client" || fail "its channel was lost: $(cat "$dir/said")"
wait_for 60 uses 0 0 || fail "memory is left: $(vm .usage)"

# The worker dies as well: the program hears of it when there is a mediator.
begin lost
worker=$(vm ".channels[0].worker_pid")
stop_mediator KILL
kill -9 "$worker"
start_mediator
echo >&9
wait "$client" || fail "a channel that was lost: $(cat "$dir/said")"
wait_for 60 uses 0 0 || fail "memory of a lost channel is left: $(vm .usage)"
finish
