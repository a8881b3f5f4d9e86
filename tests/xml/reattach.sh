#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An attached domain that changed since is brought up to date, and detach still knows what was
# there before.
. "${top_srcdir:?}/tests/xml/lib.sh"
need xmllint

attach "$data/q35.xml" >"$tmp/attached.xml"

# changed NAME SED-SCRIPT PROBLEM: validate finds PROBLEM, and attach cures it.
changed() {
	local name=$1 script=$2 problem=$3
	sed "$script" "$tmp/attached.xml" >"$tmp/$name.xml"
	! cmp -s "$tmp/attached.xml" "$tmp/$name.xml" || failed "$name: did not change"
	expect_refusal "$name" 65 "validate: $problem.*; run vgpu-xml attach on it again" \
		"$vgpu_xml" validate "$tmp/$name.xml"
	attach "$tmp/$name.xml" >"$tmp/$name.again.xml"
	"$vgpu_xml" validate "$tmp/$name.again.xml" || failed "$name: still wrong"
}

value() {
	"$vgpu_xml" inspect "$1" | sed -n "s/^$2: //p"
}

changed clone 's|<uuid>.*</uuid>|<uuid>6f1f2c3d-0a1b-4c5d-8e9f-00112233aaaa</uuid>|' \
	"the vGPU's link \"/run/vgpu/link/6f1f2c3d-0a1b-4c5d-8e9f-001122334455.sock\" is not this"
[ "$(value "$tmp/clone.again.xml" link)" = \
	/run/vgpu/link/6f1f2c3d-0a1b-4c5d-8e9f-00112233aaaa.sock ] || failed "clone: link"

changed collision \
	's|</devices>|<rng><address type="pci" bus="0" slot="0x1c"/></rng></devices>|' \
	"the vGPU's address 1c.0 on pcie.0 is taken by another device"
[ "$(value "$tmp/collision.again.xml" slot)" = 0x19 ] || failed "collision: slot"

changed machine 's/machine="q35"/machine="pc"/' \
	'the vGPU is on bus pcie.0, and this machine has pci.0'
[ "$(value "$tmp/machine.again.xml" slot)" = 0x01 ] || failed "machine: slot"
[ "$(value "$tmp/machine.again.xml" function)" = 7 ] || failed "machine: function"
[ "$(value "$tmp/machine.again.xml" bus)" = pci.0 ] || failed "machine: bus"

changed emulator 's|<emulator>.*</emulator>|<emulator>/usr/bin/kvm</emulator>|' \
	'the emulator is "/usr/bin/kvm", not "/usr/bin/qemu-system-x86_64-vgpu"'
[ "$(value "$tmp/emulator.again.xml" original-emulator)" = /usr/bin/kvm ] ||
	failed "emulator: original"

changed address 's/,bus=pcie.0,addr=0x1c//' 'the vGPU has no PCI address'
changed link 's/,link=[^,]*//' 'the vGPU has no link'

# The device is gone, the note is there: attach puts it in again, detach takes out the rest.
grep -v 'qemu:' "$tmp/attached.xml" >"$tmp/lost.xml"
attach "$tmp/lost.xml" | cmp - "$tmp/attached.xml" || failed "lost: attach"
"$vgpu_xml" detach "$tmp/lost.xml" >"$tmp/lost.detached.xml"
diff <(xmllint --c14n "$data/q35.xml") <(xmllint --c14n "$tmp/lost.detached.xml") ||
	failed "lost: detach"

# The note is lost where the element is replaced or taken away. The vGPU in attach's own words is
# known by them: attach brings it up to date, and detach takes it out and leaves the emulator to libvirt.
noteless='s|<vgpu:attached.*/>||'
sed "$noteless" "$tmp/attached.xml" >"$tmp/noteless.xml"
! cmp -s "$tmp/attached.xml" "$tmp/noteless.xml" || failed "noteless: did not change"
"$vgpu_xml" validate "$tmp/noteless.xml" || failed "noteless: validate"
attach "$tmp/noteless.xml" >"$tmp/noted.xml"
[ "$(value "$tmp/noted.xml" emulator)" = /usr/bin/qemu-system-x86_64-vgpu ] || failed "noted: emulator"
[ -z "$(value "$tmp/noted.xml" original-emulator)" ] || failed "noted: original emulator"
sed 's|profile="gold"|window-size="2MiB"|; '"$noteless" "$tmp/attached.xml" >"$tmp/other-window.xml"
attach "$tmp/other-window.xml" >"$tmp/other-window.again.xml"
[ "$(value "$tmp/other-window.again.xml" window-size)" = 2097152 ] || failed "noteless: window"
sed 's|<emulator>.*</emulator>|<emulator>/usr/bin/kvm</emulator>|' "$tmp/noteless.xml" >"$tmp/kvm.xml"
[ "$(attach "$tmp/kvm.xml" | "$vgpu_xml" inspect | sed -n 's/^original-emulator: //p')" = /usr/bin/kvm ] ||
	failed "noteless: another emulator"
sed '/<vgpu:vgpu/,/<\/vgpu:vgpu>/d' "$tmp/attached.xml" >"$tmp/elementless.xml"
for document in noteless noted elementless; do
	"$vgpu_xml" detach "$tmp/$document.xml" >"$tmp/$document.detached.xml" || failed "$document: detach"
	[ -z "$(value "$tmp/$document.detached.xml" link)" ] || failed "$document: the vGPU stays"
	[ -z "$(value "$tmp/$document.detached.xml" emulator)" ] || failed "$document: the wrapper stays"
done
diff <(sed '/<emulator>/d; /qemu:/d' "$tmp/noteless.xml" | xmllint --c14n -) \
	<(xmllint --c14n "$tmp/noted.detached.xml") || failed "noted: detach"
# In other words it is somebody else's.
for change in s/id=vgpu0/id=vgpu1/ s/,addr=0x1c/,addr=1c/ s/,addr=0x1c// s/256M/268435456/ \
	s/,window-size=256M// 's|/[-0-9a-f]*\.sock|/guest.sock|' s/,id=vgpu0// 's/,addr/,x-new=1&/'; do
	sed "/vgpu,id/$change" "$tmp/noteless.xml" >"$tmp/foreign.xml"
	! cmp -s "$tmp/foreign.xml" "$tmp/noteless.xml" || failed "foreign: $change: did not change"
	for command in attach detach; do
		expect_refusal "foreign $change" 65 "$command: the domain has a -device vgpu that vgpu-xml did" \
			"$vgpu_xml" $command "$tmp/foreign.xml"
	done
done

# An emulator that somebody chose since stays when the vGPU goes.
[ "$("$vgpu_xml" detach "$tmp/emulator.xml" | "$vgpu_xml" inspect | sed -n 's/^emulator: //p')" = \
	/usr/bin/kvm ] || failed "emulator: detach"

# Options change what is there, one by one.
"$vgpu_xml" attach --window-size 1G "$tmp/attached.xml" >"$tmp/window.xml"
[ "$(value "$tmp/window.xml" window-size)" = 1073741824 ] || failed "window: size"
[ "$(value "$tmp/window.xml" link)" = "$(value "$tmp/attached.xml" link)" ] || failed "window: link"
"$vgpu_xml" attach --emulator /opt/q "$tmp/window.xml" >"$tmp/wrapper.xml"
[ "$(value "$tmp/wrapper.xml" emulator)" = /opt/q ] || failed "wrapper"
[ "$(value "$tmp/wrapper.xml" original-emulator)" = /usr/bin/qemu-system-x86_64 ] ||
	failed "wrapper: original"

sed 's/window-size=256M/window-size=971M/' "$tmp/attached.xml" >"$tmp/odd-window.xml"
expect_refusal odd-window 65 'attach: the vGPU.s window-size "971M" is not a power of two' \
	"$vgpu_xml" attach "$tmp/odd-window.xml"
"$vgpu_xml" attach --window-size 1G "$tmp/odd-window.xml" | cmp - "$tmp/window.xml" ||
	failed "window: odd"

# A profile that --profile set can be set again; detach takes it away.
sed '/vgpu:vgpu/d' "$data/q35.xml" >"$tmp/none.xml"
attach --profile gold "$tmp/none.xml" | attach --profile silver >"$tmp/silver.xml"
[ "$(value "$tmp/silver.xml" profile)" = silver ] || failed "profile"
"$vgpu_xml" detach "$tmp/silver.xml" >"$tmp/none.again.xml"
diff <(xmllint --c14n "$tmp/none.xml") <(xmllint --c14n "$tmp/none.again.xml") ||
	failed "profile: detach"

# A uuid that attach made stays once libvirt has printed it in its own place, behind the name.
attach --profile gold --uuid 6f1f2c3d-0a1b-4c5d-8e9f-0011223344ff "$data/bare.xml" |
	sed -e '/<uuid>/d' -e 's|</name>|</name><uuid>6f1f2c3d-0a1b-4c5d-8e9f-0011223344ff</uuid>|' |
	"$vgpu_xml" detach | grep -q '<uuid>' || failed "uuid: gone after define"

# Without --uuid each domain gets its own.
first=$("$vgpu_xml" attach --profile gold "$data/bare.xml" | "$vgpu_xml" inspect | grep '^uuid')
second=$("$vgpu_xml" attach --profile gold "$data/bare.xml" | "$vgpu_xml" inspect | grep '^uuid')
[ "$first" != "$second" ] || failed "uuid: $first twice"
echo "$first" | grep -qE '^uuid: [0-9a-f-]{14}4[0-9a-f]{3}-[89ab]' || failed "uuid: $first"
finish
