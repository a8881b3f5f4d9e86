#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A second QEMU on a VM's link is refused and logged, and does not disturb the first: neither as a
# process that is not the VM, nor as one of the right uid while the link is in use.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest
qemu_uid=$(stat -c %u "/proc/$(cat /run/libvirt/qemu/guest.pid)")

# second_qemu UID: a QEMU of this uid on the guest's link; $second is its pid.
second_qemu() {
	setpriv --reuid "$1" --clear-groups "$emulator" -machine q35 -accel tcg -display none \
		-nodefaults -S -device "vgpu,link=$link_dir/$guest_uuid.sock,window-size=1M" \
		>"$work/second.log" 2>&1 &
	second=$!
}

# refused_beside_first: the second is refused while the first goes on.
refused_beside_first() {
	local refused link_pid
	refused=$(vm .counters.links_refused)
	link_pid=$(vm .link.pid)
	begin_adding
	second_qemu "$qemu_uid"
	wait_until 60 "a refusal is counted" vm_is ".counters.links_refused > $refused"
	wait_until 60 "the mediator logs the refusal" grep -q refused "$work/mediatord.log"
	wait_until 60 "the second QEMU says that it was refused" grep -q refused "$work/second.log"
	kill -0 "$second" || fail "the second QEMU ended, and would not try again"
	end_adding
	[ "$added" -eq 0 ] || fail "the first VM's addition failed beside a second QEMU"
	check_sum
	kill -KILL "$second"
	wait "$second" || true
	[ "$(vm .link.pid)" = "$link_pid" ] || fail "the link changed hands"
	[ "$(vm .link.state)" = up ] || fail "the first VM's link is down"
	cat "$work/second.log"
}

put_vectors 100000
say "not the VM's process"
refused_beside_first
say "of the VM's uid, while the link is in use"
rest PUT "/v1/vms/$guest_uuid" "{\"name\": \"guest\", \"link_uid\": $qemu_uid}" >/dev/null
refused_beside_first
