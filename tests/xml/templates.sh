#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The templates, and the domains that attach makes, are what libvirt's schema and the metadata's
# schema allow; the metadata's schema refuses what vgpu-xml refuses.
. "${top_srcdir:?}/tests/xml/lib.sh"
need xmllint virt-xml-validate

metadata_valid() {
	# The element alone, with the namespaces of its parents.
	xmllint --nonet --xpath '//*[local-name()="metadata"]/*[local-name()="vgpu" and
		namespace-uri()="urn:vgpu-toolkit:domain:1"]' "$1" >"$tmp/element.xml"
	xmllint --nonet --noout --relaxng "$top_srcdir/xml/vgpu-metadata.rng" "$tmp/element.xml" \
		2>"$tmp/problem"
}

count=0
for template in "$top_builddir"/xml/templates/*.xml; do
	count=$((count + 1))
	virt-xml-validate "$template" domain >/dev/null || failed "$template: libvirt's schema"
	metadata_valid "$template" || failed "$template: $(cat "$tmp/problem")"
	"$vgpu_xml" validate "$template" || failed "$template: validate"
	# Each is what attach makes of it, and detach leaves a domain without a vGPU device.
	"$vgpu_xml" attach "$template" >"$tmp/attached.xml"
	diff <(xmllint --c14n "$template") <(xmllint --c14n "$tmp/attached.xml") ||
		failed "$template: attach changes it"
	"$vgpu_xml" detach "$template" >"$tmp/detached.xml"
	"$vgpu_xml" inspect "$tmp/detached.xml" | grep -qx 'emulator: /usr/bin/qemu-system-x86_64' ||
		failed "$template: the emulator after detach"
	! grep -q qemu:commandline "$tmp/detached.xml" || failed "$template: detach"
	virt-xml-validate "$tmp/detached.xml" domain >/dev/null || failed "$template: detached"
done
[ "$count" -eq 3 ] || failed "$count templates"

for name in q35 i440fx slots live wrapper quotas; do
	virt-xml-validate "$data/expected/$name.xml" domain >/dev/null || failed "$name: schema"
	metadata_valid "$data/expected/$name.xml" || failed "$name: $(cat "$tmp/problem")"
done
for change in 's/profile="gold"/profile=""/' 's/profile="gold"/priority="urgent"/' \
	's/profile=/proflie=/' 's/created="commandline"/created="everything"/' \
	's/<vgpu:attached/<vgpu:attacked/'; do
	sed "$change" "$data/expected/q35.xml" >"$tmp/bad.xml"
	! cmp -s "$data/expected/q35.xml" "$tmp/bad.xml" || failed "$change changed nothing"
	! metadata_valid "$tmp/bad.xml" || failed "the schema allows $change"
	expect_refusal "$change" 65 'vGPU metadata:' "$vgpu_xml" inspect "$tmp/bad.xml"
done
for change in 's/8GiB/8GB/' 's/longest-job="2s"/longest-job="2"/' 's/burst="5"/bursts="5"/' \
	's/policy="best-effort"/policy="maybe"/' 's|</v:vgpu>|<v:quotas/></v:vgpu>|'; do
	sed "$change" "$data/expected/quotas.xml" >"$tmp/bad.xml"
	! cmp -s "$data/expected/quotas.xml" "$tmp/bad.xml" || failed "$change changed nothing"
	! metadata_valid "$tmp/bad.xml" || failed "the schema allows $change"
	expect_refusal "$change" 65 'vGPU metadata:' "$vgpu_xml" inspect "$tmp/bad.xml"
done
finish
