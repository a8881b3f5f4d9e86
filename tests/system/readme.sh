#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The four commands of README.md: a domain that was defined without a thought of a vGPU boots with
# one after its metadata was set. The commands are those that stand there. virt-install.sh runs the
# first one too.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"
[ -x "$VGPU_PKGLIBEXECDIR/vgpu-reconciler" ] ||
	skip "vgpu-reconciler is not built (Debian: libvirt-dev)"

mapfile -t commands < <(sed -n '/^    virt-install --name db1/,/^$/s/^    //p' "$top_srcdir/README.md")
[ ${#commands[@]} -eq 4 ] || fail "README.md has ${#commands[@]} commands: ${commands[*]}"

has_vgpu() {
	virsh_ dumpxml --inactive db1 | grep -q 'value=.vgpu,'
}

start_mediator
install_hook
start_libvirt
# In place of virt-install: what it leaves, a definition.
"$scripts/guest-domain" db1 "$guest_uuid" "$work/image" /usr/bin/qemu-system-x86_64 \
	"$work/console/db1" | sed '/<metadata>/,/<\/metadata>/d' >"$work/db1.xml"
virsh_ define "$work/db1.xml"
export PATH=$VGPU_SBINDIR:$VGPU_BINDIR:$PATH LIBVIRT_DEFAULT_URI=qemu:///system
eval "${commands[1]}"
wait_until 60 "the definition has its vGPU" has_vgpu
eval "${commands[2]}"
wait_guest db1
eval "${commands[3]}" >"$work/output"
grep -q db1 "$work/output" || fail "$(cat "$work/output")"
in_guest_of db1 120 "vgpu-agent --timeout 60 nop" || fail "the vGPU is not served"

# Another way, from XML to XML; and back.
virsh_ dumpxml --inactive db1 | vgpu-xml detach | vgpu-xml attach --profile default |
	virsh_ define --validate /dev/stdin || fail "what vgpu-xml makes is refused"
virsh_ destroy db1
