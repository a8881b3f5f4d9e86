#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A domain gets its vGPU when it is defined, and a guest keeps it over its reboot and over restarts
# of the mediator, the reconciler and libvirtd, in whatever order; what the hook could not say, the
# reconciler does.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"
reconciler=$VGPU_PKGLIBEXECDIR/vgpu-reconciler
[ -x "$reconciler" ] || skip "vgpu-reconciler is not built (Debian: libvirt-dev)"

has_vgpu() {
	virsh_ dumpxml --inactive "${1:-guest}" | grep -q 'value=.vgpu,'
}

# define_plain: with the metadata alone.
define_plain() {
	"$scripts/guest-domain" guest "$guest_uuid" "$work/image" /usr/bin/qemu-system-x86_64 \
		"$work/console/guest" q35 gold >"$work/guest-plain.xml"
	virsh_ define "$work/guest-plain.xml"
}

serves() {
	in_guest_of guest 60 "vgpu-agent --timeout 30 nop"
}

unknown() {
	! rest GET "/v1/vms/$guest_uuid"
}

stop_libvirtd() {
	local pid
	pid=$(pids_of /usr/sbin/libvirtd)
	kill "$pid"
	wait_until 60 "libvirtd ends" no_process /usr/sbin/libvirtd
}

# Before libvirt, the mediator waits for it.
start_mediator
install_hook
start_libvirt
define_plain
wait_until 60 "the definition has its vGPU" has_vgpu
unknown >"$work/output" || fail "registered before its start"
boot_guest
wait_until 60 "the domain is seen running" \
	vm_is '.attached and .domain.state == "running" and .domain.drift == []'
wait_until 60 "it is served" serves
say "defined, and booted with its vGPU"

virsh_ reset guest
wait_guest
wait_until 60 "it is served after a reboot" serves
vm_is '.attached' || fail "detached by a reboot"

kill -9 "$(pids_of "$reconciler")"
stop_libvirtd
libvirtd -d
wait_until 60 "libvirtd answers" virsh_ list
[ "$(virsh_ domstate guest)" = running ] || fail "libvirtd's restart ended the guest"
wait_until 60 "it is served after libvirtd's restart" serves

# The mediator's end and beginning, the VM unknown to it: its hook is not called again.
stop_mediator
wait_until 60 "the reconciler ends with its mediator" no_process "$reconciler"
rm "$work"/state/state.db*
start_mediator
wait_until 60 "the running VM is registered" \
	vm_is '.attached and .name == "guest" and .profile == "gold" and .domain.state == "running"'
wait_until 60 "it is served by another mediator" serves
say "known again"

# An end that no hook told: the process is killed while libvirtd is away, and the hook with it.
rm /etc/libvirt/hooks/qemu.d/vgpu
stop_libvirtd
kill -9 "$(cat /run/libvirt/qemu/guest.pid)"
libvirtd -d
wait_until 60 "the VM is detached" vm_is '.attached == false and .domain.state == "inactive"'
[ "$(vm .profile)" = gold ] || fail "its record went"

# Both in a new order, and what was defined meanwhile.
stop_mediator
"$VGPU_BINDIR/vgpu-xml" detach <"$work/guest-plain.xml" | virsh_ define /dev/stdin
! has_vgpu || fail "the definition still has its vGPU"
start_mediator
wait_until 60 "the definition has its vGPU again" has_vgpu
virsh_ undefine guest
wait_until 60 "the record goes with the domain" unknown
