#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who may: tokens and their roles on TCP, TLS, and what is written down of changes.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v openssl >/dev/null || {
	echo "openssl is missing (Debian: openssl)"
	exit 77
}

# configure LINE...: the configuration with these lines.
cp "$work/mediatord.conf" "$work/plain.conf"
port=$("$top_srcdir/tests/free-port")
configure() {
	{
		head -n 1 "$work/plain.conf"
		printf '%s\n' "$@"
		tail -n +2 "$work/plain.conf"
	} >"$work/mediatord.conf"
}
# refused TEXT LINE...: the mediator does not take this configuration, and says that.
refused() {
	local text=$1
	shift
	configure "$@"
	! "$top_builddir/mediatord/vgpu-mediatord" --config "$work/mediatord.conf" --check \
		>"$work/out" 2>&1 || fail "it takes $*"
	grep -q "$text" "$work/out" || fail "no '$text' in: $(cat "$work/out")"
}
refused 'needs tls-certificate' "listen = 127.0.0.1:$port"
refused 'needs tls-certificate' "listen = 0.0.0.0:$port" 'insecure-loopback = yes'
refused 'needs tls-certificate' "listen = [::]:$port" 'insecure-loopback = yes'
refused 'there must be both' "listen = 127.0.0.1:$port" 'tls-key = /k'
for bad in 127.0.0.1 :80 127.0.0.1: 127.0.0.1:0 127.0.0.1:65536 localhost:80 ::1:80 '[::1]' 127.0.0.1:8x; do
	refused 'is no address and port' "listen = $bad"
done
refused 'neither yes nor no' 'insecure-loopback = maybe'

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key" -out "$work/cert" -days 2 \
	-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
configure "listen = 127.0.0.1:$port" "tls-certificate = $work/cert" "tls-key = $work/key"
start_daemon

# On the control socket, tokens are made; the secret is shown once.
new_token() {
	expect 201 POST /v1/tokens "{\"name\":\"$1\",\"role\":\"$2\"}"
	token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$body")
	[[ $token =~ ^$1\.[0-9a-f]{64}$ ]] || fail "token: $body"
}
new_token looker read
looker=$token
new_token boss operate
boss=$token
new_token hook hook
hook=$token
expect 409 POST /v1/tokens '{"name":"boss","role":"read"}'
problem name
for bad in '{}' '[]' '' '{"name":"a"}' '{"role":"read"}'; do
	expect 400 POST /v1/tokens "$bad"
done
for bad in 'a b' . ..; do
	expect 400 POST /v1/tokens "{\"name\":\"$bad\",\"role\":\"read\"}"
	problem name
done
expect 400 POST /v1/tokens '{"name":"a","role":"king"}'
problem role
expect 400 POST /v1/tokens '{"name":"a","role":"read","expires_in_seconds":0}'
problem expires_in_seconds
expect 400 POST /v1/tokens '{"name":"a","role":"read","colour":1}'
problem colour
expect 200 GET /v1/tokens
has '"name":"boss","role":"operate"'
lacks "${boss#*.}"
! grep -q "${boss#*.}" "$work"/state/* || fail "the secret is in the database"

# remote STATUS TOKEN METHOD PATH [BODY]
remote() {
	local wanted=$1 shown=$2 method=$3 path=$4
	local options=(-s -o "$work/body" -D "$work/headers" -w '%{http_code} %{content_type}'
		--max-time 60 --cacert "$work/cert" -X "$method")
	[ -z "$shown" ] || options+=(-H "Authorization: $shown")
	[ $# -lt 5 ] || options+=(-H 'Content-Type: application/json' --data-binary "$5")
	read -r status type < <(curl "${options[@]}" "https://127.0.0.1:$port$path" || true
		echo) || true
	body=$(cat "$work/body")
	[ "$status" = "$wanted" ] || fail "$*: status $status: $body"
}
remote 200 "" GET /healthz
remote 401 "" GET /v1/vms
problem
grep -qi '^www-authenticate: Bearer' "$work/headers" || fail "no WWW-Authenticate"
remote 401 "" GET /v1/nothing
remote 401 "" PUT "$vm1" '{}'
for bad in Bearer "Bearer " "Bearer x" "Basic $boss" "Bearer boss.${looker#*.}" "Bearer nobody.${boss#*.}" \
	"Bearer ${boss}0" "Bearer ${boss%?}" "Bearer boss.$(printf 'x%.0s' {1..64})" "Bearer .${boss#*.}" \
	"Bearer $(printf 'a%.0s' {1..4000}).${boss#*.}"; do
	remote 401 "$bad" GET /v1/vms
done
remote 200 "Bearer $looker" GET /v1/vms
remote 404 "Bearer $looker" GET /v1/nothing
remote 403 "Bearer $looker" PUT "$vm1" '{}'
problem
remote 403 "Bearer $looker" GET /v1/audit
remote 403 "Bearer $looker" PUT "$vm1/domain" '{}'
remote 201 "Bearer $hook" PUT "$vm1/domain" '{}'
remote 403 "Bearer $hook" PUT "$vm1" '{}'
remote 403 "Bearer $hook" POST "$vm1/pause"
remote 200 "Bearer $boss" PUT "$vm1" '{"weight":3}'
remote 200 "Bearer $boss" POST "$vm1/pause"
remote 403 "Bearer $boss" GET /v1/tokens
remote 403 "Bearer $boss" POST /v1/tokens '{"name":"x","role":"operate"}'
# Who is not known learns nothing else, neither by a body that is too long nor by an Origin.
while read -r wanted token header; do
	code=$(curl -s -o /dev/null -w '%{http_code}' --max-time 60 --cacert "$work/cert" -X PUT \
		-H "Authorization: Bearer $token" -H "$header" "https://127.0.0.1:$port$vm2")
	[ "$code" = "$wanted" ] || fail "$header: $code instead of $wanted"
done <<REQUESTS
401 nobody Content-Length: 70000
403 $looker Content-Length: 70000
413 $boss Content-Length: 70000
403 nobody Origin: https://evil.example
REQUESTS
# TLS of versions that are deprecated is refused.
speaks() {
	openssl s_client -connect "127.0.0.1:$port" "-$1" -cipher ALL:@SECLEVEL=0 </dev/null >/dev/null 2>&1
}
! speaks tls1 || fail "it speaks TLS 1.0"
! speaks tls1_1 || fail "it speaks TLS 1.1"
speaks tls1_2 || fail "it does not speak TLS 1.2"
speaks tls1_3 || fail "it does not speak TLS 1.3"
# Without TLS nothing is answered there.
! curl -s -m 60 -o /dev/null "http://127.0.0.1:$port/healthz" || fail "served without TLS"

# What was changed, by whom, is written down, also what was refused; secrets are not.
expect 200 GET /v1/audit
has "\"who\":\"token=boss\",\"what\":\"PUT $vm1\",\"status\":200"
has "\"who\":\"token=looker\",\"what\":\"PUT $vm1\",\"status\":403"
has "\"who\":\"uid=$(id -u),pid="
has '"what":"POST /v1/tokens","status":201'
lacks "${boss#*.}"
# What was refused to nobody known is in the log alone: it could fill the table.
has "\"who\":\"token=boss\",\"what\":\"PUT $vm2\",\"status\":413"
lacks '"who":"nobody"'
for code in 401 403; do
	grep -q "audit: who=nobody status=$code what=PUT $vm2" "$work/log" || fail "$code is not in the log"
done
grep -q 'audit: who=token=boss status=200 what=PUT' "$work/log" || fail "not in the log"
first=$(sed -n 's/.*"entries":\[{"id":\([0-9]*\),.*/\1/p' <<<"$body")
expect 200 GET "/v1/audit?after=$first&limit=1"
[ "$(grep -o '"id":' <<<"$body" | wc -l)" = 1 ] || fail "$body"
lacks "\"id\":$first,"
# Page by page, as `next` says, they are the same entries, each once.
expect 200 GET /v1/audit
all=$(grep -o '"id":[0-9]*' <<<"$body")
lacks '"next"'
paged=
next='/v1/audit?limit=2'
while [ -n "$next" ]; do
	expect 200 GET "$next"
	paged+=$(grep -o '"id":[0-9]*' <<<"$body")$'\n'
	[ "$(grep -o '"id":' <<<"$body" | wc -l)" -le 2 ] || fail "$body"
	next=$(sed -n 's/.*"next":"\([^"]*\)".*/\1/p' <<<"$body")
done
[ "${paged%$'\n'}" = "$all" ] || fail "pages have $paged instead of $all"
[ "$(wc -l <<<"$all")" -ge 4 ] || fail "too few entries to page: $all"

# All of that survives kill -9; a deleted token does not come back, an expired one is refused.
expect 204 DELETE /v1/tokens/looker
expect 404 DELETE /v1/tokens/looker
remote 401 "Bearer $looker" GET /v1/vms
expect 201 POST /v1/tokens '{"name":"short","role":"read","expires_in_seconds":1}'
short=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$body")
stop_daemon KILL
start_daemon
remote 401 "Bearer $looker" GET /v1/vms
remote 200 "Bearer $boss" GET /v1/vms
expect 200 GET /v1/audit
has "\"who\":\"token=boss\",\"what\":\"PUT $vm1\",\"status\":200"
for _ in $(seq 100); do
	code=$(curl -s -o /dev/null -w '%{http_code}' --cacert "$work/cert" \
		-H "Authorization: Bearer $short" "https://127.0.0.1:$port/v1/vms")
	[ "$code" != 401 ] || break
	sleep 0.05
done
remote 401 "Bearer $short" GET /v1/vms
has expired

# Wrong ones without an end are not looked at without an end: 429, and when to come back. Who has a
# good one does not suffer.
curl -s -o /dev/null -D "$work/heads" --cacert "$work/cert" \
	-H "Authorization: Bearer boss.${looker#*.}" "https://127.0.0.1:$port/v1/vms?[1-500]" ||
	fail "curl"
tr -d '\r' <"$work/heads" | awk '
	/^HTTP/ { status = $2; seen[status]++ }
	status == 429 && tolower($0) == "retry-after: 1" { when++ }
	status == 429 && tolower($0) == "content-type: application/problem+json" { problems++ }
	END { exit !(seen[401] && seen[429] && seen[401] + seen[429] == 500 &&
		when == seen[429] && problems == seen[429]) }' || fail "$(sort "$work/heads" | uniq -c)"
remote 200 "Bearer $boss" GET /v1/vms
stop_daemon TERM

# Without TLS on loopback, where that was asked for.
configure "listen = 127.0.0.1:$port" 'insecure-loopback = yes'
start_daemon
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/v1/vms")" = 401 ] || fail "no 401"
[ "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $boss" \
	"http://127.0.0.1:$port/v1/vms")" = 200 ] || fail "no 200"
stop_daemon TERM
