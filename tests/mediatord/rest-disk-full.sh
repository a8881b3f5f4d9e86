#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A full disk: the change is answered with 507 and nothing changes; afterwards all works again.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v prlimit >/dev/null || {
	echo "prlimit is missing (Debian: util-linux)"
	exit 77
}
start_daemon
expect 201 PUT "$vm1" '{"weight":1}'
weight=1

# No file may grow any more: the same to SQLite as a disk without room.
size=$(stat -c %s "$work/state/state.db-wal")
prlimit --pid "$daemon_pid" --fsize=$((size + 20000)):
for _ in $(seq 100); do
	request PUT "$vm1" "{\"weight\":$((weight + 1))}"
	[ "$status" = 200 ] || break
	weight=$((weight + 1))
done
[ "$status" = 507 ] || fail "status $status: $body"
problem
expect 200 GET "$vm1"
has "\"weight\":$weight,"
expect 507 PUT "$vm2" '{}'
problem
expect 404 GET "$vm2"
[ ! -e "$work/run/link/$uuid2.sock" ] || fail "a refused VM has a link socket"
expect 507 DELETE "$vm1"
expect 200 GET "$vm1"

prlimit --pid "$daemon_pid" --fsize=unlimited:
expect 201 PUT "$vm2" '{}'
stop_daemon KILL
start_daemon
expect 200 GET "$vm1"
has "\"weight\":$weight,"
expect 200 GET "$vm2"
stop_daemon TERM
