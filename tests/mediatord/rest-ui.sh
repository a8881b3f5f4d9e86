#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The dashboard's files are served as they are, and nothing else of the host; no other site's page
# may use REST through a browser.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v jq >/dev/null || {
	echo "jq is missing (Debian: jq)"
	exit 77
}
start_daemon

# header NAME: of the last answer.
header() {
	sed -n "s/^$1: \(.*[^[:space:]]\)[[:space:]]*$/\1/ip" "$work/headers"
}

expect 308 GET /ui
[ "$(header Location)" = /ui/ ] || fail "Location: $(header Location)"
while read -r file wanted; do
	name=${file/index.html/}
	expect 200 GET "/ui/$name"
	cmp "$work/body" "$top_srcdir/data/ui/$file" || fail "/ui/$name is not $file"
	[ "$(header Content-Type)" = "$wanted" ] || fail "type of $file: $(header Content-Type)"
	[[ $(header Content-Security-Policy) == "default-src 'self';"* ]] || fail "no policy with $file"
	[ "$(header X-Content-Type-Options)" = nosniff ] || fail "$file can be sniffed"
	etag=$(header ETag)
	expect 304 GET "/ui/$name" - -H "If-None-Match: $etag"
	[ -z "$body" ] || fail "304 with a body"
	expect 200 GET "/ui/$name" - -H 'If-None-Match: "0000000000000000"'
	expect 200 HEAD "/ui/$name" - --head
	[ "$(header Content-Length)" = "$(stat -c %s "$top_srcdir/data/ui/$file")" ] || fail "HEAD of $file"
done <<'FILES'
index.html text/html; charset=utf-8
style.css text/css; charset=utf-8
app.js text/javascript; charset=utf-8
widgets.js text/javascript; charset=utf-8
icon.svg image/svg+xml
FILES

for path in index.html ... app.js.bak ../v1/vms ../../etc/passwd /etc/passwd app.js/ ./app.js; do
	expect 404 GET "/ui/$path"
	problem
done
for path in . .. %2e%2e ..%2f..%2fetc%2fpasswd app.js%00 'app.js\..'; do
	expect 400 GET "/ui/$path"
	problem name
done
expect 405 POST /ui/ '{}'
expect 400 GET '/ui/?a=1'

# What a browser says of the page that sends a request.
expect 201 PUT "$vm1" '{}' -H 'Origin: http://localhost'
expect 200 POST "$vm1/pause" - -H 'Host: localhost:8080' -H 'Origin: http://localhost:8080'
for origin in http://localhost:81 http://evil.example null '' localhost http://localhost.evil.example; do
	expect 403 POST "$vm1/resume" - -H "Origin${origin:+: }${origin:-;}"
	problem
	has 'Origin is not what Host names'
done
for host in 127.0.0.1 127.0.0.1:8080 '[::1]:8080' LOCALHOST:1; do
	expect 200 GET "$vm1" - -H "Host: $host"
done
for host in evil.example evil.example:8080 localhost.evil.example localhost:80.evil 127.0.0.1.evil '[::1]x' '[::2]'; do
	expect 403 GET "$vm1" - -H "Host: $host"
	problem
	has 'Host must be localhost'
	expect 403 GET /ui/ - -H "Host: $host"
done
expect 200 GET "$vm1"
has '"hold":"paused"'

# What such a page tried fills no table, but the log has it.
expect 200 GET /v1/audit
lacks "$vm1/resume"
grep -q "audit: who=nobody status=403 what=POST $vm1/resume" "$work/log" || fail "not in the log"

# The times: histograms of one length; what the VM has not done is 0.
expect 200 GET "$vm1/times"
jq -e '[.queue, .run, .total] | all(length == 96 and add == 0)' "$work/body" >/dev/null || fail "$body"
jq -e '.start_ns | length == 96 and . == sort and .[0] == 0 and .[1] == 1000' "$work/body" >/dev/null ||
	fail "$body"
expect 404 GET "$vm2/times"
problem
stop_daemon TERM
