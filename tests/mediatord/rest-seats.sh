#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Seats: made for what profiles offer on each GPU, with uuids that stay, used while a domain runs
# that names one, shown by REST and in the file beside the database, over kill -9 too.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v jq >/dev/null || {
	echo "jq is missing"
	exit 77
}
file=$work/state/seats.json

# seats FILTER: what jq makes of the seats.
seats() {
	expect 200 GET /v1/seats
	jq -r "$1" <<<"$body"
}

# same_file: the file says what REST says.
same_file() {
	[ "$(seats '.seats')" = "$(jq .seats "$file")" ] || fail "seats.json: $(cat "$file")"
}

# Without any there is no file.
start_daemon
expect 200 GET /v1/seats
[ "$body" = '{"seats":[]}' ] || fail "$body"
[ ! -e "$file" ] || fail "a file of no seats"

# A profile offers so many on each GPU of its pool.
expect 201 PUT /v1/profiles/silver '{"pool":"A","seats":2,"quotas":{"gpu_memory_bytes":1048576}}'
has '"seats":2'
[ "$(seats '[.seats[] | [.profile, .number, .offered, .present, .vm, .gpu.index,
	.memory_bytes]] | sort | tojson')" = \
	'[["silver",0,true,true,null,0,1048576],["silver",1,true,true,null,0,1048576]]' ] ||
	fail "$body"
same_file
[ "$(stat -c %a "$file")" = 600 ] || fail "anybody may read $file"
[ "$(jq -r .link_dir "$file")" = "$work/run/link" ] || fail "link_dir: $(cat "$file")"
first=$(seats '.seats[] | select(.number == 0).uuid')
second=$(seats '.seats[] | select(.number == 1).uuid')

# Pages.
one=$(seats '.seats[0].uuid')
expect 200 GET '/v1/seats?limit=1'
[ "$(jq -r .next <<<"$body")" = "/v1/seats?after=$one&limit=1" ] || fail "$body"
expect 200 GET "/v1/seats?after=$one&limit=1"
[ "$(jq '.seats | length' <<<"$body")" = 1 ] || fail "$body"
lacks '"next"'
lacks "\"uuid\":\"$one\""
expect 400 GET '/v1/seats?after=1'
problem after

# The domain that names one has it while it runs.
expect 201 PUT "$vm1/domain" "{\"name\":\"i-2-1-VM\",\"profile\":\"silver\",\"seat\":\"${second^^}\"}"
has "\"seat\":\"$second\""
[ "$(seats ".seats[] | select(.uuid == \"$second\").vm | [.name, .uuid] | tojson")" = \
	"[\"i-2-1-VM\",\"$uuid1\"]" ] || fail "$body"
[ "$(seats ".seats[] | select(.uuid == \"$first\").vm")" = null ] || fail "$body"
same_file

# Fewer: the one that is used stays until it is free; more again: the uuids are the old ones.
expect 200 PUT /v1/profiles/silver '{"pool":"A","seats":0}'
[ "$(seats '[.seats[] | [.uuid, .offered]] | tojson')" = "[[\"$second\",false]]" ] || fail "$body"
same_file
stop_daemon KILL
cp "$file" "$work/before"
start_daemon
same_file
cmp -s "$file" "$work/before" || fail "another file after a restart"
expect 204 DELETE "$vm1/domain"
[ "$(seats '.seats | length')" = 0 ] || fail "$body"
same_file
expect 200 PUT /v1/profiles/silver '{"pool":"A","seats":3}'
[ "$(seats '[.seats[] | select(.number < 2).uuid] | sort | tojson')" = \
	"$(jq -cn --arg a "$first" --arg b "$second" '[$a, $b] | sort')" ] || fail "$body"

# A GPU that goes takes its seats along, and brings them back.
expect 204 DELETE "$vm1"
expect 204 DELETE /v1/profiles/silver
stop_daemon TERM
printf 'seats = 2\n' >>"$work/mediatord.conf"
start_daemon
gold=$(seats '[.seats[].uuid] | tojson')
[ "$(seats '[.seats[] | [.profile, .gpu.id]] | unique | tojson')" = \
	'[["gold","software-1"]]' ] || fail "$body"
stop_daemon TERM
sed -i 's/^gpus = 1$/gpus = 7/' "$work/mediatord.conf"
start_daemon
[ "$(seats '[.seats[].gpu.id] | unique | tojson')" = '["software-7"]' ] || fail "$body"
stop_daemon TERM
sed -i 's/^gpus = 7$/gpus = 1/' "$work/mediatord.conf"
start_daemon
[ "$(seats '[.seats[].uuid] | tojson')" = "$gold" ] || fail "other uuids: $body"

# Who may say what.
expect 400 PUT "$vm2" '{"seats":1}'
problem seats
expect 400 PUT "$vm2" "{\"seat\":\"$first\"}"
problem seat
expect 400 PUT "$vm2/domain" '{"seat":"x"}'
problem seat
expect 400 PUT /v1/profiles/bronze "{\"seat\":\"$first\"}"
problem seat
expect 400 PUT /v1/profiles/bronze '{"seats":257}'
problem seats
# A seat that is nobody's is the domain's own affair.
expect 201 PUT "$vm2/domain" "{\"name\":\"b\",\"seat\":\"$uuid1\"}"

# A file that cannot be written holds no change up, and is written later.
rm "$file"
mkdir "$file"
expect 201 PUT /v1/profiles/bronze '{"pool":"A","seats":1}'
[ "$(seats '.seats | length')" = 3 ] || fail "$body"
grep -q 'seats: cannot write' "$work/log" || fail "no warning"
rmdir "$file"
expect 204 DELETE /v1/profiles/bronze
same_file
stop_daemon TERM
