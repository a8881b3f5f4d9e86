#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two operators do not overwrite each other's changes: ETag, If-Match, If-None-Match, merge patches.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon
patch_type='Content-Type: application/merge-patch+json'

# patch STATUS ETAG BODY [PATH]
patch() {
	expect "$1" PATCH "${4-$vm1}" - -H "$patch_type" -H "If-Match: $2" --data-binary "$3"
}
etag() {
	sed -n 's/^[Ee][Tt]ag: \("[^"]*"\).*/\1/p' "$work/headers"
}

expect 201 PUT "$vm1" '{"weight":5,"quotas":{"burst":2,"channels":3}}' -H 'If-None-Match: *'
expect 412 PUT "$vm1" '{"weight":6}' -H 'If-None-Match: *'
problem
expect 200 GET "$vm1"
first=$(etag)
[[ $first =~ ^\"[0-9a-f]{16}\"$ ]] || fail "ETag: $first"

# A patch changes what it names, takes back what is null, and leaves the rest.
patch 200 "$first" '{"weight":7,"quotas":{"burst":null,"queue_depth":4}}'
has '"weight":7'
has '"burst":0'
has '"quotas.burst":"default"'
has '"channels":3'
has '"queue_depth":4'
second=$(etag)
[ "$second" != "$first" ] || fail "the ETag stayed"
expect 200 GET "$vm1"
[ "$(etag)" = "$second" ] || fail "GET has another ETag"

# Who read it before that change is told so, and nothing is changed.
patch 412 "$first" '{"weight":9}'
problem
patch 412 "W/$second" '{"weight":9}'
expect 412 PUT "$vm1" '{"weight":9}' -H "If-Match: $first"
expect 412 DELETE "$vm1" - -H "If-Match: $first"
expect 412 PUT "$vm2" '{}' -H 'If-Match: *'
expect 404 GET "$vm2"
expect 200 GET "$vm1"
has '"weight":7'
expect 428 PATCH "$vm1" - -H "$patch_type" --data-binary '{"weight":9}'
problem
patch 200 "\"0000000000000000\", $second" '{"weight":8}'
patch 200 '*' '{"quotas":null}'
has '"quotas.channels":"default"'
has '"weight":8'

# It survives a restart: so do the operator's forms.
last=$(etag)
stop_daemon KILL
start_daemon
expect 200 GET "$vm1"
[ "$(etag)" = "$last" ] || fail "another ETag after a restart"

# Bad patches.
for bad in '' '[]' '{' 'null'; do
	patch 400 '*' "$bad"
	problem
done
patch 400 '*' '{"weight":1,"weight":1}'
problem weight
patch 400 '*' '{"colour":null}'
problem colour
patch 400 '*' '{"quotas":{"speed":null}}'
problem quotas.speed
patch 400 '*' '{"quotas":5}'
problem quotas
patch 400 '*' '{"quotas":{"burst":{"a":1}}}'
problem quotas.burst
patch 400 '*' '{"weight":0}'
problem weight
patch 422 '*' '{"profile":"lead"}'
problem profile
head -c 60000 /dev/zero | tr '\0' '[' >"$work/file"
patch 400 '*' "@$work/file"
expect 415 PATCH "$vm1" '{"weight":9}' -H 'If-Match: *'
problem
expect 404 PATCH "$vm2" - -H "$patch_type" -H 'If-Match: *' --data-binary '{}'
expect 200 GET "$vm1"
[ "$(etag)" = "$last" ] || fail "a refused patch changed something: $body"
expect 204 DELETE "$vm1" - -H "If-Match: $last"

# A profile's patch is as a VM's; a VM that has it has the change when it is answered.
silver=/v1/profiles/silver
expect 201 PUT "$silver" '{"weight":40,"quotas":{"burst":3,"queue_depth":8}}'
expect 201 PUT "$vm1" '{"profile":"silver","quotas":{"channels":2}}'
expect 200 GET "$silver"
first=$(etag)
patch 200 "$first" '{"weight":20,"quotas":{"burst":null}}' "$silver"
has '"weight":20'
has '"burst":0'
has '"queue_depth":8'
second=$(etag)
[ "$second" != "$first" ] || fail "the profile's ETag stayed"
expect 200 GET "$vm1"
has '"weight":20'
has '"burst":0'
has '"channels":2'
patch 412 "$first" '{"weight":30}' "$silver"
problem
expect 428 PATCH "$silver" - -H "$patch_type" --data-binary '{"weight":30}'
problem
expect 415 PATCH "$silver" '{"weight":30}' -H 'If-Match: *'
patch 404 '*' '{}' /v1/profiles/lead
problem
patch 409 '*' '{"weight":30}' /v1/profiles/gold
problem
patch 400 '*' '{"colour":null}' "$silver"
problem colour
patch 400 '*' '{"vm_id":5}' "$silver"
problem vm_id
patch 422 '*' '{"pool":"Z"}' "$silver"
problem pool
expect 200 PUT "$vm1" '{"profile":"silver","quotas":{"gpu_time_guaranteed_percent":50}}'
patch 409 "$second" '{"weight":30,"quotas":{"gpu_time_max_percent":20}}' "$silver"
has "$uuid1"
stop_daemon KILL
start_daemon
expect 200 GET "$silver"
[ "$(etag)" = "$second" ] || fail "a refused patch changed something: $body"
has '"weight":20'
expect 204 DELETE "$vm1"

# Pages.
for n in 1 2 3 4 5; do
	expect 201 PUT "/v1/vms/0000000$n-0000-4000-8000-000000000000" '{}'
done
seen=
next='/v1/vms?limit=2'
while [ -n "$next" ]; do
	expect 200 GET "$next"
	seen+=" $(grep -o '"uuid":"0000000.' <<<"$body" | tail -c +16 | grep -o '.$' | tr -d '\n')"
	next=$(sed -n 's/.*"next":"\([^"]*\)".*/\1/p' <<<"$body")
done
[ "$(tr -d ' ' <<<"$seen" | wc -c)" -ge 4 ] || fail "pages: $seen"
[ "$(wc -w <<<"$seen")" = 3 ] || fail "pages: $seen"
expect 200 GET '/v1/vms?after=00000005-0000-4000-8000-000000000000'
[ "$body" = '{"vms":[]}' ] || fail "$body"
stop_daemon TERM
