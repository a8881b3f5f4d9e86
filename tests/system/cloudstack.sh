#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A VM of CloudStack's from the agent's XML to sums in its guest: the seat that discover shows, the
# XML through the agent's hook into libvirt, the priority and memory of its offering by a sync from
# a management server, and who has the seat at each moment, with the mediator down too.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"
cloudstack=$VGPU_SBINDIR/vgpu-cloudstack
[ -x "$cloudstack" ] || skip "vgpu-cloudstack is not built"
name=i-2-34-VM

# As docs/cloudstack.md has it, in folders of the test's own; the agent's original knows one card.
agent=$work/agent
mkdir -p "$agent" "$VGPU_LOCALSTATEDIR/lib/vgpu" "$work/state"
mount --bind "$work/state" "$VGPU_LOCALSTATEDIR/lib/vgpu"
install "$VGPU_PREFIX"/share/vgpu/cloudstack/*.sh "$agent"
cat >"$agent/gpudiscovery.sh.cloudstack" <<'END'
#!/bin/sh
echo '{"gpus":[{"pci_address":"0000:03:00.0","vendor_id":"1002","device_id":"73ff",
	"full_passthrough":{"enabled":1,"used_by_vm":null},"vgpu_instances":[],"vf_instances":[]}]}'
END
chmod +x "$agent/gpudiscovery.sh.cloudstack"

# agent SCRIPT ARGUMENT...: as CloudStack's agent calls it; the output is in $work/agent.out.
agent() {
	local status=0 script=$1
	shift
	env -i PATH=/usr/bin:/bin timeout 120 "$agent/$script" "$@" >"$work/agent.out" 2>&1 </dev/null ||
		status=$?
	[ "$status" = 0 ] || fail "$script: status $status: $(cat "$work/agent.out")"
}

# used_by WANTED: what discover says of the seat, and of the other card.
used_by() {
	local used
	agent gpudiscovery.sh
	used=$(jq -r --arg seat "$seat" '.gpus[].vgpu_instances[] | select(.mdev_uuid == $seat).used_by_vm' \
		"$work/agent.out")
	[ "$used" = "$1" ] || fail "the seat is used by \"$used\", not \"$1\": $(cat "$work/agent.out")"
	[ "$(jq -r '.gpus[0].pci_address' "$work/agent.out")" = 0000:03:00.0 ] ||
		fail "the original's card is gone: $(cat "$work/agent.out")"
}

# The agent's form of a domain: the order, both <devices> and <cpu>, and the metadata.
domain() {
	cat <<END
<domain type='qemu'>
<name>$name</name>
<uuid>$guest_uuid</uuid>
<description>Debian GNU/Linux 12 (64-bit)</description>
<metadata>
<cloudstack:instance xmlns:cloudstack="http://cloudstack.apache.org/instance"><service_offering><name>gpu.gold</name><host_tags/></service_offering><owner>admin</owner></cloudstack:instance>
</metadata>
<devices>
<memballoon model='virtio'>
<stats period='60'/>
</memballoon>
</devices>
<memory>524288</memory>
<cpu><numa>
<cell id='0' cpus='0' memory='524288' unit='KiB'/>
</numa>
</cpu><vcpu current='1'>1</vcpu>
<os>
<type  arch='x86_64' machine='pc'>hvm</type>
<kernel>$work/image/vmlinuz</kernel>
<initrd>$work/image/initrd</initrd>
<cmdline>console=ttyS0 quiet panic=-1 no_timer_check</cmdline>
</os>
<features><acpi/></features>
<cpu></cpu><on_reboot>restart</on_reboot>
<on_poweroff>destroy</on_poweroff>
<on_crash>destroy</on_crash>
<devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
<serial type='file'><source path='$work/console/$name'/></serial>
<channel type='unix'><source mode='bind'/><target type='virtio' name='org.vgpu.guest'/></channel>
<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='off'><source><address uuid='$seat'/></source></hostdev>
</devices>
</domain>
END
}

# A management server whose VM has an offering, and what a sync asks it with.
serve() {
	jq -n --arg uuid "$guest_uuid" --arg name "$name" '
	{keys: {reader: {secret: "secret", role: "reader"}},
	 hosts: [{id: "h", name: "kvm1", type: "Routing"}],
	 serviceofferings: [{id: "o", name: "gpu.gold", state: "Active",
		serviceofferingdetails: {"vgpu.priority": "low", "vgpu.memory": "96MiB"}}],
	 virtualmachines: [{id: $uuid, instancename: $name, hostid: "h", state: "Running",
		serviceofferingid: "o", details: {"vgpu.priority": "medium"}}]}' >"$work/site.in.json"
	/usr/bin/python3 "$top_srcdir/tests/cloudstack/management_server.py" "$work/site.in.json" \
		"$work" >"$work/server.log" 2>&1 &
	wait_until 60 "the management server listens" test -s "$work/port"
	printf 'api-key = reader\nsecret-key = secret\n' >"$work/key"
	chmod 0600 "$work/key"
	printf '%s\n' "api-url = http://127.0.0.1:$(cat "$work/port")/client/api" \
		"key-file = $work/key" "host = kvm1" "control-socket = $control" \
		>"$work/cloudstack.conf"
}

write_config
printf 'seats = 2\n' >>"$work/mediatord.conf"
start_mediator
install_hook
start_libvirt
serve
agent gpudiscovery.sh
seat=$(jq -r '[.gpus[].vgpu_instances[] | select(.profile_name == "vgpu-gold").mdev_uuid][0]' \
	"$work/agent.out")
used_by null

# Without the hook the seat names no device that exists.
domain >"$work/plain.xml"
expect 1 virsh_ create "$work/plain.xml"
agent libvirt-vm-xml-transformer.sh transform "$(cat "$work/plain.xml")"
cp "$work/agent.out" "$work/$name.xml"
virsh_ create "$work/$name.xml"
agent libvirt-vm-state-change.sh onStart "$name"
used_by "$name"
vm_is ".attached and .name == \"$name\" and .profile == \"gold\" and .seat == \"$seat\" and
	.priority == \"high\"" || fail "not registered as its seat says: $(vm .)"
timeout 120 "$cloudstack" sync --config "$work/cloudstack.conf" --once
wait_guest "$name"
vm_is '.priority == "low" and .sources.priority == "cloudstack" and
	.quotas.gpu_memory_bytes == 100663296' || fail "not as its offering says: $(vm .)"
[ "$(in_guest_of "$name" 60 "vgpu-agent info --json" | jq -r .priority)" = low ] ||
	fail "the guest does not see its offering's priority"

# adds: the guest's sums are right.
adds() {
	make_vectors 1000
	"$scripts/guest-ctl" --timeout 60 "$(guest_port "$name")" put "$work/a" /tmp/a
	"$scripts/guest-ctl" --timeout 60 "$(guest_port "$name")" put "$work/b" /tmp/b
	in_guest_of "$name" 60 "vgpu-agent add /tmp/a /tmp/b -o /tmp/sum" || fail "no sum"
	"$scripts/guest-ctl" --timeout 60 "$(guest_port "$name")" get /tmp/sum "$work/got"
	same_numbers "$work/got" "$work/sum" || fail "/tmp/sum is wrong"
}
adds
[ "$(vm .counters.completed)" -gt 0 ] || fail "no request was counted"

# The mediator is down: the same document, and libvirt says who has the seat.
stop_mediator
used_by "$name"
agent libvirt-vm-xml-transformer.sh transform "$(cat "$work/plain.xml")"
cmp "$work/agent.out" "$work/$name.xml" || fail "another document without the mediator"
start_mediator
wait_until 60 "the link is up again" vm_is '.link.state == "up"'
used_by "$name"

# Its end, which the hook tells; and one that no mediator hears of.
virsh_ destroy "$name"
used_by null
rest GET /v1/seats | jq -e 'all(.seats[]; .vm == null)' >/dev/null ||
	fail "the mediator still has somebody in the seat"
virsh_ create "$work/$name.xml"
used_by "$name"
stop_mediator
virsh_ destroy "$name"
used_by null
