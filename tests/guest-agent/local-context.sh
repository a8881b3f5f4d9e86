#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A program that has freed what it had lets the GPU have the context back, and goes on later.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"

need curl jq
mediatord_lines='context-idle = 200ms'
start_mediator
put_vm "$uuid" '{"name":"one"}'

no_context() {
	[ "$(vm '[.channels[].context] | tostring')" = '[false]' ]
}
waits() {
	grep -q ready "$dir/out"
}

# It copies through the library's own part of the window, too, which has events.
"$top_builddir/tests/gpu/tenant" "local:$dir/link/$uuid.sock" idle "$dir/again" >"$dir/out" &
tenant=$!
started+=("$tenant")
wait_for 60 waits || fail "the program does not get to wait"
wait_for 60 no_context || fail "the context was not given back"
[ "$(vm '.channels[0].state')" = open ] || fail "the channel is not open any more"
echo 1 >"$dir/again"
used_twice() {
	[ "$(grep -c 'use .* ms' "$dir/out")" = 2 ]
}
wait_for 60 used_twice || fail "it did not use it twice: $(cat "$dir/out")"
rm "$dir/again"
wait "$tenant" || fail "it cannot use the GPU again: $(cat "$dir/out")"
finish
