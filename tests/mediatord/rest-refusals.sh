#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What REST refuses, and that each refusal is a problem document that names what is wrong.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon

# Paths and methods.
expect 404 GET /
problem
expect 404 GET /v1/vms/
expect 404 PUT /v1/nothing '{}'
problem
expect 404 GET "/v1/vms/$uuid1/x"
expect 400 GET /v1/vms/no-uuid
problem uuid
expect 400 PUT "/v1/vms/${uuid1}0" '{}'
expect 400 GET /v1/vms/%00
expect 400 GET "/v1/vms/$uuid1%00"
expect 404 GET /healthz%00
expect 404 GET /v1/vms/../../etc/passwd
for method in POST PATCH OPTIONS DELETE; do
	expect 405 $method /v1/vms
	problem
	grep -qi '^allow: GET, HEAD' "$work/headers" || fail "no Allow header"
done
expect 405 GET "$vm1/domain"
grep -qi '^allow: PUT, DELETE' "$work/headers" || fail "no Allow header"

# Queries.
for bad in '?limit=0' '?limit=1001' '?limit=' '?limit' '?limit=1&limit=2' '?limit=99999999999999999999' \
	'?after=1' '?after=%00' '?colour=red' '?limit=-1' "?after=$uuid1&after=$uuid1"; do
	expect 400 GET "/v1/vms$bad"
	problem "$(sed 's/^?//; s/[=&].*//' <<<"$bad")"
done
expect 400 GET "/healthz?x=1"
expect 400 PUT "$vm1?limit=1" '{}'
problem limit

# Unknown VMs.
expect 404 GET "$vm1"
problem
expect 404 DELETE "$vm1"
expect 404 DELETE "$vm1/domain"

# Bodies that are not JSON objects.
for bad in '{' '[]' 'null' '"a"' 'hello' '{"name":"a"' '{"name":"a"}x' \
	'{"name":"a\u0000b"}' "{'name':'a'}" '{"weight":1,}'; do
	expect 400 PUT "$vm1" "$bad"
	problem
done
printf '{"name":"a\xff"}' >"$work/file"
expect 400 PUT "$vm1" "@$work/file"
problem
printf '{"name":"a\0b"}' >"$work/file"
expect 400 PUT "$vm1" "@$work/file"
problem
head -c 60000 /dev/zero | tr '\0' '[' >"$work/file"
expect 400 PUT "$vm1" "@$work/file"
problem
{ for _ in $(seq 8000); do printf '{"a":'; done; } >"$work/file"
expect 400 PUT "$vm1" "@$work/file"
problem

# Fields.
expect 400 PUT "$vm1" '{"colour":"red"}'
problem colour
expect 400 PUT "$vm1" '{"quotas":{"speed":1}}'
problem quotas.speed
expect 400 PUT "$vm1" '{"quotas":{"burst":"1"}}'
problem quotas.burst
expect 400 PUT "$vm1" '{"weight":0}'
problem weight
expect 400 PUT "$vm1" '{"weight":1.5}'
problem weight
# Beyond what any number can be, and what is there twice: named all the same.
for path in "$vm1" "$vm1/domain" "$vm1/cloudstack" /v1/profiles/silver; do
	for number in 9223372036854775808 -9223372036854775809 99999999999999999999999 1e400; do
		expect 400 PUT "$path" "{\"name\":\"\\\"a,b\\\\\",\"weight\":$number}"
		problem weight
		expect 400 PUT "$path" "{\"quotas\":{\"burst\":1,\"channels\":$number}}"
		problem quotas.channels
		expect 400 PUT "$path" "{\"quotas\":{\"burst\":1},\"weight\": $number }"
		problem weight
	done
	expect 400 PUT "$path" '{"weight":1,"weight":1}'
	problem weight
	expect 400 PUT "$path" '{"quotas":{"burst":1,"burst":1}}'
	problem quotas.burst
done
expect 201 PUT "$vm2" '{}'
expect 400 PATCH "$vm2" - -H 'If-Match: *' -H 'Content-Type: application/merge-patch+json' \
	--data-binary '{"weight":1e400}'
problem weight
expect 204 DELETE "$vm2"
expect 400 PUT "$vm1/domain/state" '{"state":"none","drift":["x",{}],"starts":18446744073709551616}'
problem starts
expect 400 PUT "$vm1/domain/state" '{"drift":["x","y",18446744073709551616]}'
problem drift
expect 400 POST /v1/tokens '{"name":"t","role":"read","expires_in_seconds":99999999999999999999}'
problem expires_in_seconds
expect 400 POST /v1/tokens '{"name":"t","role":"read","expires_in_seconds":316224001}'
problem expires_in_seconds
expect 400 POST /v1/tokens '{"name":"t","name":"t"}'
problem name
expect 400 POST /v1/tokens '{"role":"read"}'
problem name
expect 400 PUT "$vm1" '[18446744073709551616]'
problem
expect 400 PUT "$vm1" '{"name":"../../etc/passwd"}'
problem name
expect 400 PUT "$vm1" '{"name":"a\nb"}'
problem name
expect 400 PUT "$vm1/domain" '{"name":""}'
problem name
expect 400 PUT "$vm1" '{"quotas":{"gpu_time_guaranteed_percent":60,"gpu_time_max_percent":50}}'
problem quotas.gpu_time_guaranteed_percent
expect 422 PUT "$vm1" '{"profile":"lead"}'
problem profile
has 'there is no profile \"lead\"'
has 'vgpuctl profile add'
expect 422 PUT "$vm1" '{"pool":"Z"}'
problem pool
has 'there is no pool \"Z\"'
has 'mediatord.conf'
expect 422 PUT /v1/profiles/silver '{"pool":"Z"}'
problem pool

# Size and type.
{ printf '{"name":"a"}'; head -c 65536 /dev/zero | tr '\0' ' '; } >"$work/file"
expect 413 PUT "$vm1" "@$work/file"
problem
expect 413 PUT "$vm1" "@$work/file" -H 'Transfer-Encoding: chunked'
problem
head -c 5000000 /dev/zero | tr '\0' ' ' >"$work/file"
expect 413 PUT "$vm1" "@$work/file"
problem
expect 415 PUT "$vm1" - -H 'Content-Type: text/plain' --data-binary '{}'
problem
expect 415 PUT "$vm1" - -H 'Content-Type: application/jsonp' --data-binary '{}'

# Bodies where none is taken.
expect 400 POST "$vm1/quarantine" '{"seconds":60}'
problem
has 'takes no body'
expect 400 POST /v1/backup '{"path":"/tmp/state.db"}'
expect 400 DELETE "$vm1" '{"force":true}'
expect 400 GET /v1/vms '{"limit":1}'
expect 404 DELETE "$vm1" ''

# Nothing of all this registered a VM, and the mediator serves as before.
expect 200 GET /v1/vms
[ "$body" = '{"vms":[]}' ] || fail "$body"
[ "$type" = application/json ] || fail "content type $type"
expect 200 GET /healthz
[ "$body" = '{"status":"ok"}' ] || fail "$body"
[ -z "$(find "$work/run/link" -name '*.sock')" ] || fail "a link socket was made"

# What is just within the limits is taken.
{ printf '{"name":"a"}'; head -c $((65536 - 12)) /dev/zero | tr '\0' ' '; } >"$work/file"
expect 201 PUT "$vm1" "@$work/file"
expect 200 PUT "$vm1" - -H 'Content-Type: Application/JSON; charset=utf-8' --data-binary '{}'
expect 200 PUT "$vm1" - -H 'Content-Type:' --data-binary '{}'
expect 415 PUT "$vm1" - -H 'Content-Type;' --data-binary '{}'
stop_daemon TERM
