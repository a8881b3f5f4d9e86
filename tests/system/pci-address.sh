#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# On q35 and on i440fx: libvirt takes what vgpu-xml attach makes, QEMU takes the vGPU's PCI address,
# and devices that libvirt adds later, to the running domain until there is no slot left and to its
# definition, go elsewhere. Where somebody gives the vGPU's address away, the hook refuses the
# start. What libvirt printed detaches again.
set -euo pipefail
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"
vgpu_xml=$VGPU_BINDIR/vgpu-xml

attach_nothing
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

# device_at NAME SLOT FUNCTION: what QEMU has on the root bus there.
device_at() {
	virsh_ qemu-monitor-command "$1" --hmp info pci |
		sed -n "/^  Bus  *0, device  *$(($2)), function $3:/,/^  Bus/p"
}

# vgpu_is_at NAME SLOT FUNCTION
vgpu_is_at() {
	device_at "$@" | grep -i '1af4:10f0' >/dev/null ||
		fail "$1: no vGPU at $2.$3: $(virsh_ qemu-monitor-command "$1" --hmp info pci)"
}

rng() {
	echo '<rng model="virtio"><backend model="random">/dev/urandom</backend></rng>'
}

check_machine() {
	local name=$1 uuid=$2 slot=$3 function=$4 plugged=0
	say "$name: define, start, plug in"
	define_guest "$name" "$uuid" "$name"
	virsh_ define --validate "$work/$name.xml"
	[ "$(value "$name" slot) $(value "$name" function)" = "$slot $function" ] ||
		fail "$name: at $(value "$name" slot).$(value "$name" function)"
	virsh_ start "$name" --paused
	vm_is .attached "$uuid" || fail "$name: the hook did not register it"
	vgpu_is_at "$name" "$slot" "$function"

	# Until libvirt, not QEMU, has no place left: q35 gets as many free root ports as libvirt thinks
	# fit, and i440fx takes every slot of pci.0.
	rng >"$work/rng.xml"
	while virsh_ attach-device "$name" "$work/rng.xml" --live --config 2>"$work/output"; do
		plugged=$((plugged + 1))
	done
	grep -qi 'no more available PCI slots' "$work/output" || fail "$name: $(cat "$work/output")"
	say "$name: $plugged devices were plugged in"
	[ "$plugged" -ge "$5" ] || fail "$name: $(cat "$work/output")"
	vgpu_is_at "$name" "$slot" "$function"
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

	# Thirty more, in the definition: libvirt puts them elsewhere.
	say "$name: thirty more devices"
	sed "s|</devices>|$(for plugged in {1..30}; do rng; done | tr -d '\n')</devices>|" \
		"$work/again.xml" >"$work/full.xml"
	virsh_ define "$work/full.xml"
	definition "$name" | "$vgpu_xml" validate || fail "$name: libvirt took the vGPU's address"
	virsh_ start "$name" --paused
	vgpu_is_at "$name" "$slot" "$function"
	virsh_ destroy "$name"

	# By hand it can be given away.
	sed "s|</devices>|$(rng | sed "s|</rng>|<address type='pci' slot='$slot' function='$function'/>&|")</devices>|" \
		"$work/again.xml" >"$work/taken.xml"
	if virsh_ define "$work/taken.xml" 2>"$work/output"; then
		expect 1 virsh_ start "$name"
		grep -q "vgpu: the vGPU's address .* is taken by another device" "$work/output" ||
			fail "$name: $(cat "$work/output")"
	fi
	cat "$work/output"
	virsh_ undefine "$name"
}

check_machine q35 6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c0011 0x1c 0 1
check_machine pc 6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c0012 0x01 7 20

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
