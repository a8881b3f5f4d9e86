#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Profiles that operators make and change, pools and GPUs.
# shellcheck source=tests/ctl/lib.bash
. "${top_srcdir:?}/tests/ctl/lib.bash"
need jq
start_mediator "[profile silver]
weight = 50"

expect 0 "" "$ctl" profile add gold priority=high gpu-memory=16GiB gpu-time-max=50
expect 75 "" "$ctl" profile add gold weight=1
expect 0 "" "$ctl" profile list
grep -qE '^silver +A +medium +50 +1GiB +256MiB +none +none +0 +file$' <<<"$said" || fail "list: $said"
grep -qE '^gold +A +high +100 +16GiB +256MiB +none +50% +0 +operator$' <<<"$said" || fail "list: $said"

# What is changed is all that changes, and the VMs that have it follow.
put_vm "$uuid" '{"name":"web1","profile":"gold"}'
expect 0 "" "$ctl" profile set gold weight=300 gpu-time-max=
expect 0 "" "$ctl" profile show gold
row weight 300
row gpu-memory 16GiB
row priority high
row gpu-time-max none
row vms 1
[ "$(vm .weight)" = 300 ] || fail "the VM has weight $(vm .weight)"
expect 75 "" "$ctl" profile rm gold
expect 75 "" "$ctl" profile set silver weight=1
expect 64 "there is no 'name'" "$ctl" profile set gold name=x
expect 64 "is no name" "$ctl" profile add ../../vms
expect 1 "" "$ctl" profile show lead
[ "$("$ctl" profile show gold --json | jq .weight)" = 300 ] || fail "--json"
expect 0 "" "$ctl" vm rm web1
expect 64 "there is no 'seats'" "$ctl" vm set web1 seats=1
expect 0 "" "$ctl" seat list
expect 0 "" "$ctl" profile set gold seats=1
expect 0 "" "$ctl" seat list
grep -qE '^[0-9a-f-]{36} +0 +gold +0 +free +-$' <<<"$said" || fail "seats: $said"
expect 0 "" "$ctl" profile rm gold
expect 1 "" "$ctl" profile show gold

expect 0 "" "$ctl" pool list
grep -qE '^A +0 +0 +[0-9.]+[GT]iB +0 +none +0$' <<<"$said" || fail "pools: $said"
expect 0 "" "$ctl" gpu list
grep -qE '^ +0 +software GPU 0 +A +ok +- +0 +[0-9.]+[GT]iB' <<<"$said" || fail "GPUs: $said"
expect 0 "" "$ctl" gpu show 0
row name "software GPU 0"
row pool A
expect 1 "there is no GPU 1" "$ctl" gpu show 1
expect 64 "no number of a GPU" "$ctl" gpu show x
finish
