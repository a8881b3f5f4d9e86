#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Domains without a guest in them, which libvirt starts in no time: names of any character, ten at
# once, transient ones, drift, and what a domain with a vGPU cannot do.
set -eu
# shellcheck source=tests/system/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/system/lib.sh"
isolate "$@"
[ -x "$VGPU_PKGLIBEXECDIR/vgpu-reconciler" ] || skip "vgpu-reconciler is not built (Debian: libvirt-dev)"
need xmllint libxml2-utils

# uuid N, domain NAME UUID [METADATA]: the smallest domain that asks for a vGPU. NAME is XML.
uuid() {
	printf '6f0f6c1e-5d0b-4f8f-9a57-3f0f9d7c1%03d' "$1"
}
domain() {
	cat <<-END
	<domain type='qemu'>
	  <name>$1</name>
	  <uuid>$2</uuid>
	  <metadata><vgpu:vgpu xmlns:vgpu='urn:vgpu-toolkit:domain:1' ${3-}/></metadata>
	  <memory unit='MiB'>16</memory>
	  <os><type arch='x86_64' machine='q35'>hvm</type></os>
	  <features><acpi/></features>
	  <on_crash>destroy</on_crash>
	  <devices>
	    <emulator>/usr/bin/qemu-system-x86_64</emulator>
	    <controller type='usb' model='none'/>
	    <memballoon model='none'/>
	  </devices>
	</domain>
	END
}

# define NAME UUID [METADATA]: and waits for its vGPU.
define() {
	domain "$@" >"$work/$2.xml"
	virsh_ define "$work/$2.xml"
	wait_until 60 "the definition has its vGPU" has_vgpu "$2"
}
has_vgpu() {
	virsh_ dumpxml --inactive "$1" | grep -q 'value=.vgpu,'
}
is_up() {
	vm_is '.attached and .link.state == "up" and .domain.state == "running"' "$1"
}
is_down() {
	vm_is '.attached == false and .link.state == "down" and .domain.state == "inactive"' "$1"
}
is_gone() {
	! rest GET "/v1/vms/$1"
}
drifts() {
	vm_is ".domain.drift | any(.what == \"$2\" and (.detail | test(\"$3\")))" "$1"
}

start_libvirt_with_hook() {
	install_hook
	start_libvirt
}
start_libvirt_with_hook
start_mediator

# Names, through libvirt, hook, QEMU's link and the pid file by which its process is known.
n=0
names=(' ' '-x' 'a b' '%s%n' 'a&quot;b&apos;c&amp;&lt;' 'a&#9;b' '...' 'a&#155;b' 'ü😀'
	"\${HOME}\`id\`")
for name in "${names[@]}"; do
	n=$((n + 1))
	define "$name" "$(uuid $n)"
done
say "$n domains are defined"

# All of them at once.
for i in $(seq $n); do
	virsh_ start "$(uuid "$i")" >"$work/start-$i" 2>&1 &
done
for i in $(seq $n); do
	wait_until 60 "domain $i of $n is up: $(cat "$work/start-$i")" is_up "$(uuid "$i")"
	[ "$(rest GET "/v1/vms/$(uuid "$i")" | jq -j .name)" = "$(virsh_ dumpxml "$(uuid "$i")" |
		xmllint --xpath 'string(/domain/name)' -)" ] || fail "another name: $(vm .name "$(uuid "$i")")"
	vm_is '.domain.drift == []' "$(uuid "$i")" || fail "drift: $(vm .domain "$(uuid "$i")")"
done
say "$n domains are up"
for i in $(seq $n); do
	virsh_ destroy "$(uuid "$i")" &
done
for i in $(seq $n); do
	wait_until 60 "domain $i is down" is_down "$(uuid "$i")"
done
for i in $(seq $n); do
	virsh_ undefine "$(uuid "$i")"
	wait_until 60 "record $i goes" is_gone "$(uuid "$i")"
done

# A transient domain takes its record along; what only an operator registered stays.
transient=$(uuid 100)
operators=$(uuid 101)
rest PUT "/v1/vms/$operators" '{"weight": 7}' >/dev/null
domain transient "$transient" | "$VGPU_BINDIR/vgpu-xml" attach >"$work/transient.xml"
virsh_ create "$work/transient.xml"
wait_until 60 "the transient domain is up" is_up "$transient"
virsh_ destroy "$transient"
wait_until 60 "its record goes" is_gone "$transient"
stop_mediator
start_mediator
wait_until 60 "the operator's VM is seen without a domain" \
	vm_is '.weight == 7 and .domain.state == "none"' "$operators"

# What a domain with a vGPU cannot do: it says which device it is, and goes on.
vm=$(uuid 200)
define guest "$vm" "profile='gold'"
virsh_ start guest
wait_until 60 "the domain is up" is_up "$vm"
refused() {
	expect 1 virsh_ "$@"
	grep -q vgpu "$work/output" || fail "$*: does not name the vGPU: $(cat "$work/output")"
	[ "$(virsh_ domstate guest)" = running ] || fail "$*: the domain is $(virsh_ domstate guest)"
}
refused managedsave guest
refused save guest "$work/guest.save"
refused migrate guest qemu+unix:///system --live
refused snapshot-create-as guest one --memspec "$work/guest.memory"
is_up "$vm" || fail "not up after what was refused: $(vm . "$vm")"

# Drift: metadata that says something else, in the definition and in what runs.
virsh_ metadata guest --uri urn:vgpu-toolkit:domain:1 --key vgpu --config \
	--set "$(virsh_ metadata guest --uri urn:vgpu-toolkit:domain:1 --config |
		sed 's/profile="gold"/profile="default" priority="low"/')"
wait_until 60 "another profile from the next start on" drifts "$vm" definition 'profile is .default.*gold'
"$VGPU_SBINDIR/vgpuctl" --socket "$control" vm show guest >"$work/output" 2>&1 ||
	"$VGPU_BINDIR/vgpuctl" --socket "$control" vm show guest >"$work/output"
grep -q '^drift: definition ' "$work/output" || fail "vm show: $(cat "$work/output")"
virsh_ metadata guest --uri urn:vgpu-toolkit:domain:1 --key vgpu --live \
	--set "$(virsh_ metadata guest --uri urn:vgpu-toolkit:domain:1 --live |
		sed 's/profile="gold"/profile="default"/')"
wait_until 60 "another profile than registered" drifts "$vm" profile 'default.*gold.* is registered'
# The operator's word is none.
rest PUT "/v1/vms/$vm" '{"profile": "gold"}' >/dev/null
virsh_ metadata guest --uri urn:vgpu-toolkit:domain:1 --key vgpu --live \
	--set "$(virsh_ metadata guest --uri urn:vgpu-toolkit:domain:1 --live |
		sed 's/profile="default"/profile="default" pool="A"/')"
wait_until 60 "no drift where the operator chose" \
	vm_is '.domain.drift | any(.what == "profile") | not' "$vm"
virsh_ destroy guest
wait_until 60 "the domain is down" is_down "$vm"
rest PUT "/v1/vms/$vm" '{}' >/dev/null
virsh_ start guest
wait_until 60 "the next start has the new values" \
	vm_is '.profile == "default" and .priority == "low" and .domain.drift == []' "$vm"

# A copy has the link of the domain that it is a copy of, and metadata that is set anew asks for
# another window and has no note of the attach: the definition gets a vGPU that fits.
copy=$(uuid 201)
device_is() {
	virsh_ dumpxml --inactive copy | grep -q "value=.vgpu,.*$1"
}
virsh_ dumpxml --inactive guest |
	sed "s|<name>.*<|<name>copy<|; s|<uuid>.*<|<uuid>$copy<|" >"$work/copy.xml"
virsh_ define "$work/copy.xml"
wait_until 60 "the copy has a link of its own" device_is "link=$link_dir/$copy.sock,"
virsh_ metadata copy --uri urn:vgpu-toolkit:domain:1 --key vgpu --config \
	--set '<vgpu profile="gold" window-size="1MiB"/>'
wait_until 60 "the window is as the metadata says" device_is window-size=1M,
virsh_ start copy
wait_until 60 "the copy is up" is_up "$copy"
virsh_ destroy copy
wait_until 60 "the copy is down" is_down "$copy"
# Out again, where the note went with the metadata.
virsh_ metadata copy --uri urn:vgpu-toolkit:domain:1 --config --remove
virsh_ dumpxml --inactive copy | "$VGPU_BINDIR/vgpu-xml" detach >"$work/copy.xml"
virsh_ define "$work/copy.xml"
! virsh_ dumpxml --inactive copy | grep vgpu || fail "something of the vGPU stays"
virsh_ undefine copy
wait_until 60 "its record goes" is_gone "$copy"

# A priority above the profile's, and a process that dies.
sed "s/profile='gold'/priority='high'/" "$work/$vm.xml" >"$work/high.xml"
virsh_ define "$work/high.xml"
wait_until 60 "the definition has its vGPU" has_vgpu guest
kill -9 "$(cat /run/libvirt/qemu/guest.pid)"
wait_until 60 "the domain that crashed is down" is_down "$vm"
expect 1 virsh_ start guest
grep -q 'priority "high", and profile "default" allows "medium"' "$work/output" ||
	fail "why it does not start: $(cat "$work/output")"

# Turned off, a definition stays as it is, and shows what it lacks.
stop_mediator
attach_nothing
virsh_ define "$work/$vm.xml"
start_mediator
wait_until 60 "the definition lacks its vGPU" drifts "$vm" device 'has no vGPU: run vgpu-xml attach'
! has_vgpu guest || fail "the definition got its vGPU"
