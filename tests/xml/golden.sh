#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each document of the corpus becomes the expected one when the vGPU is attached; attaching again
# changes nothing; detaching gives the first one back. VGPU_REGENERATE=1 writes the expected
# documents anew: read the difference before it is committed.
. "${top_srcdir:?}/tests/xml/lib.sh"
need xmllint

canonical() {
	xmllint --nonet --c14n "$1"
}

golden() {
	local name=$1
	local document=$data/$name.xml expected=$data/expected/$name.xml
	shift
	attach "$@" "$document" >"$tmp/attached.xml" || {
		failed "$name: attach"
		return
	}
	if [ -n "${VGPU_REGENERATE:-}" ]; then
		cp "$tmp/attached.xml" "$expected"
	fi
	diff -u "$expected" "$tmp/attached.xml" || failed "$name: not what was expected"
	attach "$@" "$tmp/attached.xml" | cmp - "$tmp/attached.xml" ||
		failed "$name: attaching twice is not attaching once"
	"$vgpu_xml" attach "$tmp/attached.xml" | cmp - "$tmp/attached.xml" ||
		failed "$name: attaching without options loses the first attach's"
	"$vgpu_xml" validate "$tmp/attached.xml" || failed "$name: does not validate"
	"$vgpu_xml" detach "$tmp/attached.xml" >"$tmp/detached.xml"
	diff <(canonical "$document") <(canonical "$tmp/detached.xml") ||
		failed "$name: detach does not give the document back"
	"$vgpu_xml" detach "$tmp/detached.xml" | cmp - "$tmp/detached.xml" ||
		failed "$name: detaching twice is not detaching once"
}

golden q35
golden quotas
golden i440fx --window-size 1GiB
golden slots
golden prefixes --link-dir '/run/some blanks & <path>'
golden compact
golden bare --profile gold --uuid 6f1f2c3d-0a1b-4c5d-8e9f-0011223344ff
golden two-devices --profile gold
golden wrapper --emulator /opt/vgpu/qemu-system-x86_64-vgpu
golden live
golden cloudstack --profile gold
finish
