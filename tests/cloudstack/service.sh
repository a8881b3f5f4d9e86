#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The service resyncs upon SIGHUP and when the webhook is told of an event that is CloudStack's, new
# and of now; what is replayed, late or forged is refused and wakes nobody. A
# VM that the mediator registers does.
# shellcheck source=tests/cloudstack/lib.bash
. "${top_srcdir:?}/tests/cloudstack/lib.bash"
need openssl
make_site
start_server
start_mediator
put_vm "$uuid" '{"name":"i-2-1-VM"}'
use_webhook
configure "${webhook_lines[@]}" 'interval = 80s'
start_sync
wait_for 60 webhook_listens || fail "it does not listen: $(cat "$dir/sync.log")"
# The timer comes after 72 s at least: what is waited for for 60 s is not its work.
wait_for 60 rounds 1 || fail "no resync at start: $(cat "$dir/sync.log")"
[ "$(vm .weight)" = 70 ] || fail "the weight is $(vm .weight)"

# SIGHUP, as many times as it takes: each is a resync of its own.
kill -HUP "$service"
wait_for 60 rounds 2 || fail "no resync upon SIGHUP: $(cat "$dir/sync.log")"

# A VM that begins is looked at without being told to.
put_vm "$uuid2" '{"name":"i-2-2-VM"}'
begun() { [ "$(vm .weight "$uuid2")" = 5 ]; }
wait_for 60 begun || fail "a new VM woke nobody: $(cat "$dir/sync.log")"

good=$(event now 1)
post 401 "$good" "$(printf %s "$good" | sign wrong)"
post 401 "$good" ''
post 401 "$good" 'AAAA'
post 401 "$good" "$(printf %s "$good" | openssl dgst -sha256 -hmac hush | sed 's/.* //')"
post 401 "$good " "$(printf %s "$good" | sign hush)"
for body in "$(event '-16 minutes' 1)" "$(event '+16 minutes' 1)"; do
	post 410 "$body" "$(printf %s "$body" | sign hush)"
done
for body in '{}' '<html>' '{"eventDateTime":"now"}' '{"eventDateTime":5}'; do
	post 400 "$body" "$(printf %s "$body" | sign hush)"
done
post 413 "$(head -c 70000 /dev/zero | tr '\0' x)" 'AAAA'
post 405 '' 'AAAA' -X DELETE
# None of those woke it: what wakes it is seen by what it does to a value that somebody took back.
before=$(grep -c . "$dir/requests")
rest PUT "/v1/vms/$uuid/cloudstack" '{}' >/dev/null
post 200 "$good" "$(printf %s "$good" | sign hush)"
post 409 "$good" "$(printf %s "$good" | sign hush)"
woken() { [ "$(vm .weight)" = 70 ]; }
wait_for 60 woken || fail "the event woke nobody: $(cat "$dir/sync.log")"
[ "$before" -lt "$(grep -c . "$dir/requests")" ] || fail "no request"

# A failure is told, changes nothing, and does not end it; nor do ended connections.
mode expired
kill -HUP "$service"
failing() { grep -q 'what is in force stays' "$dir/sync.log"; }
wait_for 60 failing || fail "no failure told"
[ "$(vm .weight)" = 70 ] || fail "the failure changed the weight"
mode
count=$(grep -c 'VMs on host' "$dir/sync.log")
kill -HUP "$service"
wait_for 60 rounds $((count + 1)) || fail "it does not come back: $(cat "$dir/sync.log")"
kill -TERM "$service"
wait "$service" || fail "ended with $?"

# An address that is none.
sed -i 's/^webhook-listen = .*/webhook-listen = nonsense/' "$dir/cloudstack.conf"
expect 69 'is not ADDRESS:PORT' "$program" sync --config "$dir/cloudstack.conf"
finish
