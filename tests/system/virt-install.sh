#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A domain that virt-install made boots with its vGPU after only its metadata was set: README.md's
# four commands, with a guest to boot in place of the first one's dots.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
# Debian's python3 has what virt-install needs.
PATH=/usr/bin:/bin:$PATH
need virt-install virtinst
isolate "$@"
[ -x "$VGPU_PKGLIBEXECDIR/vgpu-reconciler" ] ||
	skip "vgpu-reconciler is not built (Debian: libvirt-dev)"

mapfile -t commands < <(sed -n '/^    virt-install --name db1/,/^$/s/^    //p' "$top_srcdir/README.md")
[ ${#commands[@]} -eq 4 ] || fail "README.md has ${#commands[@]} commands: ${commands[*]}"
guest="--import --memory 256 --virt-type qemu --osinfo generic --disk none --network none
	--graphics none --noautoconsole --serial file,path=$work/console/db1
	--boot kernel=$work/image/vmlinuz,initrd=$work/image/initrd,kernel_args='console=ttyS0 quiet panic=-1 no_timer_check'
	--channel unix,mode=bind,target.type=virtio,target.name=org.vgpu.guest"

has_vgpu() {
	virsh_ dumpxml --inactive db1 | grep -q 'value=.vgpu,'
}

start_mediator
install_hook
start_libvirt
export PATH=$VGPU_SBINDIR:$VGPU_BINDIR:$PATH LIBVIRT_DEFAULT_URI=qemu:///system HOME=$work
install=${commands[0]/.../$guest}
eval "${install//$'\n'/ }" >"$work/output" 2>&1 || fail "virt-install: $(cat "$work/output")"
say "virt-install is done"
[ "$(virsh_ domstate db1)" = "shut off" ] || fail "the domain is $(virsh_ domstate db1)"
eval "${commands[1]}"
wait_until 60 "the definition has its vGPU" has_vgpu
eval "${commands[2]}"
wait_guest db1
eval "${commands[3]}" >"$work/output"
grep -q db1 "$work/output" || fail "$(cat "$work/output")"
in_guest_of db1 60 "vgpu-agent --timeout 10 nop" || fail "the vGPU is not served"
virsh_ destroy db1
