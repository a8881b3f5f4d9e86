#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Events: as lines and as JSON, those that there are, those to come, and on after a connection ends.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq

start_mediator
expect 0 "" "$ctl" vm add "$uuid" name=web1
expect 0 "" "$ctl" vm pause web1
expect 0 "" "$ctl" events
shows "vm.registered vm=$uuid" "vm.held vm=$uuid"
first=$(awk '/vm.registered/ { print $1; exit }' <<<"$said")
expect 0 "vm.held" "$ctl" events --since "$first"
[[ $said != *vm.registered* ]] || fail "--since shows what was before: $said"
expect 64 "--since: 'x'" "$ctl" events --since x
[ "$("$ctl" events --json | jq -r 'select(.type == "vm.registered").vm')" = "$uuid" ] ||
	fail "--json: $("$ctl" events --json)"

# On, over a restart of the mediator.
"$ctl" events --follow --since "$first" >"$dir/followed" 2>"$dir/trouble" &
follower=$!
started+=("$follower")
wait_for 60 grep -q vm.held "$dir/followed" || fail "not followed: $(cat "$dir/followed")"
expect 0 "" "$ctl" vm resume web1
wait_for 60 grep -q "vm.held.*none" "$dir/followed" || fail "no news: $(cat "$dir/followed")"
stop_mediator
wait_for 60 grep -q "trying again" "$dir/trouble" || fail "said: $(cat "$dir/trouble")"
start_mediator
expect 0 "" "$ctl" vm set web1 weight=3
wait_for 60 grep -q vm.changed "$dir/followed" || fail "lost: $(cat "$dir/followed")"
kill "$follower"
wait "$follower" || true
stop_mediator

# It asks for what comes after the last that it has, and for no other.
start_fake
for id in 1 2; do
	printf 'HTTP/1.1 200 OK\r\n\r\nid: 4%s\nevent: vm\ndata: {"time":"t%s"}\n\ndata: cut' $id $id \
		>"$dir/answers/$id"
done
http '{"detail":"not you"}' "403 Forbidden" >"$dir/answers/3"
expect 77 "not you" "$ctl" events --follow --since 7
shows "41 t1 vm" "42 t2 vm"
[ "$(grep -c '^4' <<<"$said")" = 2 ] || fail "printed twice: $said"
[ "$(grep -o 'Last-Event-ID: [0-9]*' "$dir/requests" | tr '\n' ' ')" = \
	"Last-Event-ID: 7 Last-Event-ID: 41 Last-Event-ID: 42 " ] || fail "$(cat "$dir/requests")"
stop_fake
expect 69 "cannot reach" "$ctl" events --follow
finish
