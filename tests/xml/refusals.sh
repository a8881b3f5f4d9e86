#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What cannot be attached is refused with its reason.
. "${top_srcdir:?}/tests/xml/lib.sh"

# refused NAME PATTERN SED-SCRIPT [OPTIONS...]: q35.xml changed so, attached with those options.
refused() {
	local name=$1 pattern=$2 script=$3
	shift 3
	sed "$script" "$data/q35.xml" >"$tmp/$name.xml"
	! cmp -s "$data/q35.xml" "$tmp/$name.xml" || [ -z "$script" ] ||
		failed "$name: the document did not change"
	expect_refusal "$name" 65 "^vgpu-xml: $tmp/$name.xml: attach: $pattern" \
		attach "$@" "$tmp/$name.xml"
}

ns='xmlns:vgpu="urn:vgpu-toolkit:domain:1"'
device() {
	echo "s|</domain>|<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>$1</q:commandline></domain>|"
}

refused no-metadata 'the metadata does not ask for a vGPU.*--profile NAME' '/vgpu:vgpu/d'
refused other-namespace 'the metadata does not ask' 's/urn:vgpu-toolkit:domain:1/urn:other/'
refused aarch64 'architecture is "aarch64": a vGPU needs x86_64' "s/arch='x86_64'/arch='aarch64'/"
refused microvm 'machine type is "microvm"' "s/machine='q35'/machine='microvm'/"
refused isapc 'machine type is "isapc"' "s/machine='q35'/machine='isapc'/"
refused xen 'domain type is "xen"' "s/type='kvm'/type='xen'/"
refused no-type 'domain type is ""' "s/ type='kvm'//"
refused exe 'os type is "exe"' 's/>hvm</>exe</'
refused bad-uuid 'uuid "6f1f" is not a UUID' 's|<uuid>.*</uuid>|<uuid>6f1f</uuid>|'
refused empty-uuid 'uuid "" is not a UUID' 's|<uuid>.*</uuid>|<uuid/>|'
refused other-profile 'the metadata asks for profile "gold", not "silver"' '' --profile silver
refused long-profile 'profile ".*" is longer than 63 bytes' '/vgpu:vgpu/d' \
	--profile "$(printf 'x%.0s' {1..64})"
refused empty-profile 'profile "" is empty' '/vgpu:vgpu/d' --profile ''
refused control-profile 'profile ".*" has a control character' '/vgpu:vgpu/d' --profile $'a\nb'
refused invalid-profile 'profile ".*" is not UTF-8' '/vgpu:vgpu/d' --profile $'\xff'
refused empty-name 'vGPU metadata: profile "" is empty' 's/profile="gold"/profile=""/'
refused seat 'vGPU metadata: seat "x" is not a UUID' 's/profile="gold"/seat="x"/'
refused priority 'vGPU metadata: priority "urgent" is not low, medium or high' \
	's/profile="gold"/priority="urgent"/'
# refused_quotas NAME PATTERN CONTENT: in <vgpu>.
refused_quotas() {
	refused "$1" "vGPU metadata: $2" "s|<vgpu:vgpu\(.*\)/>|<vgpu:vgpu\1>$3</vgpu:vgpu>|"
}
refused_quotas quota-attribute '<quotas> has an unknown attribute "memory"' \
	'<vgpu:quotas memory="1"/>'
refused_quotas quota-foreign '<quotas> has an unknown attribute "burst"' \
	'<vgpu:quotas vgpu:burst="1"/>'
refused_quotas quota-content '<quotas> must be empty' '<vgpu:quotas>1</vgpu:quotas>'
refused_quotas two-quotas 'more than one <quotas>' '<vgpu:quotas/><vgpu:quotas/>'
refused_quotas quota-size 'gpu-memory "1GB" is not a size' '<vgpu:quotas gpu-memory="1GB"/>'
refused_quotas quota-huge 'window "8388608T" is not a size' '<vgpu:quotas window="8388608T"/>'
refused_quotas quota-number 'burst "-1" is not a number' '<vgpu:quotas burst="-1"/>'
refused_quotas quota-long 'burst "9{30}" is not a number' \
	"<vgpu:quotas burst=\"$(printf '9%.0s' {1..30})\"/>"
refused_quotas quota-empty 'channels "" is not a number' '<vgpu:quotas channels=""/>'
refused_quotas quota-percent 'gpu-time-max "1%%" is not a percentage' \
	'<vgpu:quotas gpu-time-max="1%%"/>'
refused_quotas quota-time 'longest-job "5" is not a time' '<vgpu:quotas longest-job="5"/>'
refused attribute 'vGPU metadata: <vgpu> has an unknown attribute "proflie"' 's/profile=/proflie=/'
refused foreign-attribute 'vGPU metadata: <vgpu> has an unknown attribute "profile"' \
	's/profile=/xmlns:x="urn:x" x:profile=/'
refused text 'vGPU metadata: unexpected text in <vgpu>' \
	's|<vgpu:vgpu\(.*\)/>|<vgpu:vgpu\1>gold</vgpu:vgpu>|'
refused child 'vGPU metadata: unexpected <quota> in <vgpu>' \
	's|<vgpu:vgpu\(.*\)/>|<vgpu:vgpu\1><vgpu:quota/></vgpu:vgpu>|'
refused two 'vGPU metadata: more than one <vgpu>' 's|\(<vgpu:vgpu.*/>\)|\1\1|'
refused unknown-element 'vGPU metadata: unknown element <gpu>' 's|vgpu:vgpu |vgpu:gpu |'
refused second-metadata 'more than one <metadata>, of which libvirt keeps only the first' \
	's|<metadata>|<metadata/><metadata>|'
refused policy 'vGPU metadata: policy "maybe" is not required or best-effort' \
	's/profile="gold"/policy="maybe"/'
refused metadata-window 'vGPU metadata: window-size "3MiB" is not a power of two from 1 MiB' \
	's/profile="gold"/window-size="3MiB"/'
refused other-window 'the metadata asks for a window of 1073741824 bytes, not 2097152' \
	's/profile="gold"/window-size="1GiB"/' --window-size 2MiB
# As long as a message can be, and a byte or two longer.
for length in {350..356}; do
	refused "length-$length" 'vGPU metadata: profile "x+' \
		"s/profile=\"gold\"/profile=\"$(printf "%${length}s" | tr ' ' x)\"/"
done
refused long-value 'vGPU metadata: profile "x{300,}\.\.\.$' \
	"s/profile=\"gold\"/profile=\"$(head -c 100000 /dev/zero | tr '\0' x)\"/"
refused two-notes 'vGPU metadata: more than one <attached>' \
	's|<vgpu:vgpu\(.*\)/>|<vgpu:vgpu\1><vgpu:attached/><vgpu:attached/></vgpu:vgpu>|'
refused note-word 'vGPU metadata: unknown word "everything" in created' \
	's|<vgpu:vgpu\(.*\)/>|<vgpu:vgpu\1><vgpu:attached created="everything"/></vgpu:vgpu>|'
refused note-attribute 'vGPU metadata: <attached> has an unknown attribute "by"' \
	's|<vgpu:vgpu\(.*\)/>|<vgpu:vgpu\1><vgpu:attached by="x"/></vgpu:vgpu>|'
refused note-content 'vGPU metadata: <attached> must be empty' \
	's|<vgpu:vgpu\(.*\)/>|<vgpu:vgpu\1><vgpu:attached>x</vgpu:attached></vgpu:vgpu>|'
refused emulator '<emulator> holds more than a path' 's|<emulator>|<emulator><!-- x -->|'
refused foreign 'the domain has a -device vgpu that vgpu-xml did not put there' \
	"$(device '<q:arg value="-device"/><q:arg value="vgpu"/>')"
refused foreign-json 'the domain has a -device vgpu that vgpu-xml did not put there' \
	"$(device '<q:arg value="-device"/><q:arg value="{\&quot;driver\&quot;: \&quot;vgpu\&quot;}"/>')"
refused foreign-driver 'the domain has a -device vgpu that vgpu-xml did not put there' \
	"$(device '<q:arg value="--device"/><q:arg value="id=x,driver=vgpu"/>')"
refused two-vgpus 'the domain has more than one -device vgpu' \
	"$(device '<q:arg value="-device"/><q:arg value="vgpu"/><q:arg value="-device"/><q:arg value="vgpu"/>')"
refused no-value 'the last argument in <qemu:commandline> is a -device without its value' \
	"$(device '<q:arg value="-device"/>')"
refused uuid 'the domain has another uuid, 6f1f2c3d-0a1b-4c5d-8e9f-001122334455' '' \
	--uuid 6f1f2c3d-0a1b-4c5d-8e9f-001122334400
refused relative-link 'link directory "run" is not an absolute path' '' --link-dir run
refused relative-emulator 'emulator "qemu" is not an absolute path' '' --emulator qemu
refused quoted-link 'link "/run/a"b/6f1f.*" has a quote, a comma or a backslash' '' --link-dir '/run/a"b'
refused single-quoted-link 'link ".*" has a quote, a comma' '' --link-dir "/run/it's"
refused comma-link 'link ".*" has a quote, a comma' '' --link-dir /run/a,window-size=1G
refused backslash-link 'link ".*" has a quote, a comma' '' --link-dir '/run/a\b'
refused control-link 'link directory ".*" has a control character' '' --link-dir $'/run/a\nb'
refused long-link 'link ".*" is longer than a socket' '' --link-dir "/$(printf 'x%.0s' {1..66})"
refused window 'window size 3145728 is not a power of two from 1 MiB' '' --window-size 3MiB
refused small-window 'window size 524288 is not' '' --window-size 512KiB
refused large-window 'window size 137438953472 is not' '' --window-size 128G
slots=$(for slot in {2..30} 31.4 31.5 31.6 31.7; do
	function=0
	[ "$slot" = "${slot#*.}" ] || function=${slot#*.}
	echo "<hub><address type=\"pci\" slot=\"${slot%.*}\" function=\"$function\"/></hub>"
done | tr -d '\n')
refused full-bus 'no free address for the vGPU on pcie.0' "s|</devices>|$slots</devices>|"

# A value that the options allow at its limit is not refused.
attach --link-dir "/$(printf 'x%.0s' {1..64})" --window-size 64GiB "$data/q35.xml" >"$tmp/limits.xml"
grep -q 'window-size=64G' "$tmp/limits.xml" || failed "limits"

# Detach and validate have reasons too.
sed "$(device '<q:arg value="-device"/><q:arg value="vgpu"/>')" "$data/q35.xml" >"$tmp/other.xml"
expect_refusal detach-foreign 65 'detach: the domain has a -device vgpu that vgpu-xml did not' \
	"$vgpu_xml" detach "$tmp/other.xml"
expect_refusal validate-none 65 'validate: the metadata asks for a vGPU and the domain has none' \
	"$vgpu_xml" validate "$data/q35.xml"
sed '/vgpu:vgpu/d' "$tmp/other.xml" >"$tmp/no-metadata.xml"
expect_refusal validate-foreign 65 'validate: the domain has a -device vgpu, and its metadata' \
	"$vgpu_xml" validate "$tmp/no-metadata.xml"
sed "s/$ns/$ns x='y'/" "$data/q35.xml" >"$tmp/bad-metadata.xml"
expect_refusal inspect-metadata 65 'inspect: vGPU metadata: <vgpu> has an unknown attribute "x"' \
	"$vgpu_xml" inspect "$tmp/bad-metadata.xml"
sed '/vgpu:vgpu/d' "$data/q35.xml" | "$vgpu_xml" validate || failed "a domain without a vGPU"

# Command lines that say nothing, or too much.
expect_refusal no-command 64 'no command given' "$vgpu_xml"
expect_refusal unknown-command 64 'frobnicate: unknown command' "$vgpu_xml" frobnicate
expect_refusal unknown-option 64 '--frob: unknown option' "$vgpu_xml" attach --frob
expect_refusal no-value 64 '--profile: this option needs a value' "$vgpu_xml" attach --profile
expect_refusal not-a-size 64 '1GB: not a size' "$vgpu_xml" attach --window-size 1GB
expect_refusal no-size 64 '0: not a size' "$vgpu_xml" attach --window-size 0
expect_refusal not-a-uuid 64 'x: not a UUID' "$vgpu_xml" attach --uuid x
expect_refusal two-files 64 'b: more than one FILE' "$vgpu_xml" attach a b
expect_refusal detach-options 64 'an option of attach only' "$vgpu_xml" detach --profile x
expect_refusal in-place-stdin 64 '--in-place: needs a FILE' "$vgpu_xml" attach --in-place
expect_refusal in-place-inspect 64 'does not change FILE' "$vgpu_xml" inspect --in-place x
finish
