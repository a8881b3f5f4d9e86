#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# AppArmor's parser takes both profiles: libvirt's of a domain with ours in it, and the mediator's.
# Whether the kernel then lets through what is needed is seen only where AppArmor is on.
set -eu
: "${top_builddir:?the build folder, as make check sets it}"
PATH=$PATH:/usr/sbin:/sbin
parts=$top_builddir/data/apparmor
libvirt=/etc/apparmor.d/abstractions/libvirt-qemu
command -v apparmor_parser >/dev/null || {
	echo "SKIP: apparmor_parser is missing (Debian: apparmor)"
	exit 77
}
[ -f "$libvirt" ] || {
	echo "SKIP: $libvirt is missing (Debian: libvirt-daemon-system)"
	exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
	printf 'FAIL: %s\n' "$1"
	exit 1
}

# compile PROFILE: prints it with all that it includes, once the parser has compiled it.
compile() {
	apparmor_parser --skip-kernel-load --skip-cache --quiet -I "$dir" -o "$dir/binary" "$1" &&
		[ -s "$dir/binary" ] && apparmor_parser --preprocess -I "$dir" "$1"
}

if [ -f "$parts/libvirt-qemu.d/vgpu" ]; then
	mkdir -p "$dir/abstractions/libvirt-qemu.d"
	cp "$parts/libvirt-qemu.d/vgpu" "$dir/abstractions/libvirt-qemu.d/vgpu"
	cat >"$dir/domain" <<-END
	#include <tunables/global>
	profile libvirt-11111111-1111-4111-8111-111111111111 flags=(attach_disconnected) {
	  #include <abstractions/libvirt-qemu>
	  include if exists <abstractions/libvirt-qemu.d>
	}
	END
	compile "$dir/domain" >"$dir/whole" || fail "a domain's profile"
	for rule in '/qemu-system-x86_64-vgpu rmix,' '/vgpu-qemu.so mr,' '/vgpu/link/\*.sock rw,'; do
		grep -q "^ *[^ #]*$rule" "$dir/whole" || fail "no $rule in a domain's profile"
	done
	echo "nonsense" >>"$dir/abstractions/libvirt-qemu.d/vgpu"
	! compile "$dir/domain" >/dev/null 2>&1 || fail "the parser does not look at our part"
fi
compile "$parts/vgpu-mediatord" >/dev/null || fail "the mediator's profile"
