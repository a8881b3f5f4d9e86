#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The patch for a QEMU source tree applies, configures, and its objects compile with QEMU's own
# warnings as errors. It takes the source of the installed QEMU, or QEMU_SOURCE's, which is copied.
set -eu
: "${top_srcdir:?the source folder, as make check-system sets it}"
: "${top_builddir:?the build folder, as make check-system sets it}"
for tool in apt-get dpkg-source meson ninja; do
	command -v "$tool" >/dev/null || {
		echo "SKIP: $tool is missing (scripts/qemu-headers --packages lists what is needed)"
		exit 77
	}
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
	printf 'FAIL: %s\n' "$1"
	exit 1
}

${MAKE:-make} -s -C "$top_builddir" device/vgpu-in-tree.patch
patch=$top_builddir/device/vgpu-in-tree.patch
[ -f "$patch" ] || patch=$top_srcdir/device/vgpu-in-tree.patch
if [ -n "${QEMU_SOURCE-}" ]; then
	cp -R "$QEMU_SOURCE" "$dir/source"
else
	"$top_srcdir/scripts/qemu-headers" --source "$dir/source"
fi
(cd "$dir/source" && patch --fuzz=0 -p1) <"$patch" || fail "the patch does not apply"

mkdir "$dir/build"
# Debian's meson belongs to Debian's python3, not to another one that PATH may name.
(cd "$dir/build" && PATH=/usr/bin:$PATH ../source/configure --target-list=x86_64-softmmu \
	--without-default-features --enable-kvm --enable-tcg --enable-modules --disable-docs \
	--disable-tools --enable-werror >configure.log 2>&1) || {
	tail -n 30 "$dir/build/configure.log"
	fail "QEMU does not configure with the patch"
}
grep -qx 'CONFIG_VGPU=y' "$dir/build/x86_64-softmmu-config-devices.mak" ||
	fail "QEMU's configuration does not select the device"
mapfile -t objects < <(ninja -C "$dir/build" -t targets all |
	sed -n -E 's/^(.*hw_misc_vgpu_.*\.o): .*/\1/p')
# Every source file of the patch is built, not just some.
sources=$(grep -c '^+++ b/hw/misc/vgpu/.*\.c$' "$patch")
[ "${#objects[@]}" = "$sources" ] ||
	fail "the patch has $sources C files, but QEMU's build ${#objects[@]} objects of them"
ninja -C "$dir/build" "${objects[@]}" || fail "the device does not compile in QEMU's tree"
nm "$dir/build/"*/hw_misc_vgpu_device_qemu_vgpu-qemu.c.o | grep -q do_qemu_init_vgpu_qemu_register_types ||
	fail "the device does not register itself"
echo "compiled ${#objects[@]} objects in the tree of QEMU $(cat "$dir/source/VERSION")"
