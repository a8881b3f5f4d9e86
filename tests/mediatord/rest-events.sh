#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Events can be followed, and resumed where a client left off; one that missed some is told so.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon

# follow FILE [CURL-OPTION...]: starts a client that writes what it is sent to a file.
followers=()
follow() {
	local file=$1
	shift
	curl -sN -o "$file" -D "$file.headers" --unix-socket "$socket" "$@" \
		http://localhost/v1/events &
	followers+=($!)
	wait_for "$file" '^:'
}
wait_for() {
	for _ in $(seq 1200); do
		if [ -e "$1" ] && grep -q "$2" "$1"; then return; fi
		sleep 0.05
	done
	fail "no $2 in: $(cat "$1")"
}

follow "$work/a"
grep -qi '^content-type: text/event-stream' "$work/a.headers" || fail "content type"
expect 201 PUT "$vm1" '{}'
wait_for "$work/a" '^event: vm.registered'
wait_for "$work/a" "^data: {\"time\":\"20.*Z\",\"vm\":\"$uuid1\"}"
first=$(sed -n 's/^id: //p' "$work/a" | head -n 1)
expect 200 PUT "$vm1/domain" '{}'
wait_for "$work/a" '^event: vm.attached'
expect 200 POST "$vm1/pause"
wait_for "$work/a" '"text":"paused"'
expect 204 DELETE "$vm1/domain"
expect 201 PUT /v1/profiles/silver '{}'
expect 204 DELETE /v1/profiles/silver
expect 200 POST "$vm1/quarantine"
expect 200 POST "$vm1/release"
wait_for "$work/a" '^event: vm.released'
expect 204 DELETE "$vm1"
wait_for "$work/a" '^event: vm.deleted'
for type in vm.changed vm.detached profile.changed profile.deleted vm.quarantined; do
	grep -q "^event: $type" "$work/a" || fail "no $type: $(cat "$work/a")"
done
# Each of them is a line in the log.
while read -r type; do
	grep -q "info: $type: " "$work/log" || fail "no line of $type in the log"
done < <(sed -n 's/^event: //p' "$work/a" | grep -vx -e vm.quarantined -e vm.released)
grep -q "info: vm.held: VM $uuid1 paused" "$work/log" || fail "no line that it was paused"
for text in "is in quarantine" "is released from quarantine"; do
	grep -q "$text" "$work/log" || fail "no line '$text' in the log"
done
# The ids grow.
sed -n 's/^id: //p' "$work/a" | sort -nu >"$work/sorted"
sed -n 's/^id: //p' "$work/a" | cmp -s - "$work/sorted" || fail "ids: $(cat "$work/a")"

# From where it left off: all that came after, nothing twice, and no loss.
curl -sN -o "$work/b" --unix-socket "$socket" -H "Last-Event-ID: $first" \
	http://localhost/v1/events &
followers+=($!)
wait_for "$work/b" '^event: vm.deleted'
! grep -q "^id: $first\$" "$work/b" || fail "the last one again"
! grep -q '^event: lost' "$work/b" || fail "something lost"
[ "$(grep -c '^id: ' "$work/b")" = $(($(grep -c '^id: ' "$work/a") - 1)) ] || fail "not all came"

# An id that is too old, or was never given: told so, and then all that there is.
for id in 1 999999999999999999; do
	curl -sN -o "$work/c" --unix-socket "$socket" -H "Last-Event-ID: $id" \
		http://localhost/v1/events &
	followers+=($!)
	wait_for "$work/c" '^event: vm.deleted'
	[ "$(head -n 1 "$work/c")" = 'event: lost' ] || fail "not told: $(cat "$work/c")"
	rm "$work/c"
done
for bad in x -1 1x 12345678901234567890123 $'\xff'; do
	expect 400 GET /v1/events - -H "Last-Event-ID;" -H "Last-Event-ID: $bad"
done
expect 400 GET /v1/events - -H 'Last-Event-ID: 1x'
problem Last-Event-ID

# Only so many streams; those that end make room.
for n in $(seq 70); do
	curl -sN -o "$work/s$n" -w '%{http_code}\n' --unix-socket "$socket" \
		http://localhost/v1/events >>"$work/codes" 2>/dev/null &
	followers+=($!)
done
wait_for "$work/codes" 503
expect 200 GET /healthz
kill "${followers[@]}" 2>/dev/null || true
for _ in $(seq 1200); do
	curl -sN -o "$work/d" -w '%{http_code}' --unix-socket "$socket" \
		http://localhost/v1/events >"$work/code" &
	last=$!
	until [ -s "$work/d" ]; do sleep 0.05; done
	! grep -q '^:' "$work/d" || break
	wait "$last"
	rm "$work/d"
	sleep 0.05
done
grep -q '^:' "$work/d" || fail "no room after they ended"

# The daemon's end ends them.
stop_daemon TERM
wait "$last" || true
