#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A VM whose workers die too often is in quarantine: what it asks for is refused, its registers and
# REST say so, over a restart of the mediator too, until its time is over or it is released.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq

# start LENGTH: of a quarantine.
start() {
	start_mediator "[scheduler]
	faults = 3
	quarantine = $1"
}

counted() {
	[ "$(vm .counters.faults)" = "$1" ]
}

has_worker() {
	worker=$(vm '.channels[0].worker_pid // ""')
	[ -n "$worker" ] && [ "$worker" != "${last_worker-}" ]
}

# Three workers that die, after $1 before them.
misbehave() {
	local i

	for i in 1 2 3; do
		: >"$dir/said"
		"$top_builddir/tests/guest-agent/channel-client" "local:$dir/link/$uuid.sock" lost \
			<"$dir/go" >"$dir/said" 2>&1 &
		client=$!
		started+=("$client")
		exec 9>"$dir/go"
		wait_for 60 grep -qx ready "$dir/said" || fail "no channel: $(cat "$dir/said")"
		wait_for 60 has_worker || fail "no worker: $(vm .channels)"
		last_worker=$worker
		kill -9 "$worker"
		wait_for 60 counted $(($1 + i)) || fail "fault $i is not counted: $(vm .counters)"
		echo >&9
		wait "$client" || [ "$i" = 3 ] || fail "a channel without its worker: $(cat "$dir/said")"
	done
}

# is_quarantined true|false: as the operator and as the tenant see it.
is_quarantined() {
	[ "$(vm .quarantined)" = "$1" ] || return 1
	[ "$(local_agent info --json | jq .quarantined)" = "$1" ]
}

mkfifo "$dir/go"
start 600s
put_vm "$uuid"
wait_for 60 is_quarantined false || fail "a VM that did nothing: $(vm .)"
misbehave 0
grep -q "quarantined: opening a channel" "$dir/said" || fail "the last opens another: $(cat "$dir/said")"
wait_for 60 is_quarantined true || fail "after three faults: $(vm .)"
until=$(vm .quarantine.until)
[[ $(vm .quarantine.reason) == "3 faults, the last: "* ]] || fail "the reason: $(vm .quarantine)"
left=$(($(date -d "$until" +%s) - $(date +%s)))
[[ $left -gt 0 && $left -le 601 ]] || fail "until $until"
expect 69 "quarantine" local_agent nop
expect 69 "quarantine" local_agent bench
expect 0 "quarantine         yes: " local_agent info
[ "$(vm .counters.refused.quarantined)" -gt 0 ] || fail "refused: $(vm .counters.refused)"

# Another mediator goes on with it, and with what was counted.
counters() {
	# A change is answered with what is so now.
	put_vm "$uuid"
	jq -c .counters "$dir/put.json"
}
before=$(counters)
stop_mediator
start 600s
after=$(counters)
[ "$after" = "$before" ] || fail "counters before a restart: $before; after: $after"
wait_for 60 is_quarantined true || fail "after a restart: $(vm .)"
after=$(vm .quarantine.until)
[ $(($(date -d "$after" +%s) - $(date -d "$until" +%s))) -le 1 ] || fail "until $until, then $after"
expect 69 "quarantine" local_agent nop

# The operator releases it, for good.
rest POST "/v1/vms/$uuid/release" >/dev/null || fail "no release"
wait_for 60 is_quarantined false || fail "after the release: $(vm .)"
expect 0 "" local_agent nop
stop_mediator
start 1s
wait_for 60 is_quarantined false || fail "a released VM after a restart: $(vm .)"

# A short one ends by itself.
misbehave 3
wait_for 60 grep -q "has been in quarantine for long enough" "$dir/mediator.log" || fail "it does not end"
wait_for 60 is_quarantined false || fail "after its time: $(vm .)"
expect 0 "" local_agent nop
finish
