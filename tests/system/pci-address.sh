#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# On q35 and on i440fx: libvirt takes what vgpu-xml attach makes, QEMU takes the vGPU's PCI address,
# and devices that libvirt adds later, to the running domain and to its definition, go elsewhere.
# Where libvirt does give the vGPU's slot away, the hook refuses the start. What libvirt printed
# detaches again.
set -euo pipefail
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"
vgpu_xml=$VGPU_BINDIR/vgpu-xml

start_mediator
install_hook
start_libvirt

# definition NAME: what libvirt starts the domain from.
definition() {
	virsh_ dumpxml --inactive "$1"
}

# value NAME KEY
value() {
	definition "$1" | "$vgpu_xml" inspect | sed -n "s/^$2: //p"
}

# devices_at NAME SLOT: the functions that QEMU has on the root bus there.
devices_at() {
	virsh_ qemu-monitor-command "$1" --hmp info pci |
		sed -n "/^  Bus  *0, device  *$(($2)), function/,/^  Bus/p"
}

rng() {
	echo '<rng model="virtio"><backend model="random">/dev/urandom</backend></rng>'
}

check_machine() {
	local name=$1 uuid=$2 slot=$3 count
	say "$name: define, start, plug in"
	define_guest "$name" "$uuid" "$name"
	virsh_ define --validate "$work/$name.xml"
	[ "$(value "$name" slot)" = "$slot" ] || fail "$name: slot $(value "$name" slot), not $slot"
	virsh_ start "$name" --paused
	vm_is .attached "$uuid" || fail "$name: the hook did not register it"
	devices_at "$name" "$slot" | grep -qi '1af4:10f0' ||
		fail "$name: no vGPU at slot $slot: $(virsh_ qemu-monitor-command "$name" --hmp info pci)"

	# q35 gets as many free root ports as libvirt thinks fit; i440fx takes slots of pci.0.
	rng >"$work/rng.xml"
	for count in 1 2 3; do
		[ "$name" = pc ] || [ "$count" -eq 1 ] || break
		virsh_ attach-device "$name" "$work/rng.xml" --live --config ||
			fail "$name: device $count cannot be plugged in"
	done
	definition "$name" | "$vgpu_xml" validate || fail "$name: plugging in collides"
	virsh_ dumpxml "$name" | "$vgpu_xml" validate || fail "$name: plugging in collides, live"
	virsh_ destroy "$name"
	wait_until 60 "$name is detached" vm_is '.attached == false' "$uuid"

	# Libvirt's own form of the document: attach changes nothing, detach takes all out.
	definition "$name" >"$work/dumped.xml"
	"$vgpu_xml" attach "$work/dumped.xml" >"$work/again.xml"
	diff <(xmllint --c14n "$work/dumped.xml") <(xmllint --c14n "$work/again.xml") ||
		fail "$name: attaching what libvirt printed changes it"
	"$vgpu_xml" detach "$work/dumped.xml" >"$work/detached.xml"
	virsh_ define --validate "$work/detached.xml"
	[ "$(value "$name" vgpu)" = requested ] || fail "$name: detach"
	expect 1 virsh_ start "$name"
	grep -q 'vgpu: the metadata asks for a vGPU and the domain has none' "$work/output" ||
		fail "$name: $(cat "$work/output")"
	virsh_ define "$work/again.xml"

	# Thirty more, in the definition: whatever libvirt makes of it, nothing starts in a collision.
	say "$name: thirty more devices"
	sed "s|</devices>|$(for count in {1..30}; do rng; done | tr -d '\n')</devices>|" \
		"$work/again.xml" >"$work/full.xml"
	virsh_ define "$work/full.xml"
	if definition "$name" | "$vgpu_xml" validate 2>"$work/problem"; then
		virsh_ start "$name" --paused
		devices_at "$name" "$(value "$name" slot)" | grep -qi '1af4:10f0' ||
			fail "$name: the vGPU is elsewhere"
		virsh_ destroy "$name"
	else
		expect 1 virsh_ start "$name"
		grep -q "vgpu: the vGPU's slot $slot of .* is taken by another device" "$work/output" ||
			fail "$name: $(cat "$work/output")"
	fi
	cat "$work/problem"
	virsh_ undefine "$name"
}

check_machine q35 6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c0011 0x1c
check_machine pc 6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c0012 0x1f

say "the templates"
for template in "$VGPU_PREFIX"/share/vgpu/templates/*.xml; do
	sed 's/<domain type="kvm">/<domain type="qemu">/' "$template" >"$work/template.xml"
	virsh_ define --validate "$work/template.xml" || fail "$template: cannot be defined"
	name=$("$vgpu_xml" inspect "$template" | sed -n 's/^name: //p')
	definition "$name" | "$vgpu_xml" validate || fail "$template: does not validate"
	virsh_ undefine "$name"
done

say "a domain without a uuid"
"$vgpu_xml" attach --profile default "$top_srcdir/tests/xml/data/bare.xml" |
	sed 's/type="kvm"/type="qemu"/' >"$work/bare.xml"
virsh_ define "$work/bare.xml"
definition bare | "$vgpu_xml" detach >"$work/bare-detached.xml"
virsh_ define "$work/bare-detached.xml"
[ "$(value bare vgpu)" = none ] || fail "bare: detach"

say "without the mediator"
stop_mediator
define_guest q35 6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c0011 q35
expect 1 virsh_ start q35
grep -q 'vgpu: cannot reach the mediator at .*; is vgpu-mediatord running?' \
	"$work/output" || fail "$(cat "$work/output")"
virsh_ start bare --paused || fail "a domain without a vGPU does not start"
virsh_ destroy bare
