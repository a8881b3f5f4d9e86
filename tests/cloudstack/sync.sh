#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What offerings say reaches the mediator's VMs of this host, and nothing that tenants wrote does;
# what CloudStack does not answer properly changes nothing.
# shellcheck source=tests/cloudstack/lib.bash
. "${top_srcdir:?}/tests/cloudstack/lib.bash"
make_site
start_server
start_mediator
configure
put_vm "$uuid" '{"name":"i-2-1-VM"}'
put_vm "$uuid2" '{"name":"i-2-2-VM"}'

values() {
	vm '[.priority, .sources.priority, .weight, .sources.weight, .quotas.gpu_memory_bytes,
		.quotas.longest_job_ms, .sources["quotas.burst"]] | @csv' "$@"
}
is() {
	[ "$(values "${2-$uuid}")" = "$1" ] || fail "${2-$uuid} has $(values "${2-$uuid}"), not $1"
}
before=$(values)

# A dry run sends nothing.
expect 0 "$uuid i-2-1-VM {\"priority\":\"low\",\"quotas\":{\"gpu_memory_bytes\":2147483648,\"longest_job_ms\":3000},\"weight\":70}" \
	sync_once --dry-run
is "$before"
expect 0 '2 VMs on host kvm1: 0 in step, 2 told, 0 not registered' sync_once
is '"low","cloudstack",70,"cloudstack",2147483648,3000,"default"'
is '"medium","default",5,"cloudstack",1073741824,10000,"default"' "$uuid2"
offered=$(values)
# Something else is in force: whoever believed a bad answer would change it.
rest PUT "/v1/vms/$uuid/cloudstack" '{"weight":33}' >/dev/null
now=$(values)
[ "$now" != "$offered" ] || fail "the weight is still that of the offering"
tag() { rest GET "/v1/vms/$uuid" | jq -c .sources; }
sources=$(tag)

# Whatever goes wrong changes nothing that is in force, also where the offering would have changed.
for case in 'html:HTML, not JSON' 'half:not JSON' 'short:items came where' 'many:too many items' \
	'limited:HTTP status 429' 'unavailable:HTTP status 503' 'huge:more than' 'number:none of' \
	'expired:unable to verify user credentials'; do
	mode "${case%%:*}"
	status=69
	[[ $case != limited* && $case != unavailable* ]] || status=75
	expect $status "${case#*:}" sync_once
	is "$now"
	[ "$(tag)" = "$sources" ] || fail "${case%%:*}: changed $(tag)"
done
# The last answers are as bad as the first: nothing was told by then.
for command in listVirtualMachines listServiceOfferings; do
	for case in 'html:HTML, not JSON' 'half:not JSON' 'short:items came where' \
		'expired:unable to verify user credentials'; do
		mode "${case%%:*}" "$command"
		expect 69 "${case#*:}" sync_once
		is "$now"
		[ "$(tag)" = "$sources" ] || fail "$command ${case%%:*}: changed $(tag)"
	done
done
mode silent
configure 'timeout = 500ms'
sed -i '/^timeout = 60000ms/d' "$dir/cloudstack.conf"
expect 69 'did not answer within 500 ms' sync_once
is "$now"
mode
configure
sed -i 's/^secret-key = .*/secret-key = wrong/' "$dir/key"
expect 69 'unable to verify user credentials' sync_once
configure
sed -i 's/^host = .*/host = kvm/' "$dir/cloudstack.conf"
expect 69 'no host "kvm"' sync_once
sed -i 's/^host = .*/host = '"$host1"'/' "$dir/cloudstack.conf"
expect 0 '2 VMs on host' sync_once
is "$offered"

# Small pages are as good as large ones, and the key's own parameters are signed with each.
configure 'page-size = 1'
expect 0 '2 VMs on host kvm1: 2 in step, 0 told' sync_once

# The operator's word goes before; an offering without details takes back what it said; one that
# makes no sense leaves what is there; who answers with other hosts' VMs is not believed.
put_vm "$uuid" '{"name":"i-2-1-VM","weight":1}'
change --arg plain "$plain" '.ignores_hostid = true | .virtualmachines[1].serviceofferingid = $plain
	| .serviceofferings[0].serviceofferingdetails["vgpu.colour"] = "red"'
start_server
configure
put_vm "$uuid3" '{"name":"i-2-3-VM"}'
expect 0 'gpu.gold: unknown key "vgpu.colour"; its values stay' sync_once
is '"low","cloudstack",1,"operator",2147483648,3000,"default"'
is '"medium","default",100,"default",1073741824,10000,"default"' "$uuid2"
is '"medium","default",100,"default",1073741824,10000,"default"' "$uuid3"
change '.serviceofferings[0].serviceofferingdetails = {"vgpu.priority": "urgent"}'
start_server
configure
expect 0 'the mediator refuses what its service offering says: priority must be' sync_once
is '"low","cloudstack",1,"operator",2147483648,3000,"default"'
change '.serviceofferings = [.serviceofferings[1]]'
start_server
configure
expect 0 'its service offering is not listed; its values stay' sync_once
is '"low","cloudstack",1,"operator",2147483648,3000,"default"'

# Without a mediator.
make_site
start_server
configure
stop_mediator
expect 69 'cannot reach the mediator' sync_once
finish
