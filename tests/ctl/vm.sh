#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# VMs, from their registration to their end, by each of their names; a conflict, and --force.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq
start_mediator "[profile gold]
gpu-memory = 8GiB"

expect 0 "" "$ctl" vm list
expect 0 "" "$ctl" vm add "$uuid" name=web1 profile=gold weight=200 longest-job=5s
expect 75 "" "$ctl" vm add "$uuid" weight=1
expect 0 "" "$ctl" vm add "${other^^}" name=7 vm-id=9
expect 64 "'web1' is no uuid" "$ctl" vm add web1
expect 1 "profile: there is no profile \"lead\"" "$ctl" vm add 33333333-3333-4333-8333-333333333333 profile=lead
expect 1 "name" "$ctl" vm add 33333333-3333-4333-8333-333333333333 name=a/b

expect 0 "" "$ctl" vm list
grep -qE '^web1 +1 +down +A +gold +medium +200 +0 +8GiB +0$' <<<"$said" || fail "list: $said"
for name in "$uuid" "${uuid^^}" 1 web1; do
	expect 0 "" "$ctl" vm show "$name"
	row uuid "$uuid"
	row weight 200 operator
	row gpu-memory 8GiB profile
	row longest-job 5s operator
	row requests-per-second none profile
	row hold none
done
expect 0 "" "$ctl" vm show 7
row vm-id 9 operator
expect 0 "" "$ctl" vm set 9 name=web1x vm-id=7
expect 0 "" "$ctl" vm set "$uuid" name=7
expect 1 "say the uuid" "$ctl" vm show 7
expect 0 "" "$ctl" vm set "$uuid" name=web1
expect 1 "there is no VM 'none'" "$ctl" vm show none
expect 1 "no VM 44444444-4444-4444-8444-444444444444 is registered" "$ctl" vm show 44444444-4444-4444-8444-444444444444

# One hand takes its value back, and the profile's shows.
expect 0 "" "$ctl" vm set web1 weight=50 gpu-memory=4GiB gpu-time-max=20%
expect 0 "" "$ctl" vm show web1
row weight 50 operator
row gpu-memory 4GiB operator
row gpu-time-max 20% operator
expect 0 "" "$ctl" vm set web1 gpu-memory= gpu-time-max=
expect 0 "" "$ctl" vm show web1
row gpu-memory 8GiB profile
row gpu-time-max none profile
expect 1 "weight: " "$ctl" vm set web1 weight=0
expect 64 "vm set: weight: 'much' is no whole number" "$ctl" vm set web1 weight=much
expect 64 "an argument is missing" "$ctl" vm set web1

for pair in pause:paused resume:none drain:draining resume:none; do
	expect 0 "" "$ctl" vm "${pair%:*}" web1
	[ "$(vm .hold)" = "${pair#*:}" ] || fail "$pair: $(vm .hold)"
done
expect 0 "" "$ctl" vm pause web1
expect 0 "web1  " "$ctl" vm list
shows paused
expect 0 "" "$ctl" vm resume web1
expect 0 "" "$ctl" vm reset web1
expect 0 "" "$ctl" vm quarantine web1
expect 0 "" "$ctl" vm show web1
row state quarantined
row quarantine "by the operator"
row "quarantine until" -
expect 0 "" "$ctl" vm release web1
expect 0 "" "$ctl" vm show web1
row state down

# Where libvirt's domain is not what is registered.
rest PUT "/v1/vms/$uuid/domain/state" '{"state":"inactive","starts":0,"drift":[
	{"what":"device","detail":"none"},{"what":"quotas.burst","detail":"the metadata says 5"}]}'
expect 0 "" "$ctl" vm show web1
row domain inactive
row "drift: device" none
row "drift: quotas.burst" "the metadata says 5"

# JSON is the API's.
[ "$("$ctl" --json vm show web1 | jq -c .)" = "$(rest GET "/v1/vms/$uuid" | jq -c .)" ] ||
	fail "--json shows another VM than the API"
[ "$("$ctl" vm list --json | jq '.vms | length')" = 2 ] || fail "--json list"
[ "$("$ctl" vm set web1 weight=51 -j | jq .weight)" = 51 ] || fail "--json set"
expect 1 '"exit_status": 1' "$ctl" --json vm set web1 weight=0
[ "$(jq -r .error.problem.field <<<"$said")" = weight ] || fail "no field in $said"

expect 0 "" "$ctl" vm rm web1
expect 1 "there is no VM" "$ctl" vm rm web1
stop_mediator
expect 69 "cannot reach the mediator" "$ctl" vm list

# Somebody else is quicker: the ETag is of another VM than the one that is there then.
start_fake
http "{\"uuid\":\"$uuid\"}" "200 OK" 'ETag: "1"' >"$dir/answers/1"
http '{"detail":"changed"}' "412 Precondition Failed" >"$dir/answers/2"
expect 75 "somebody else changed it" "$ctl" vm set "$uuid" weight=1
stop_fake
start_fake
http "{\"uuid\":\"$uuid\"}" "200 OK" 'ETag: "1"' >"$dir/answers/any"
http '{"detail":"changed"}' "412 Precondition Failed" >"$dir/answers/2"
http '{"detail":"changed"}' "412 Precondition Failed" >"$dir/answers/4"
expect 0 "" "$ctl" vm set "$uuid" weight=1 --force
[ "$(grep -c PATCH "$dir/requests")" = 3 ] || fail "--force: $(cat "$dir/requests")"
stop_fake
finish
