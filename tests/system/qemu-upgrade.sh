#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# QEMU is of another version than the device module is for, as after its upgrade: libvirt shows the
# operator what to run instead of starting the VM, and starts it once that was done, without a restart.
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"
other=$top_builddir/tests/qemu/.libs/other-version.so
module=$(sed -n 's/^module=\${VGPU_QEMU_MODULE:-\(.*\)}$/\1/p' "$emulator")
[ -f "$other" ] || skip "$other is missing: make check builds it"
[ -f "$module" ] || fail "the wrapper names the module $module"

# Others use the same installation: what changes here is a copy.
cp -p "$emulator" "$work/wrapper"
mount --bind "$work/wrapper" "$emulator"

reason="device module is for QEMU 1\.2\.3 (Elsewhere), but this is QEMU .*run vgpu-rebuild-module"

refused() {
	expect 1 virsh_ start guest
	[ "$(virsh_ domstate guest)" = "shut off" ] || fail "the domain runs"
}

start_mediator
start_libvirt
register
define_guest
say "with the module of another QEMU, as libvirt remembers the emulator"
mount --bind "$other" "$module"
refused
# virsh shows the end of the domain's log, as far as virtlogd has written it.
wait_until 60 "the domain's log says what to run" grep -q "$reason" /var/log/libvirt/qemu/guest.log
say "with libvirt looking at the emulator anew"
touch "$work/wrapper"
refused
grep -q "$reason" "$work/output" || { cat "$work/output"; fail "the operator is not told what to run"; }
say "with the module for this QEMU, and the wrapper touched"
umount "$module"
touch "$work/wrapper"
virsh_ start guest || fail "the domain does not start"
wait_until 60 "the device's link is up" vm_is '.link.state == "up"'
virsh_ destroy guest
