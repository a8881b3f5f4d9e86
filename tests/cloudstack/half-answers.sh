#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lists that are not whole, and a mediator that goes away half way, change nothing that is in force;
# and CloudStack is asked again when it wants to be.
# shellcheck source=tests/cloudstack/lib.bash
. "${top_srcdir:?}/tests/cloudstack/lib.bash"
make_site
start_server
start_mediator
configure 'page-size = 1'
put_vm "$uuid" '{"name":"i-2-1-VM"}'
put_vm "$uuid2" '{"name":"i-2-2-VM"}'
# What no offering says: whoever believes half an answer changes it.
rest PUT "/v1/vms/$uuid/cloudstack" '{"weight":33}' >/dev/null
rest PUT "/v1/vms/$uuid2/cloudstack" '{"weight":44}' >/dev/null
weights() {
	echo "$(vm .weight) $(vm .weight "$uuid2")"
}

# A later page goes wrong, counts other items, or holds some without an id.
while IFS='|' read -r mode status said; do
	# shellcheck disable=SC2086  # words
	mode $mode
	expect "$status" "$said" sync_once
	[ "$(weights)" = '33 44' ] || fail "$mode: weights $(weights)"
done <<'END'
html:2 listVirtualMachines|69|HTML, not JSON
expired:2 listVirtualMachines|69|unable to verify user credentials
half:2 listVirtualMachines|69|not JSON
limited:2 listVirtualMachines|75|HTTP status 429
recount:2 listVirtualMachines|69|a page tells of 3 items where the one before told of 2
html:3 listServiceOfferings|69|HTML, not JSON
recount:2 listServiceOfferings|69|a page tells of 4 items
nameless listServiceOfferings|0|its service offering is not listed; its values stay
nameless listVirtualMachines|0|2 skipped
nameless listHosts|69|no host "kvm1"
END
mode

# Two hosts of one name, and what each of them is told; an item that belongs to no host is nobody's.
change '.hosts[1].name = "kvm1" | .virtualmachines += [{id: .virtualmachines[0].id, state: "Stopped",
	serviceofferingid: .serviceofferings[1].id, instancename: "i-2-9-VM"}] | .ignores_hostid = true'
start_server
configure
expect 69 'CloudStack has several hosts "kvm1"' sync_once
[ "$(weights)" = '33 44' ] || fail "two hosts of one name: weights $(weights)"
put_vm "$uuid3" '{"name":"i-2-3-VM"}'
sed -i 's/^host = .*/host = aaaaaaaa-0000-4000-8000-000000000002/' "$dir/cloudstack.conf"
expect 0 '1 VMs on host' sync_once
[ "$(weights)" = '33 44' ] || fail "another host's VMs: weights $(weights)"
[ "$(vm .weight "$uuid3")" = 70 ] || fail "its own VM: weight $(vm .weight "$uuid3")"

# The mediator is there for the first VM alone: the second one's values stay until it is back.
make_site
start_server
cat >"$dir/proxy.py" <<'END'
import os
import socket
import sys
folder = sys.argv[1]
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(f'{folder}/proxy.sock')
    listener.listen()
    for _ in range(2):  # the first VM's GET and PUT
        client, _ = listener.accept()
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(f'{folder}/control.sock')
            head, _, body = client.recv(1 << 20).partition(b'\r\n\r\n')
            for line in head.split(b'\r\n'):
                if line.lower().startswith(b'content-length:'):
                    while len(body) < int(line.split(b':')[1]):
                        body += client.recv(1 << 20)
            head = b'\r\n'.join(line for line in head.split(b'\r\n')
                                if not line.lower().startswith(b'connection:'))
            server.sendall(head + b'\r\nConnection: close\r\n\r\n' + body)
            while data := server.recv(1 << 20):
                client.sendall(data)
    os.unlink(f'{folder}/proxy.sock')
END
/usr/bin/python3 "$dir/proxy.py" "$dir" 2>"$dir/proxy.log" &
started+=($!)
wait_for 60 listens "$dir/proxy.sock" || fail "no proxy: $(cat "$dir/proxy.log")"
configure
sed -i "s|^control-socket = .*|control-socket = $dir/proxy.sock|" "$dir/cloudstack.conf"
expect 69 'the mediator' sync_once
[ "$(weights)" = '70 44' ] || fail "with half a mediator: weights $(weights): $said $(cat "$dir/proxy.log")"
configure
expect 0 '1 in step, 1 told' sync_once
[ "$(weights)" = '70 5' ] || fail "with a whole mediator: weights $(weights)"

# Seconds that are to be waited for: a tenth more by chance, and no less than is waited for anyway.
configure 'interval = 10s'
mode limited=1000
start_sync
wait_for 60 said 'HTTP status 429.*tried again in 1[01][0-9][0-9] s' ||
	fail "Retry-After: $(cat "$dir/sync.log")"
# Of nonsense and of what is over none is made; nor of more than an hour.
while read -r value least; do
	mode "limited=$value"
	kill -HUP "$service"
	wait_for 60 said "tried again in $least s" || fail "Retry-After $value: $(cat "$dir/sync.log")"
done <<'END'
-5 2[0-2]
Thu,_01_Jan_1970 4[0-4]
999999 3[6-9][0-9][0-9]
x 1[67][0-9]
END
kill -TERM "$service"
wait "$service" || fail "ended with $?"
finish
