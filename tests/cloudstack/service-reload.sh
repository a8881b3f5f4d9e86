#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the service manager is told, and what a reload changes: API, keys and webhook are those of
# the files as they are now; files that are wrong change nothing.
# shellcheck source=tests/cloudstack/lib.bash
. "${top_srcdir:?}/tests/cloudstack/lib.bash"
need openssl
grep -q '^#define HAVE_SYSTEMD 1' "${top_builddir:?}/config.h" || skip "built without libsystemd"

cat >"$dir/manager.py" <<'END'
import socket
import sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.bind(sys.argv[1])
    print('listening', flush=True)
    while True:
        print(s.recv(4096).decode(), flush=True)
END
: >"$dir/states"
/usr/bin/python3 "$dir/manager.py" "$dir/notify" >"$dir/states" &
started+=($!)
# told LINE [TIMES]
told() {
	[ "$(grep -cx "$1" "$dir/states")" -ge "${2-1}" ]
}
wait_for 60 told listening || exit 1

# reload TIMES: so many reloads are over.
reload() {
	kill -HUP "$service"
	wait_for 60 told READY=1 $(($1 + 1)) || fail "not ready again: $(cat "$dir/states" "$dir/sync.log")"
	told RELOADING=1 "$1" || fail "no RELOADING=1: $(cat "$dir/states")"
	told 'MONOTONIC_USEC=[0-9]*' "$1" || fail "no MONOTONIC_USEC: $(cat "$dir/states")"
}

make_site
start_server
start_mediator
put_vm "$uuid" '{"name":"i-2-1-VM"}'
use_webhook
# The timer is too late for what is waited for here.
configure "${webhook_lines[@]}" 'interval = 86400s'
NOTIFY_SOCKET=$dir/notify start_sync
wait_for 60 told READY=1 || fail "not ready: $(cat "$dir/states" "$dir/sync.log")"
reload 1
wait_for 60 rounds 1 || fail "no resync: $(cat "$dir/sync.log")"
wait_for 60 told 'STATUS=In step with CloudStack' || fail "$(cat "$dir/states")"
[ "$(vm .weight)" = 70 ] || fail "the weight is $(vm .weight)"

# The key ends, and its follower is in the file: at another server, to see that it is asked.
change '.keys.reader.secret = "new" | .serviceofferings[0].serviceofferingdetails["vgpu.weight"] = "71"'
start_server
configure "${webhook_lines[@]}" 'interval = 86400s'
reload 2
wait_for 60 said 'unable to verify user credentials' || fail "$(cat "$dir/sync.log")"
wait_for 60 told 'STATUS=Cannot ask CloudStack.*' || fail "$(cat "$dir/states")"
[ "$(vm .weight)" = 70 ] || fail "an ended key changed the weight to $(vm .weight)"
sed -i 's|^secret-key = .*|secret-key = new|' "$dir/key"
reload 3
weight_is_new() { [ "$(vm .weight)" = 71 ]; }
wait_for 60 weight_is_new || fail "the new key is not used: $(cat "$dir/sync.log")"

# What is wrong is told, and what is in force stays: it goes on with that.
count=$(grep -c 'VMs on host' "$dir/sync.log")
chmod 0644 "$dir/key"
reload 4
wait_for 60 said 'mode 0644.*in force stays' || fail "$(cat "$dir/sync.log")"
wait_for 60 rounds $((count + 1)) || fail "no resync after a bad key: $(cat "$dir/sync.log")"
chmod 0600 "$dir/key"
echo 'colour = red' >>"$dir/cloudstack.conf"
reload 5
wait_for 60 said 'unknown key.*in force stays' || fail "$(cat "$dir/sync.log")"
sed -i '/^colour/d' "$dir/cloudstack.conf"

# An event that came stays one that came before, until the webhook's key is another.
good=$(event now 1)
post 200 "$good" "$(printf %s "$good" | sign hush)"
reload 6
post 409 "$good" "$(printf %s "$good" | sign hush)"
echo 'secret-key = other' >"$dir/webhook.key"
reload 7
post 401 "$good" "$(printf %s "$good" | sign hush)"
post 200 "$good" "$(printf %s "$good" | sign other)"
# An address that cannot be had is told; the next reload has one again.
sed -i 's|^webhook-listen = .*|webhook-listen = 192.0.2.1:1|' "$dir/cloudstack.conf"
reload 8
wait_for 60 said 'cannot listen at 192.0.2.1:1' || fail "$(cat "$dir/sync.log")"
sed -i "s|^webhook-listen = .*|${webhook_lines[0]}|" "$dir/cloudstack.conf"
reload 9
good=$(event now 2)
post 200 "$good" "$(printf %s "$good" | sign other)"

kill -TERM "$service"
wait "$service" || fail "ended with $?"
wait_for 60 told STOPPING=1 || fail "no STOPPING=1: $(cat "$dir/states")"
finish
