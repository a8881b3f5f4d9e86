#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# data/openapi.yaml tells the truth: every field that the mediator shows, every operation and the
# range of every number is in it.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
start_daemon
document=$top_srcdir/data/openapi.yaml

described() {
	grep -Eq "^ +$1: *({.*)?$" "$document" || fail "openapi.yaml has no $1"
}

# The names in what is shown, problems included.
expect 201 PUT "$vm1" '{"name":"a","link_uid":0}'
shown=$body
expect 400 PUT "$vm1" '{"weight":0}'
shown+=$body
expect 200 GET '/v1/vms?limit=1'
shown+=$body
expect 201 PUT /v1/profiles/seated '{"seats":1}'
for path in /v1/profiles /v1/seats /v1/gpus /v1/pools /v1/version /v1/audit "$vm1/channels" "$vm1/times"; do
	expect 200 GET "$path"
	shown+=$body
done
count=0
for name in $(grep -o '"[a-z_]*":' <<<"$shown" | tr -d '":' | sort -u); do
	described "$name"
	count=$((count + 1))
done
[ $count -gt 40 ] || fail "only $count names seen"

# A number just beyond the range that the document gives is refused, and one beyond 64 bits; its ends
# are taken.
count=0
while read -r name minimum maximum; do
	path=$vm1
	field=$name
	begin="{\"$name\":"
	end="}"
	case $name in
	seats) path=/v1/profiles/seats ;;
	vm_id | weight | link_uid) ;;
	*)
		field=quotas.$name
		begin="{\"quotas\":$begin"
		end="}}"
		;;
	esac
	for value in $minimum $maximum; do
		request PUT "$path" "$begin$value$end"
		[[ $status =~ ^20[01]$ ]] || fail "$name $value: status $status: $body"
	done
	for value in $((minimum - 1)) $((maximum + 1)) 9223372036854775808 1e400; do
		expect 400 PUT "$path" "$begin$value$end"
		problem "$field"
	done
	count=$((count + 1))
done < <(tr -d '{},' <"$document" | awk '
	/^  schemas:/ { schemas = 1 }
	!schemas { next }
	/^ +[a-z_]+:( type: integer.*)?$/ { name = $1 }
	{ for (i = 1; i < NF; i++) {
		if ($i == "minimum:") minimum = $(i + 1)
		if ($i == "maximum:") { sub(/:/, "", name); print name, minimum, $(i + 1) } } }')
[ $count = 13 ] || fail "$count ranges found instead of 13"

# The operations, each under its path: what the document has is served, and nothing else is.
operations=$(awk '/^components:/ { exit }
	/^  \// { sub(/:$/, "", $1); path = $1 }
	/^    (get|put|post|patch|delete):/ { sub(/:$/, "", $1); print toupper($1), path }' \
	"$document")
paths=$(awk '{ print $2 }' <<<"$operations" | sort -u)
[ "$(wc -w <<<"$paths")" -gt 15 ] || fail "only these paths: $paths"
for path in $paths; do
	for method in GET PUT POST PATCH DELETE; do
		real=${path/\{uuid\}/$uuid2}
		# What is followed has no end.
		limit=60
		[ "$method $path" != "GET /v1/events" ] || limit=1
		request $method "${real/\{name\}/some}" - -m $limit
		if grep -Fxq "$method $path" <<<"$operations"; then
			[ "$status" != 405 ] || fail "$method $path is described, but not served"
		else
			[ "$status" = 405 ] || fail "$method $path is served, but not described"
		fi
	done
done
stop_daemon TERM
