#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Registering a VM: operator over offering over domain over profile, sources, ids, names, and detaching.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon

# Without any value a VM has the default profile's.
expect 201 PUT "$vm1"
grep -qi "^location: $vm1" "$work/headers" || fail "no Location header"
has "\"uuid\":\"$uuid1\""
has '"vm_id":1,'
has '"name":""'
has '"profile":"default"'
has '"pool":"A"'
has '"priority":"medium"'
has '"quotas.gpu_memory_bytes":"default"'
has '"attached":false'
has "\"link\":{\"socket\":\"$work/run/link/$uuid1.sock\",\"state\":\"down\",\"pid\":null}"
has '"worker":{"state":"none","pid":null,"jobs":0,"gpu":null}'
has '"usage":{"gpu_memory_bytes":0,"window_bytes":0,"gpu_time_ns":0}'
has '"counters":{"requests":0,"completed":0,"failed":0,"workers_lost":0,"links_refused":0,'
lacks link_uid
[ -S "$work/run/link/$uuid1.sock" ] || fail "no link socket"

# The same again is the same: PUT is idempotent.
request GET "$vm1"
before=$body
expect 200 PUT "$vm1" ''
[ "$body" = "$before" ] || fail "changed: $body"

# The domain's values, and the profile's below them.
expect 200 PUT "$vm1/domain" '{"name":"vm-one","profile":"gold","weight":50,"quotas":{"burst":3}}'
has '"name":"vm-one"'
has '"pool":"B"'
has '"priority":"high"'
has '"queue_depth":9'
has '"burst":3'
has '"profile":"domain"'
has '"quotas.queue_depth":"profile"'
has '"quotas.burst":"domain"'
has '"weight":"domain"'
has '"attached":true'

# The operator's win, field by field, and full replacement takes back what is left out.
expect 200 PUT "$vm1" '{"weight":70,"priority":"low","link_uid":0,"quotas":{"channels":2}}'
has '"weight":70'
has '"priority":"low"'
has '"link_uid":0'
has '"weight":"operator"'
has '"link_uid":"operator"'
has '"quotas.channels":"operator"'
has '"quotas.burst":"domain"'
has '"attached":true'
expect 200 PUT "$vm1" '{"priority":"low"}'
has '"weight":50'
has '"weight":"domain"'
has '"priority":"operator"'
lacks link_uid

# A service offering's go between the two, and the same again is the same.
expect 200 PUT "$vm1/cloudstack" '{"weight":60,"priority":"high","quotas":{"queue_depth":5}}'
has '"weight":60'
has '"weight":"cloudstack"'
has '"priority":"operator"'
has '"queue_depth":5'
has '"quotas.queue_depth":"cloudstack"'
has '"quotas.burst":"domain"'
before=$body
expect 200 PUT "$vm1/cloudstack" '{"quotas":{"queue_depth":5},"priority":"high","weight":60}'
[ "$body" = "$before" ] || fail "changed: $body"
expect 200 GET "$vm1/cloudstack"
[ "$body" = '{"priority":"high","weight":60,"quotas":{"queue_depth":5}}' ] || fail "the offering says $body"
expect 200 PUT "$vm1/domain" '{"name":"vm-one","weight":50,"profile":"gold","quotas":{"burst":3}}'
has '"weight":"cloudstack"'
for field in '"name":"x"' '"vm_id":9' '"link_uid":0'; do
	expect 400 PUT "$vm1/cloudstack" "{$field}"
	problem "$(cut -d'"' -f2 <<<"$field")"
done
expect 422 PUT "$vm1/cloudstack" '{"profile":"lead"}'
problem profile
# What was refused changed nothing, a restart neither; one that says nothing takes all back.
stop_daemon TERM
start_daemon
expect 200 GET "$vm1"
has '"weight":60'
expect 200 PUT "$vm1/cloudstack" ''
has '"weight":50'
has '"weight":"domain"'
expect 200 GET "$vm1/cloudstack"
[ "$body" = '{"quotas":{}}' ] || fail "the offering says $body"
# It registers nobody.
expect 404 GET "$vm2/cloudstack"
expect 404 PUT "$vm2/cloudstack" '{"weight":60}'
expect 404 GET "$vm2"
expect 200 PUT "$vm1/domain" '{"name":"vm-one","profile":"gold","weight":50,"quotas":{"burst":3}}'

# Detached, it keeps all of that.
expect 204 DELETE "$vm1/domain"
[ -z "$body" ] || fail "a body with 204: $body"
expect 204 DELETE "$vm1/domain"
expect 200 GET "$vm1"
has '"attached":false'
has '"name":"vm-one"'
has '"weight":50'
[ -S "$work/run/link/$uuid1.sock" ] || fail "the link socket went with the domain"

# Ids and names belong to one VM.
expect 201 PUT "$vm2" '{}'
has '"vm_id":2,'
expect 409 PUT "$vm2" '{"vm_id":1}'
problem vm_id
expect 409 PUT "$vm2" '{"name":"vm-one"}'
problem name
expect 200 PUT "$vm2" '{"vm_id":40}'
has '"vm_id":40,'
has '"vm_id":"operator"'
# But libvirt, which has a name once, may give that of a domain that it does not run to another.
expect 200 PUT "$vm2/domain" '{"name":"vm-one"}'
has '"name":"vm-one"'
expect 200 GET "$vm1"
has '"name":""'

expect 200 GET /v1/vms
has "$uuid1"
has "$uuid2"
request HEAD /v1/vms - -I
[ "$status" = 200 ] || fail "HEAD: $status"
# A uuid in capitals is the same VM.
expect 200 GET "/v1/vms/$(echo "$uuid1" | tr a-f A-F)"

expect 204 DELETE "$vm1"
[ ! -e "$work/run/link/$uuid1.sock" ] || fail "the link socket is still there"
expect 404 GET "$vm1"
expect 200 GET /v1/vms
lacks "$uuid1"
stop_daemon TERM
