#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What was answered survives kill -9 of the mediator, in the middle of changes too.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon

expect 201 PUT "$vm1" '{"priority":"high","quotas":{"burst":11}}'
expect 200 PUT "$vm1/domain" '{"name":"vm-one","weight":33}'
expect 201 PUT "$vm2" '{"name":"vm-two"}'
expect 204 DELETE "$vm2"
request GET "$vm1"
before=$body
stop_daemon KILL
start_daemon
expect 200 GET "$vm1"
# What is seen of libvirt is the one thing that is looked up anew.
before=${before/'"starts":1,'/'"starts":0,'}
[ "$body" = "$before" ] || fail "after kill -9: $body instead of $before"
[ -S "$work/run/link/$uuid1.sock" ] || fail "no link socket after the restart"
expect 404 GET "$vm2"

# Killed while a client changes one VM after the other: all that it was told is there.
for round in 1 2 3; do
	: >"$work/answered"
	(
		n=0
		while n=$((n + 1)); do
			name=r$round-$n
			id=$(printf '%08x-0000-4000-8000-00000000000%d' $n $round)
			curl -s -f -o /dev/null --unix-socket "$socket" -X PUT \
				-H 'Content-Type: application/json' --data "{\"name\":\"$name\"}" \
				"http://localhost/v1/vms/$id" || exit 0
			echo "$id $name" >>"$work/answered"
		done
	) &
	client=$!
	for _ in $(seq 3000); do
		[ "$(wc -l <"$work/answered")" -lt $((round * 10)) ] || break
		sleep 0.02
	done
	stop_daemon KILL
	wait "$client"
	[ -s "$work/answered" ] || fail "round $round: nothing was changed"
	start_daemon
	while read -r id name; do
		expect 200 GET "/v1/vms/$id"
		has "\"name\":\"$name\""
	done <"$work/answered"
done

# The same after a clean end.
request GET "$vm1"
before=$body
stop_daemon TERM
start_daemon
expect 200 GET "$vm1"
[ "$body" = "$before" ] || fail "after SIGTERM: $body"
stop_daemon TERM

# A profile that left the configuration costs its VM, not the others.
start_daemon
expect 200 PUT "$vm1" '{"profile":"gold"}'
expect 201 PUT "$vm2" '{}'
stop_daemon TERM
sed -i '/^\[profile gold\]/,$d' "$work/mediatord.conf"
start_daemon
expect 200 GET "$vm1"
has '"problem":"there is no profile \"gold\"'
expect 200 GET "$vm2"
lacks '"problem"'
expect 200 PUT "$vm1" '{}'
lacks '"problem"'
stop_daemon TERM

# A database that is damaged stops the start with a clear line, and stays as it is.
head -c 8192 /dev/urandom >"$work/state/state.db"
rm -f "$work/state/state.db-wal" "$work/state/state.db-shm"
sum=$(sha256sum <"$work/state/state.db")
if "$top_builddir/mediatord/vgpu-mediatord" --config "$work/mediatord.conf" 2>"$work/error"; then
	fail "it started with a damaged database"
fi
grep -q "state.db.*not a database" "$work/error" || fail "$(cat "$work/error")"
[ "$sum" = "$(sha256sum <"$work/state/state.db")" ] || fail "the damaged database was changed"
