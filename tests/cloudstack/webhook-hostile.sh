#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who holds the webhook's connections open keeps no event of another address out; however many events
# come, they cost CloudStack nothing before their time; what is no HTTP ends no service.
# shellcheck source=tests/cloudstack/lib.bash
. "${top_srcdir:?}/tests/cloudstack/lib.bash"
need openssl
make_site
start_server
start_mediator
put_vm "$uuid" '{"name":"i-2-1-VM"}'
use_webhook
# The timer and events are due after the test.
configure "${webhook_lines[@]}" 'interval = 86400s'
start_sync
wait_for 60 webhook_listens || fail "it does not listen: $(cat "$dir/sync.log")"
kill -HUP "$service"
wait_for 60 rounds 1 || fail "no resync: $(cat "$dir/sync.log")"
requests=$(grep -c . "$dir/requests")

# Half a request on each of as many connections as there may be, a byte now and then, and again where
# they are closed; and then what is no HTTP at all.
cat >"$dir/slow.py" <<'END'
import os
import socket
import sys
import time


def opened():
    s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    s.sendall(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\nX-CS-Signature: ')
    return s


held = []
while True:
    for s in list(held):
        try:
            s.sendall(b'A')
        except OSError:
            held.remove(s)
    while len(held) < 40:
        held.append(opened())
    with open(f'{sys.argv[2]}.tmp', 'w', encoding='utf-8') as file:
        print(len(held), file=file)
    os.rename(f'{sys.argv[2]}.tmp', sys.argv[2])
    time.sleep(0.2)
END
/usr/bin/python3 "$dir/slow.py" "$hook" "$dir/held" 2>"$dir/slow.log" &
slow=$!
started+=("$slow")
wait_for 60 test -s "$dir/held" || fail "no connections: $(cat "$dir/slow.log")"
for n in $(seq 20); do
	body=$(event now "$n")
	post 200 "$body" "$(printf %s "$body" | sign hush)" --interface 127.0.0.2
done
kill -0 "$slow" || fail "nobody held connections: $(cat "$dir/slow.log")"
kill "$slow"
wait "$slow" || true

/usr/bin/python3 - "$hook" <<'END'
import os
import socket
import sys
for data in (b'', b'\0' * 5000, os.urandom(5000), b'POST / HTTP/1.1\r\n' + b'X: ' + b'y' * 200000,
             b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
             b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
             b'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n',
             b'GET / HTTP/1.1\r\nHost: x\r\n\r\n' * 50):
    with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass
END
body=$(event now 21)
post 200 "$body" "$(printf %s "$body" | sign hush)" --interface 127.0.0.2

# One resync more, which is SIGHUP's.
kill -HUP "$service"
wait_for 60 rounds 2 || fail "it does not go on: $(cat "$dir/sync.log")"
[ "$(grep -c . "$dir/requests")" = $((requests + 3)) ] ||
	fail "$requests requests became $(grep -c . "$dir/requests"): $(cat "$dir/sync.log")"
kill -TERM "$service"
wait "$service" || fail "ended with $?"
finish
