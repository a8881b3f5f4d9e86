#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# top: once, as JSON, and on a terminal, with a VM that works; channels are listed.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq script
start_mediator
put_vm "$uuid" '{"name":"busy","quotas":{"gpu_time_max_percent":80}}'
put_vm "$other" '{"name":"idle"}'
expect 0 "" "$ctl" vm pause idle

mkfifo "$dir/go"
"$top_builddir/tests/guest-agent/channel-client" "local:$dir/link/$uuid.sock" hold \
	<"$dir/go" >"$dir/held" 2>&1 &
holder=$!
started+=("$holder")
exec 9>"$dir/go"
wait_for 60 grep -q ready "$dir/held" || fail "no channel: $(cat "$dir/held")"
expect 0 "" "$ctl" channel list busy
grep -qE '^ +0 +open +[0-9]+ +[0-9.]+[KMG]iB ' <<<"$said" || fail "channels: $said"
[ "$("$ctl" --json channel list busy | jq '.channels | length')" = 1 ] || fail "--json channels"
[[ $("$ctl" channel list busy) == *" GPU  NAME"* ]] || fail "the table of channels: $("$ctl" channel list busy)"

expect 0 "" "$ctl" top --once --interval 0.1
grep -qE '^busy +up .* 1$' <<<"$said" || fail "top: $said"
# A link has one device at a time.
kill "$holder"
wait "$holder" 2>/dev/null || true

# Nops through the mailbox: the VM has requests, so it comes first.
busy() {
	until local_agent nop >/dev/null 2>&1; do :; done
	while local_agent nop -n 50 >/dev/null 2>&1; do :; done
}
busy &
started+=($!)
shows_work() {
	said=$("$ctl" top --once --interval 0.5)
	grep -qE '^busy +up +A +medium +100 +[0-9.]+% +80% .* [0-9.]+[mu]?s +[0-9.]+[mu]?s +0$' <<<"$said"
}
wait_for 60 shows_work || fail "top: $said"
shows "1 GPUs, 2 VMs" "software GPU 0"
grep -qE '^idle +paused +A +medium +100 +0\.0% +none +0 +1GiB +0\.0 +- +- +0$' <<<"$said" ||
	fail "top: $said"
[ "$(grep -nE '^(busy|idle)' <<<"$said" | head -n 1 | grep -c busy)" = 1 ] || fail "order: $said"
[ "$("$ctl" top --once --json --interval 0.1 | jq '.vms | length')" = 2 ] || fail "--json"

# On a terminal: another screen, an end with 'q', and a mediator that is away is waited for.
mkfifo "$dir/keys"
script -qfec "stty cols 60 rows 20; exec '$ctl' top --interval 0.2" "$dir/frames" \
	<"$dir/keys" >/dev/null &
screen=$!
started+=("$screen")
exec 8>"$dir/keys"
wait_for 60 grep -sqa busy "$dir/frames" || fail "no VM on the screen: $(cat -v "$dir/frames")"
stop_mediator
wait_for 60 grep -sqa "DOES NOT ANSWER" "$dir/frames" || fail "not said: $(cat -v "$dir/frames")"
start_mediator
: >"$dir/frames"
wait_for 60 grep -sqa "2 VMs.\[K" "$dir/frames" || fail "not waited for: $(cat -v "$dir/frames")"
printf q >&8
wait "$screen" || fail "the end by 'q': status $?"
grep -sqaF $'\e[?1049l' "$dir/frames" || fail "the old screen is not back"
# One that never was is not.
expect 69 "cannot reach" "$ctl" --socket "$dir/none" top
finish
