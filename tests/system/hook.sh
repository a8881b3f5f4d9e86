#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The libvirt hook: a start registers the VM, an end detaches it, and without a mediator a domain
# with a vGPU does not start, and says why, while one without a vGPU does.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"

start_mediator
install_hook
start_libvirt
define_guest guest "$guest_uuid" q35 gold

expect 22 rest GET "/v1/vms/$guest_uuid" # curl's status for the mediator's 404
boot_guest
vm_is '.attached and .name == "guest" and .profile == "gold" and .priority == "high"' ||
	fail "not registered as its metadata says: $(vm .)"
[ "$(vm .sources.profile)" = domain ] || fail "the profile is not the domain's"
put_vectors 1000
add_vectors || fail "no sum with a VM that the hook registered"
check_sum
[ "$(in_guest "vgpu-agent info --json" | jq -r .priority)" = high ] || fail "not high priority"

# The operator's word stays above the domain's, over a stop and a start.
rest PUT "/v1/vms/$guest_uuid" '{"priority": "low"}' >/dev/null
virsh_ destroy guest
wait_until 60 "the VM is detached" vm_is '.attached == false and .link.state == "down"'
boot_guest
vm_is '.attached and .priority == "low" and .sources.priority == "operator"' ||
	fail "the operator's value was lost: $(vm .)"
virsh_ destroy guest
wait_until 60 "the VM is detached" vm_is '.attached == false'

# A profile that the mediator does not know: no start, and the mediator's reason.
define_guest guest "$guest_uuid" q35 platinum
expect 1 virsh_ start guest
grep platinum "$work/output" || fail "libvirt's error does not name the profile"
[ "$(virsh_ domstate guest)" = "shut off" ] || fail "the domain started"

# No mediator: no start, fast, with a line that says so.
define_guest guest "$guest_uuid" q35 gold
stop_mediator
since=$(now_ms)
expect 1 virsh_ start guest
cat "$work/output"
grep -q 'vgpu: .*mediator' "$work/output" || fail "libvirt's error does not name the mediator"
[ $(($(now_ms) - since)) -lt 30000 ] || fail "the hook held libvirt up"
[ "$(virsh_ domstate guest)" = "shut off" ] || fail "the domain started"

# A domain without a vGPU is none of the hook's business.
"$scripts/guest-domain" other 6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c0002 "$work/image" \
	/usr/bin/qemu-system-x86_64 "$work/console/other" |
	sed '/<metadata>/,/<\/metadata>/d' >"$work/other.xml"
virsh_ define "$work/other.xml"
boot_guest other
virsh_ destroy other

# With a mediator again, the same domain starts as before.
start_mediator
boot_guest
in_guest "vgpu-agent nop" || fail "not served after the mediator came back"
virsh_ destroy guest
