#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Actions on VMs, and what the mediator says of itself.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
# Its own, to be taken away; the keeper is looked for beside it.
ln -s "$(realpath "$top_builddir/vgpu-worker")" "$work/worker"
ln -s "$(realpath "$top_builddir/vgpu-keeper")" "$work/vgpu-keeper"
sed -i "s|^worker = .*|worker = $work/worker|" "$work/mediatord.conf"
start_daemon

for action in pause resume drain reset quarantine release; do
	expect 404 POST "$vm1/$action"
	problem
done
expect 201 PUT "$vm1" '{}'
has '"hold":"none"'
expect 200 POST "$vm1/pause"
has '"hold":"paused"'
expect 200 POST "$vm1/pause"
expect 200 GET "$vm1"
has '"hold":"paused"'
has '"idle":true'

# It lasts over changes, detaching and kill -9.
expect 200 PUT "$vm1" '{"weight":7}'
has '"hold":"paused"'
stop_daemon KILL
start_daemon
expect 200 GET "$vm1"
has '"hold":"paused"'
expect 200 POST "$vm1/drain"
has '"hold":"draining"'
expect 200 POST "$vm1/resume"
has '"hold":"none"'
expect 200 POST "$vm1/reset"

# A quarantine lasts until the release, over kill -9 too; who is not in one is released as well.
expect 200 POST "$vm1/quarantine"
has '"hold":"quarantined"'
has '"quarantined":true'
stop_daemon KILL
start_daemon
expect 200 GET "$vm1"
has '"quarantined":true,"quarantine":{"reason":"by the operator","until":null}'
expect 200 POST "$vm1/release"
has '"hold":"none"'
has '"quarantined":false,"quarantine":null'
expect 200 POST "$vm1/pause"
expect 200 POST "$vm1/release"
has '"hold":"paused"'
expect 200 POST "$vm1/resume"
expect 200 GET "$vm1/channels"
[ "$body" = '{"channels":[]}' ] || fail "$body"
expect 404 GET "$vm2/channels"

# The mediator itself.
expect 200 GET /readyz
[ "$body" = '{"status":"ready"}' ] || fail "$body"
mv "$work/worker" "$work/gone"
expect 503 GET /readyz
has 'requests would fail'
mv "$work/gone" "$work/worker"
expect 200 GET /readyz
expect 200 GET /v1/version
has '"version":"'
expect 200 GET /v1/pools
has '"name":"B","letter":"B","gpus":[1]'
has '"vms":1}'
expect 200 GET /v1/gpus
has '"index":0'
has '"pool":"A"'
expect 200 GET /v1/openapi.yaml
[ "$body" = "$(cat "$top_srcdir/data/openapi.yaml")" ] || fail "another openapi.yaml is served"

# A backup while it runs is a database like the one it is of.
expect 201 POST /v1/backup
path=$(sed -n 's/.*"path":"\([^"]*\)".*/\1/p' <<<"$body")
[ "$(stat -c %a "$path")" = 600 ] || fail "mode of $path"
expect 204 DELETE "$vm1"
stop_daemon TERM
rm -f "$work/state/state.db" "$work/state/state.db-wal" "$work/state/state.db-shm"
cp "$path" "$work/state/state.db"
start_daemon
expect 200 GET "$vm1"
has '"weight":7'
stop_daemon TERM
