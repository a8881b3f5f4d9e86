#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CloudStack's agent asks for the GPUs: the original's answer with the seats under their cards,
# whatever fails of the original, libvirt and the mediator.
# shellcheck source=tests/cloudstack/agent.bash
. "${top_srcdir:?run by make check}/tests/cloudstack/agent.bash"

foreign=bbbbbbbb-0000-4000-8000-000000000001
cat >"$work/domains.xml" <<XML
<node>
  <domain type='test'>
    <name>i-2-34-VM</name>
    <metadata><vgpu:vgpu xmlns:vgpu='urn:vgpu-toolkit:domain:1' profile='gold' seat='$gold2'/></metadata>
    <memory>1024</memory><os><type>hvm</type></os>
  </domain>
  <domain type='test'><name>i-2-35-VM</name><memory>1024</memory><os><type>hvm</type></os>
    <devices>
      <hostdev mode='subsystem' type='pci'><source>
        <address domain='0' bus='0x03' slot='0' function='0'/></source></hostdev>
      <hostdev mode='subsystem' type='pci'><source>
        <address domain='0x0000' bus='0x03' slot='0x01' function='0x2'/></source></hostdev>
      <hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>
        <address uuid='$foreign'/></source></hostdev>
    </devices>
  </domain>
</node>
XML
libvirt=test://$work/domains.xml

card='{"pci_address":"0000:41:00.0","vendor_id":"10de","device_id":"2330","device":"H100",
	"full_passthrough":{"enabled":1,"libvirt_address":{"bus":"0x41"},"used_by_vm":null},
	"vgpu_instances":[],"vf_instances":[]}'
other='{"pci_address":"0000:03:00.0","vendor_id":"1002","full_passthrough":{"enabled":1,
	"used_by_vm":"i-2-7-VM"},"vgpu_instances":[{"mdev_uuid":"x"}],"vf_instances":[]}'

# What the kernel says of the card that has seats.
sysfs=$work/sysfs
mkdir -p "$sysfs/0000:41:00.0" "$work/iommu/17" "$work/drivers/nvidia"
echo 0x10de >"$sysfs/0000:41:00.0/vendor"
echo 0x2330 >"$sysfs/0000:41:00.0/device"
echo 0x030200 >"$sysfs/0000:41:00.0/class"
ln -s "$work/iommu/17" "$sysfs/0000:41:00.0/iommu_group"
ln -s "$work/drivers/nvidia" "$sysfs/0000:41:00.0/driver"

# original TEXT: what CloudStack's own script does.
original() {
	printf '#!/bin/sh\n%s\n' "$1" >"$work/gpudiscovery.sh"
	chmod +x "$work/gpudiscovery.sh"
}

# discover [LIBVIRT]: its answer must be one JSON object in CloudStack's form.
discover() {
	agent "$program" discover --seats "$work/seats.json" --original "$work/gpudiscovery.sh" \
		--libvirt "${1-$libvirt}" --last "$work/last.json" --sysfs "$sysfs"
	[ "$status" = 0 ] || failed "status $status: $(cat "$work/out")"
	jq -es 'length == 1 and (.[0].gpus | all((.full_passthrough.enabled | type) == "number" and
		(.vgpu_instances | type) == "array" and (.vf_instances | type) == "array"))' \
		"$work/out" >/dev/null || failed "not CloudStack's form: $(cat "$work/out")"
}

# is FILTER WANTED
is() {
	local said
	said=$(jq -c "$1" "$work/out") || true
	[ "$said" = "$2" ] || failed "$1 is $said, not $2"
}

# as_before WHAT: the original fails, and what it said last stands for it.
as_before() {
	discover
	is '[.gpus[] | [.pci_address, .device_id, (.vgpu_instances | length)]]' "$before"
	[ "$failures" = 0 ] || failed "in: $1"
}

# Before the original ever gave an answer, the card is as the kernel describes it.
original 'exit 3'
discover
is '[.gpus[] | [.pci_address, .vendor_id, .device_id, .driver, .pci_class, .iommu_group,
	(.vgpu_instances | length)]]' '[["0000:41:00.0","10de","2330","nvidia","0302","17",2]]'
# One that the kernel does not know is gone, and nothing is made up for it.
sysfs=$work/nothing
discover
is '.gpus' '[]'
sysfs=$work/sysfs

original "echo noise >&2; cat <<'JSON'
{\"gpus\":[$other,$card]}
JSON"
discover
is '.gpus | length' 2
is '.gpus[0]' "$(jq -c . <<<"$other")"
is '.gpus[1].full_passthrough' '{"enabled":0,"libvirt_address":{"bus":"0x41"},"used_by_vm":null}'
is '.gpus[1].device_id' '"2330"'
is '.gpus[1].vgpu_instances[1]' "{\"mdev_uuid\":\"$gold2\",\"profile_name\":\"vgpu-gold\",\"max_instances\":2,\"video_ram\":8192,\"max_heads\":null,\"max_resolution_x\":null,\"max_resolution_y\":null,\"libvirt_address\":{\"domain\":\"0x0000\",\"bus\":\"0x41\",\"slot\":\"0x00\",\"function\":\"0x0\"},\"used_by_vm\":\"i-2-34-VM\"}"
# libvirt's word is above the mediator's last one; a seat whose GPU is away is left out.
is '[.gpus[1].vgpu_instances[] | [.mdev_uuid, .used_by_vm]]' \
	"[[\"$gold\",null],[\"$gold2\",\"i-2-34-VM\"]]"

# Without libvirt the mediator's word holds.
discover "qemu:///system?socket=$work/nobody"
is '[.gpus[1].vgpu_instances[].used_by_vm]' '["i-2-9-VM",null]'

# The original's failures: its last answer stands, with who has what by now.
cards="$other,$card,{\"pci_address\":\"0000:03:01.0\",\"device_id\":\"1\",\"full_passthrough\":{\"enabled\":0,
	\"used_by_vm\":\"i-2-8-VM\"},\"vgpu_instances\":[{\"mdev_uuid\":\"$foreign\",\"used_by_vm\":null},
	{\"mdev_uuid\":null,\"used_by_vm\":\"i-2-8-VM\"}],\"vf_instances\":[{\"libvirt_address\":
	{\"domain\":\"0x0000\",\"bus\":\"0x03\",\"slot\":\"0x01\",\"function\":\"0x2\"},\"used_by_vm\":null}]}"
original "cat <<'JSON'
{\"gpus\":[$cards]}
JSON"
discover
before=$(jq -c '[.gpus[] | [.pci_address, .device_id, (.vgpu_instances | length)]]' "$work/out")
[ "$(stat -c %a "$work/last.json")" = 600 ] || failed "anybody may read the last answer"
original 'exit 3'
as_before failure
is '[.gpus[].full_passthrough.used_by_vm]' '["i-2-35-VM",null,null]'
is '[.gpus[2].vgpu_instances[].used_by_vm]' '["i-2-35-VM","i-2-8-VM"]'
is '.gpus[2].vf_instances[0].used_by_vm' '"i-2-35-VM"'
is '.gpus[1].vgpu_instances[1].used_by_vm' '"i-2-34-VM"'
# Without libvirt too it is as it was.
discover "qemu:///system?socket=$work/nobody"
is '[.gpus[].full_passthrough.used_by_vm]' '["i-2-7-VM",null,"i-2-8-VM"]'
original 'echo "{\"gpus\":["; exit 0'
as_before "JSON that is cut off"
original 'echo "<html><body>502 Bad Gateway</body></html>"'
as_before HTML
original 'echo "{\"gpus\":[1,null]}"'
as_before "GPUs that are none"
original 'echo "[]"'
as_before "no object"
original 'echo "{\"gpus\":{}}"'
as_before "no list"
original ':'
as_before nothing
rm "$work/gpudiscovery.sh"
as_before "no original"
original 'head -c 20000000 /dev/zero'
as_before "too much"

# A hanging original and a hanging libvirt, at once: both are ended, with what they started.
original "sleep 1000 & echo \$! >$work/sleeper; wait"
python3 - "$work/silent" <<'PY' &
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1] + ".new")
server.settimeout(60)
server.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1])
kept = server.accept()
kept[0].settimeout(60)
while kept[0].recv(4096):
    pass
PY
silent=$!
for _ in $(seq 600); do
	[ ! -S "$work/silent" ] || break
	sleep 0.1
done
discover "qemu:///system?socket=$work/silent"
wait "$silent" || failed "libvirt was not asked"
is '[.gpus[1].vgpu_instances[].used_by_vm]' '["i-2-9-VM",null]'
sleeper=$(cat "$work/sleeper")
# Killed, it is a zombie for as long as nobody waits for it.
goes_on() {
	grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$sleeper/status" 2>/dev/null
}
for _ in $(seq 600); do
	goes_on || break
	sleep 0.1
done
! goes_on || failed "what the original started goes on"

# Odd cards of the original.
original 'echo "{\"gpus\":[{},{\"pci_address\":7},{\"pci_address\":\"41:00.0\",\"vgpu_instances\":3,
	\"full_passthrough\":null}]}"'
agent "$program" discover --seats "$work/seats.json" --original "$work/gpudiscovery.sh" \
	--libvirt "$libvirt" --last "$work/last.json"
is '.gpus[:2]' '[{},{"pci_address":7}]'
is '[.gpus[2].full_passthrough.enabled, (.gpus[2].vgpu_instances | length), .gpus[2].vf_instances]' \
	'[0,2,[]]'

# A last answer that is damaged, or cannot be written, is none.
echo '<html>' >"$work/last.json"
original 'exit 3'
discover
is '[.gpus[] | .pci_address]' '["0000:41:00.0"]'
rm "$work/last.json"
mkdir "$work/last.json"
original "echo '{\"gpus\":[$(tr -d '\n\t' <<<"$other")]}'"
discover
is '[.gpus[] | .pci_address]' '["0000:03:00.0","0000:41:00.0"]'
rmdir "$work/last.json"

# No seats at all: the original's answer. Seats that cannot be read: nothing, rather than a wrong one.
original "echo '{\"gpus\":[$(tr -d '\n\t' <<<"$other")]}'"
rm "$work/seats.json"
discover
is '.gpus' "[$(jq -c . <<<"$other")]"
echo '<html>' >"$work/seats.json"
agent "$program" discover --seats "$work/seats.json" --original "$work/gpudiscovery.sh" \
	--last "$work/last.json"
[ "$status:$(wc -c <"$work/out")" = 1:0 ] || failed "bad seats: $status $(cat "$work/out")"
agent "$program" discover --x
[ "$status:$(wc -c <"$work/out")" = 1:0 ] || failed "a bad option: $status $(cat "$work/out")"
finish
