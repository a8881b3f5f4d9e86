#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A guest that reboots, or is reset, while a request is under way finds its device as new: no stale
# completion, nothing allocated, and the next addition is right.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest

# register_of OFFSET: a BAR0 register, as the guest reads it.
register_of() {
	in_guest 'for dir in /sys/bus/pci/devices/*; do
		[ "$(cat $dir/vendor)$(cat $dir/device)" = 0x1af40x10f0 ] || continue
		echo 1 >$dir/enable
		read -r base rest <$dir/resource
		devmem $((base + '"$1"')) 32
	done'
}

new_boot() {
	in_guest_of guest 5 "test ! -e /tmp/a"
}

for how in reboot reset; do
	put_vectors 100000
	begin_adding
	case $how in
	reboot) in_guest_of guest 1 "reboot -f" 2>/dev/null || true ;; # it cannot answer
	reset) virsh_ reset guest ;;
	esac
	wait_until 180 "the guest is up again" new_boot
	# STATUS is IDLE and stays so; no response and no interrupt is pending.
	for _ in 1 2 3 4 5; do
		[ "$(register_of 0x4)" = 0x00000000 ] || fail "STATUS is not IDLE after the $how"
		[ "$(register_of 0x1C)" = 0x00000000 ] || fail "a response is there after the $how"
		[ "$(register_of 0x2C)" = 0x00000000 ] || fail "an interrupt is pending"
	done
	wait_until 60 "what the guest held is freed" vm_is '.usage.gpu_memory_bytes == 0'
	until_served "after the $how"
	put_vectors 1000
	add_vectors || fail "no sum after the $how"
	check_sum
done
