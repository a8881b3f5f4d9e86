#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Seats: made for what profiles offer on each GPU, with uuids that stay, used while a domain runs
# that names one and by no other, forgotten when they were away for long, shown by REST and in the
# file beside the database, over kill -9 too.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
for tool in jq python3; do
	command -v "$tool" >/dev/null || {
		echo "$tool is missing"
		exit 77
	}
done
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

# One seat, one VM that runs, of the seat's profile.
expect 409 PUT "$vm2/domain" "{\"name\":\"i-2-2-VM\",\"profile\":\"silver\",\"seat\":\"$second\"}"
problem seat
has "VM $uuid1 runs in seat $second"
expect 422 PUT "$vm2/domain" "{\"name\":\"i-2-2-VM\",\"profile\":\"gold\",\"seat\":\"$first\"}"
problem seat
has 'is one of profile \"silver\", and the domain asks for \"gold\"'
expect 422 PUT "$vm2/domain" "{\"name\":\"i-2-2-VM\",\"seat\":\"$first\"}"
problem seat
expect 404 GET "$vm2"
expect 200 PUT "$vm1/domain" "{\"name\":\"i-2-1-VM\",\"profile\":\"silver\",\"seat\":\"$second\"}"
expect 200 PUT "$vm1" '{"profile":"gold"}'
expect 200 PUT "$vm1/domain" "{\"name\":\"i-2-1-VM\",\"profile\":\"silver\",\"seat\":\"$second\"}"
expect 200 PUT "$vm1" '{}'
expect 204 DELETE "$vm1/domain"
expect 201 PUT "$vm2/domain" "{\"name\":\"i-2-2-VM\",\"profile\":\"silver\",\"seat\":\"$second\"}"
expect 409 PUT "$vm1/domain" "{\"name\":\"i-2-1-VM\",\"profile\":\"silver\",\"seat\":\"$second\"}"
problem seat
expect 204 DELETE "$vm2"
expect 200 PUT "$vm1/domain" "{\"name\":\"i-2-1-VM\",\"profile\":\"silver\",\"seat\":\"$second\"}"

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

# A GPU, or a profile, that is away for 30 days is not expected back: other uuids. One is away since
# it was seen to be, and no day of those before counts.
# away DAYS: so long the seats that are away are it, in the database of a mediator that is down.
away() {
	/usr/bin/python3 - "$work/state/state.db" "$1" <<-'PY'
	import sqlite3, sys, time
	with sqlite3.connect(sys.argv[1]) as db:
	    print(db.execute('UPDATE seat SET away_since = ? WHERE away_since > 0',
	                     (int(time.time() - 86400 * float(sys.argv[2])),)).rowcount)
	PY
}
# rows: how many seats the database has.
rows() {
	/usr/bin/python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM seat").fetchone()[0])' \
		"$work/state/state.db"
}
stop_daemon TERM
sed -i 's/^gpus = 1$/gpus = 7/' "$work/mediatord.conf"
start_daemon
other=$(seats '[.seats[].uuid] | tojson')
stop_daemon TERM
[ "$(away 29.9)" = 5 ] || fail "not silver's 3 and gold's 2 seats are away"
start_daemon
[ "$(rows)" = 7 ] || fail "$(rows) rows after 29.9 days"
stop_daemon TERM
[ "$(away 30.1)" = 5 ] || fail "not 5 seats are away"
start_daemon
[ "$(rows)" = 2 ] || fail "$(rows) rows after 30.1 days"
[ "$(seats '[.seats[].uuid] | tojson')" = "$other" ] || fail "others were forgotten: $body"
stop_daemon TERM
sed -i 's/^gpus = 7$/gpus = 1/' "$work/mediatord.conf"
start_daemon
[ "$(seats '.seats | length')" = 2 ] || fail "$body"
[ "$(seats '[.seats[].uuid] | tojson')" != "$gold" ] || fail "the old uuids came back: $body"
same_file

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
