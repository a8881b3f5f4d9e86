#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each template can be defined, boots, and has a vGPU that works: on q35 with UEFI, where the window
# is large and Secure Boot is off, on q35 with BIOS, and on i440fx.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
[ -d /usr/share/qemu/firmware ] || skip "no UEFI firmware is installed (Debian: ovmf)"
isolate "$@"
[ -x "$VGPU_PKGLIBEXECDIR/vgpu-reconciler" ] || skip "vgpu-reconciler is not built (Debian: libvirt-dev)"

# What somebody edits: another uuid, no KVM, no disk, no network of libvirt's; and how the tests' guest is booted.
edit() {
	python3 - "$1" "$work/image" "$work/console/$2" <<-'EOF2'
	import sys
	import uuid
	import xml.etree.ElementTree as tree
	template, image, console = sys.argv[1:]
	tree.register_namespace("vgpu", "urn:vgpu-toolkit:domain:1")
	tree.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")
	domain = tree.parse(template).getroot()
	domain.set("type", "qemu")
	domain.find("uuid").text = str(uuid.uuid4())
	system, devices = domain.find("os"), domain.find("devices")
	system.remove(system.find("boot"))
	for name, value in (("kernel", image + "/vmlinuz"), ("initrd", image + "/initrd"),
	                    ("cmdline", "console=ttyS0 quiet panic=-1 no_timer_check")):
	    tree.SubElement(system, name).text = value
	devices.remove(devices.find("disk"))
	interface = devices.find("interface")
	interface.set("type", "user")
	interface.remove(interface.find("source"))
	devices.remove(devices.find("console"))
	serial = devices.find("serial")
	serial.set("type", "file")
	tree.SubElement(serial, "source", path=console)
	channel = tree.SubElement(devices, "channel", type="unix")
	tree.SubElement(channel, "source", mode="bind")
	tree.SubElement(channel, "target", type="virtio", name="org.vgpu.guest")
	print(tree.tostring(domain, encoding="unicode"))
	EOF2
}

has_own_link() {
	virsh_ dumpxml --inactive "$name" | grep -q "link=$link_dir/$(virsh_ domuuid "$name").sock,"
}

# guest COMMAND: in the template's guest.
guest() {
	in_guest_of "$name" 60 "$1"
}

start_mediator
install_hook
start_libvirt
vgpu_xml=$VGPU_BINDIR/vgpu-xml
for template in "$VGPU_PREFIX"/share/vgpu/templates/*.xml; do
	name=$("$vgpu_xml" inspect "$template" | sed -n 's/^name: //p')
	say "$template"
	sed 's/<domain type="kvm">/<domain type="qemu">/' "$template" >"$work/template.xml"
	virsh_ define --validate "$work/template.xml" || fail "$template: cannot be defined"
	edit "$template" "$name" >"$work/edited.xml"
	virsh_ undefine --nvram "$name"
	virsh_ define --validate "$work/edited.xml" || fail "$template: cannot be defined, edited"
	wait_until 60 "the link follows the uuid" has_own_link
	virsh_ start "$name"
	# UEFI without KVM takes its time.
	wait_until 180 "$name serves commands" in_guest_of "$name" 5 true
	guest "for i in 1 2 3; do echo \$i; done >/tmp/a; vgpu-agent add /tmp/a /tmp/a -o /tmp/sum &&
		[ \$(tail -n 1 /tmp/sum) = 6 ]" || fail "$template: the vGPU does not add"
	case $template in
	*uefi*)
		guest "[ -d /sys/firmware/efi ]" || fail "$template: did not boot with UEFI"
		guest "grep -q '\[none\]' /sys/kernel/security/lockdown 2>/dev/null ||
			! [ -e /sys/kernel/security/lockdown ]" || fail "$template: locked down"
		# BAR 2, by its first and last address.
		guest 'set -- $(sed -n 3p /sys/bus/pci/devices/0000:00:1c.0/resource);
			[ $(($2 - $1 + 1)) -eq $((16 << 30)) ]' || fail "$template: the window is small"
		;;
	esac
	virsh_ destroy "$name"
	virsh_ undefine --nvram "$name"
done
