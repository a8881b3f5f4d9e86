#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A QEMU that dies in the middle of requests: its worker goes, the VM stays registered, and the same
# VM is served when it is started again.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
start_libvirt
define_guest
register
boot_guest
put_vectors 100000

begin_adding
kill -KILL "$(cat /run/libvirt/qemu/guest.pid)"
wait_until 60 "the link is down" vm_is '.link.state == "down" and .link.pid == null'
wait_until 60 "no worker is left over" no_process "$worker"
wait_until 60 "libvirt saw the end" eval '[ "$(virsh_ domstate guest)" = "shut off" ]'
wait_until 60 "the dead VM holds no GPU memory" vm_is '.usage.gpu_memory_bytes == 0'
only_sockets "$control" "$keeper_socket" "$link_dir/$guest_uuid.sock"

boot_guest
until_served "a new QEMU"
put_vectors 1000
add_vectors || fail "no sum after QEMU died"
check_sum

virsh_ destroy guest
rest DELETE "/v1/vms/$guest_uuid"
wait_until 60 "no worker is left over" no_process "$worker"
only_sockets "$control" "$keeper_socket"
