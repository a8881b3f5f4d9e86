#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Operators' profiles: made, changed while VMs have them, kept over kill -9, and removed.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon

# The file's are there, and stay as they are.
expect 200 GET /v1/profiles
has '"name":"gold"'
has '"name":"default"'
has '"origin":"file"'
expect 200 GET /v1/profiles/gold
has '"pool":"B"'
has '"queue_depth":9'
expect 409 PUT /v1/profiles/gold '{"weight":1}'
problem
expect 409 DELETE /v1/profiles/gold
expect 404 GET /v1/profiles/silver
problem
expect 404 DELETE /v1/profiles/silver

# No more than can be shown at once.
curl -fsS --unix-socket "$socket" -X PUT -H 'Content-Type: application/json' -d '{}' -o /dev/null \
	'http://localhost/v1/profiles/many[1-256]' || fail "not so many profiles"
expect 409 PUT /v1/profiles/silver '{}'
has 'remove one first'
expect 200 PUT /v1/profiles/many7 '{"weight":2}'
curl -fsS --unix-socket "$socket" -X DELETE -o /dev/null 'http://localhost/v1/profiles/many[1-256]' ||
	fail "they cannot be removed"

expect 201 PUT /v1/profiles/silver '{"pool":"B","weight":40,"quotas":{"burst":3}}'
grep -qi '^location: /v1/profiles/silver' "$work/headers" || fail "no Location header"
has '"origin":"operator"'
has '"weight":40'
has '"queue_depth":64'
has '"vms":0'
expect 200 PUT /v1/profiles/silver '{"pool":"B","weight":40,"quotas":{"burst":3}}'
expect 412 PUT /v1/profiles/silver '{}' -H 'If-None-Match: *'
expect 412 PUT /v1/profiles/silver '{}' -H 'If-Match: "0000000000000000"'

# A VM has it, and each change of it at once; what the VM says itself stays.
expect 201 PUT "$vm1" '{"profile":"silver","quotas":{"channels":2}}'
has '"weight":40'
has '"weight":"profile"'
expect 200 PUT /v1/profiles/silver '{"pool":"B","weight":20,"quotas":{"channels":7,"burst":4}}'
has '"vms":1'
expect 200 GET "$vm1"
has '"weight":20'
has '"burst":4'
has '"channels":2'

# Where it would contradict what a VM says itself, nothing is changed.
expect 200 PUT "$vm1" '{"profile":"silver","quotas":{"gpu_time_guaranteed_percent":50}}'
expect 409 PUT /v1/profiles/silver '{"pool":"B","weight":30,"quotas":{"gpu_time_max_percent":20}}'
problem
has "$uuid1"
expect 200 GET "$vm1"
has '"weight":20'
expect 200 GET /v1/profiles/silver
has '"weight":20'

# In use it stays.
expect 409 DELETE /v1/profiles/silver
problem

# Bad ones.
expect 400 PUT /v1/profiles/silver '{"name":"x"}'
problem name
expect 400 PUT /v1/profiles/silver '{"profile":"gold"}'
problem profile
expect 400 PUT /v1/profiles/silver '{"vm_id":1}'
problem vm_id
expect 400 PUT /v1/profiles/silver '{"quotas":{"gpu_time_guaranteed_percent":60,"gpu_time_max_percent":50}}'
problem quotas.gpu_time_guaranteed_percent
expect 422 PUT /v1/profiles/silver '{"pool":"Z"}'
problem pool
expect 400 PUT "/v1/profiles/a%20b" '{}'
problem name
expect 400 PUT /v1/profiles/silver '{"weight":0}'
problem weight

# What was answered survives kill -9.
stop_daemon KILL
start_daemon
expect 200 GET /v1/profiles/silver
has '"weight":20'
has '"channels":7'
expect 200 GET "$vm1"
has '"weight":20'
lacks '"problem"'
expect 200 PUT "$vm1" '{}'
expect 204 DELETE /v1/profiles/silver
expect 404 GET /v1/profiles/silver
stop_daemon KILL
start_daemon
expect 404 GET /v1/profiles/silver

# A VM whose profile went with the file gets it back from an operator.
expect 200 PUT "$vm1" '{"profile":"gold"}'
stop_daemon TERM
sed -i '/^\[profile gold\]/,$d' "$work/mediatord.conf"
start_daemon
expect 200 GET "$vm1"
has '"problem":'
expect 201 PUT /v1/profiles/gold '{"weight":3}'
expect 200 GET "$vm1"
lacks '"problem"'
has '"weight":3'
stop_daemon TERM
