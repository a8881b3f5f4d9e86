#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a profile's seats to a VM that has one: the mediator offers it, discover shows it, transform
# swaps it, libvirt's hook registers the VM with the profile's priority under what the offering
# says, and discover names the VM while it runs; with the mediator down too.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?run by make check}/tests/mediatord/rest-lib.bash"
program=$top_builddir/cloudstack-plugin/vgpu-cloudstack
hook=$top_builddir/hook/vgpu
for tool in "$program" "$hook" jq; do
	command -v "$tool" >/dev/null || {
		echo "$tool is missing"
		exit 77
	}
done
file=$work/state/seats.json
uuid=6f1f2c3d-0a1b-4c5d-8e9f-00112233445b
printf 'control-socket = %s\n' "$socket" >"$work/hook.conf"
# Nobody's: who has a seat is as the mediator says.
libvirt="qemu:///system?socket=$work/no-libvirt"

# used: who has the seat, by discover.
used() {
	"$program" discover --seats "$file" --libvirt "$libvirt" 2>&1 |
		jq -r ".gpus[].vgpu_instances[] | select(.mdev_uuid == \"$seat\").used_by_vm"
}

call_hook() {
	"$hook" --config "$work/hook.conf" i-2-34-VM "$1" "$2" - <"$work/domain.xml" || fail "hook $1"
}

printf 'seats = 2\n' >>"$work/mediatord.conf"
start_daemon
seat=$("$program" discover --seats "$file" --libvirt "$libvirt" 2>&1 |
	jq -r '.gpus[].vgpu_instances[0] | select(.profile_name == "vgpu-gold").mdev_uuid')
[ -n "$seat" ] || fail "no seat"
[ "$(used)" = null ] || fail "used: $(used)"

agents=$(cat "$top_srcdir/tests/xml/data/cloudstack.xml")
hostdev="<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='off'><source><address uuid='$seat'/></source></hostdev>"
"$program" transform --seats "$file" transform "${agents/<graphics/$hostdev<graphics}" \
	>"$work/domain.xml" 2>&1 || fail "transform: $(cat "$work/domain.xml")"

call_hook prepare begin
expect 200 GET "/v1/vms/$uuid"
has "\"seat\":\"$seat\""
has '"profile":"gold"'
has '"priority":"high"'
[ "$(used)" = i-2-34-VM ] || fail "used: $(used)"
expect 200 PUT "/v1/vms/$uuid/cloudstack" '{"priority":"low"}'
has '"priority":"low"'
has '"priority":"cloudstack"'
has "\"seat\":\"$seat\""

# Another VM in the same seat, or as one of another profile, does not start, and libvirt says why.
sed 's/i-2-34-VM/i-2-35-VM/; s/00112233445b/00112233445c/' "$work/domain.xml" >"$work/other.xml"
! "$hook" --config "$work/hook.conf" i-2-35-VM prepare begin - <"$work/other.xml" 2>"$work/said" ||
	fail "two VMs in a seat"
grep -q "VM $uuid runs in seat $seat" "$work/said" || fail "the hook said: $(cat "$work/said")"
sed -i "s/profile=\"gold\"/profile=\"default\"/" "$work/other.xml"
other=$("$program" discover --seats "$file" --libvirt "$libvirt" 2>&1 |
	jq -r '.gpus[0].vgpu_instances[] | select(.used_by_vm == null).mdev_uuid')
sed -i "s/seat=\"$seat\"/seat=\"$other\"/" "$work/other.xml"
! "$hook" --config "$work/hook.conf" i-2-35-VM prepare begin - <"$work/other.xml" 2>"$work/said" ||
	fail "a seat of another profile"
grep -q "seat $other is one of profile" "$work/said" || fail "the hook said: $(cat "$work/said")"

# The mediator is away: all is as it was.
stop_daemon TERM
[ "$(used)" = i-2-34-VM ] || fail "without the mediator: $(used)"
"$program" transform --seats "$file" transform "${agents/<graphics/$hostdev<graphics}" 2>&1 |
	cmp -s - "$work/domain.xml" || fail "another document without the mediator"
start_daemon
[ "$(used)" = i-2-34-VM ] || fail "after a restart: $(used)"

call_hook release end
[ "$(used)" = null ] || fail "after its end: $(used)"
stop_daemon TERM
