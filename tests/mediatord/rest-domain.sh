#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What libvirt has of a VM's domain: shown as it was said, out of date refused, and what ended or is
# gone detached or forgotten.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon
state=$vm1/domain/state
running='{"state":"running","starts":1,"drift":[]}'

expect 404 PUT "$state" '{"state":"running","starts":0,"drift":[]}'
expect 201 PUT "$vm1" '{}'
has '"domain":{"state":"unknown","starts":0,"drift":[]}'

# An operator's VM of which libvirt knows nothing stays.
expect 204 PUT "$state" '{"state":"none","starts":0,"drift":[]}'
expect 200 GET "$vm1"
has '"domain":{"state":"none","starts":0,"drift":[]}'

# Registered by its domain: what was said before does not count any more.
expect 200 PUT "$vm1/domain" '{"name":"one"}'
has '"domain":{"state":"unknown","starts":1,"drift":[]}'
expect 409 PUT "$state" '{"state":"inactive","starts":0,"drift":[]}'
problem
expect 200 GET "$vm1"
has '"attached":true'
etag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' "$work/headers")

drift='[{"what":"priority","detail":"the metadata says \"low\", registered is \"high\""}]'
expect 204 PUT "$state" "{\"state\":\"running\",\"starts\":1,\"drift\":$drift}"
expect 200 GET "$vm1"
has "\"domain\":{\"state\":\"running\",\"starts\":1,\"drift\":$drift}"
# The ETag is that of what is configured.
[ "$(sed -n 's/^ETag: \(.*\)\r$/\1/p' "$work/headers")" = "$etag" ] || fail "another ETag"
expect 200 GET /v1/vms
has '"state":"running"'
expect 200 PUT "$vm1" '{"priority":"low"}'
has "\"domain\":{\"state\":\"running\",\"starts\":1,\"drift\":$drift}"

# What must be there, and nothing else.
drift16=$(printf '{"what":"a","detail":"b"},%.0s' {1..16})
for bad in '' '[]' '{}' 'x' '{"state":"running","starts":1}' \
	'{"state":"running","starts":1,"drift":[],"more":1}'; do
	expect 400 PUT "$state" "$bad"
	problem
done
bad_field() {
	expect 400 PUT "$state" "$2"
	problem "$1"
}
bad_field state '{"state":"unknown","starts":1,"drift":[]}'
bad_field state '{"state":1,"starts":1,"drift":[]}'
bad_field state '{"State":"running","starts":1,"drift":[]}'
bad_field starts '{"state":"running","starts":-1,"drift":[]}'
bad_field starts '{"state":"running","starts":4294967296,"drift":[]}'
bad_field starts '{"state":"running","starts":"1","drift":[]}'
bad_field drift '{"state":"running","starts":1,"drift":{}}'
bad_field drift '{"state":"running","starts":1,"more":[]}'
bad_field drift '{"state":"running","starts":1,"drift":["a"]}'
bad_field drift '{"state":"running","starts":1,"drift":[{"what":"a"}]}'
bad_field drift '{"state":"running","starts":1,"drift":[{"what":"a","detail":"b","c":1}]}'
bad_field drift '{"state":"running","starts":1,"drift":[{"what":"a","detail":""}]}'
bad_field drift '{"state":"running","starts":1,"drift":[{"what":"a","detail":1}]}'
bad_field drift "{\"state\":\"running\",\"starts\":1,\"drift\":[{\"what\":\"a\",\"detail\":\"$(printf 'x%.0s' {1..216})\"}]}"
bad_field drift "{\"state\":\"running\",\"starts\":1,\"drift\":[$drift16{\"what\":\"a\",\"detail\":\"b\"}]}"
expect 204 PUT "$state" "{\"state\":\"running\",\"starts\":1,\"drift\":[${drift16%,}]}"
expect 204 PUT "$state" "$running"

# A domain that does not run is detached; its record stays, also over a restart of the mediator.
expect 204 PUT "$state" '{"state":"inactive","starts":1,"drift":[]}'
expect 200 GET "$vm1"
has '"attached":false'
has '"state":"inactive"'
has '"name":"one"'
stop_daemon TERM
start_daemon
expect 200 GET "$vm1"
has '"attached":false'
has '"domain":{"state":"unknown","starts":0,"drift":[]}'

# One that is gone takes its record with it, attached or not, and what the operator said.
expect 204 PUT "$state" '{"state":"none","starts":0,"drift":[]}'
expect 404 GET "$vm1"
[ ! -e "$work/run/link/$uuid1.sock" ] || fail "the link socket is still there"
expect 201 PUT "$vm1/domain" '{"name":"one"}'
expect 204 PUT "$state" '{"state":"none","starts":1,"drift":[]}'
expect 404 GET "$vm1"
stop_daemon TERM
