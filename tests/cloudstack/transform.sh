#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CloudStack's agent gives a domain's XML and gets it with vGPUs in place of seats; and what it gets
# for bad input. Never a byte that is not the document.
# shellcheck source=tests/cloudstack/agent.bash
. "${top_srcdir:?run by make check}/tests/cloudstack/agent.bash"

transform() {
	agent "$program" transform --seats "$work/seats.json" transform "$1"
}

# same NAME XML: the document comes back to the byte.
same() {
	transform "$2"
	[ "$status" = 0 ] || failed "$1: status $status"
	printf %s "$2" | cmp -s - "$work/out" || failed "$1: changed: $(head -c 500 "$work/out")"
}

# refused NAME XML: a failure and nothing on standard output: the VM starts with its XML as it was.
refused() {
	transform "$2"
	[ "$status" = 1 ] || failed "$1: status $status"
	[ ! -s "$work/out" ] || failed "$1: wrote $(head -c 500 "$work/out")"
}

# at XPATH: its value in what came back.
at() {
	xmllint --xpath "string($1)" "$work/out"
}

# hostdev UUID: as the agent writes a vGPU.
hostdev() {
	echo "<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='off'><source><address uuid='$1'/></source></hostdev>"
}

# domain [EXTRA-DEVICES]: the agent's, with these before the end of the main <devices>.
domain() {
	local xml
	xml=$(cat "$top_srcdir/tests/xml/data/cloudstack.xml")
	printf %s "${xml/<graphics/${1-}<graphics}"
}

# The seat is swapped, and all else is kept.
foreign=$(hostdev bbbbbbbb-0000-4000-8000-000000000001)
transform "$(domain "$(hostdev $gold)$foreign")"
[ "$status" = 0 ] || failed "a seat: status $status"
xmllint --noout "$work/out" || failed "a seat: $(cat "$work/out")"
! grep -q "hostdev.*$gold" "$work/out" || failed "the seat's hostdev is still there"
[ "$(at '//*[local-name()="vgpu"]/@profile')" = gold ] || failed "no profile in the metadata"
[ "$(at '//*[local-name()="vgpu"]/@seat')" = $gold ] || failed "no seat in the metadata"
[[ $(at '//*[local-name()="arg"][2]/@value') == vgpu,*link=/run/vgpu/link/6f1f2c3d-0a1b-4c5d-8e9f-00112233445b.sock* ]] ||
	failed "the device: $(at '//*[local-name()="arg"][2]/@value')"
[ "$(at 'count(//hostdev[@type="pci"])')" = 1 ] || failed "a foreign hostdev is gone"
[ "$(at 'count(//hostdev[@type="mdev"])')" = 1 ] || failed "a foreign mdev is gone"
[ "$(at 'count(/domain/devices)')" = 2 ] || failed "not two <devices>"
[ "$(at 'count(/domain/cpu)')" = 2 ] || failed "not two <cpu>"
[ "$(at '//service_offering/name')" = gpu.gold ] || failed "CloudStack's metadata is gone"
[[ $(at '//emulator') == *-vgpu ]] || failed "the emulator is $(at '//emulator')"

# In the first <devices> too, in either case, and twice.
xml=$(domain)
transform "${xml/<memballoon/$(hostdev ${gold2^^})$(hostdev $gold2)<memballoon}"
[ "$(at 'count(//hostdev[@type="mdev"])')" = 0 ] || failed "in the first <devices>: $(cat "$work/out")"
[ "$(at '//*[local-name()="vgpu"]/@seat')" = $gold2 ] || failed "no seat of the first <devices>"

# None of ours.
same "no seat" "$(domain)"
same "an unknown uuid" "$(domain "$foreign")"
same "cut off before any device" "$(domain | head -c 400)"
same "no uuid" "$(domain "$(hostdev x)")"
same "no devices" "<domain type='kvm'><name>i-2-1-VM</name></domain>"
for name in r-4-VM s-1-VM v-2-VM; do
	xml=$(domain "$(hostdev $gold)")
	same "$name" "${xml/i-2-34-VM/$name}"
done

# What cannot be served stays as it is.
refused "two seats" "$(domain "$(hostdev $gold)$(hostdev $gold2)")"
xml=$(domain "$(hostdev $gold)")
refused "cut off" "${xml:0:${#xml}-40}"
refused "another profile by other metadata" \
	"${xml/<metadata>/<metadata><v:vgpu xmlns:v='urn:vgpu-toolkit:domain:1' profile='x'/>}"
refused "another seat by other metadata" \
	"${xml/<metadata>/<metadata><v:vgpu xmlns:v='urn:vgpu-toolkit:domain:1' seat='$gold2'/>}"
refused "a DOCTYPE" "<!DOCTYPE domain [<!ENTITY a 'mdev'>]>$xml"
refused "HTML" "<html><body>mdev</body></html>"
refused "nothing" ""

# Many hostdevs, and an argument as long as one can be.
many=
for n in $(seq 1000); do
	many+="<hostdev mode='subsystem' type='mdev'><source><address uuid='$(
		printf 'cccccccc-0000-4000-8000-%012d' "$n"
	)'/></source></hostdev>"
done
same "1000 foreign hostdevs" "$(domain "$many")"
transform "$(domain "${many/cccccccc-0000-4000-8000-000000000500/$gold}")"
[ "$(at 'count(//hostdev[@type="mdev"])')" = 999 ] || failed "1000 hostdevs: $(at 'count(//hostdev)')"
transform "$(domain "$(hostdev $gold)<!--$(head -c 126000 /dev/zero | tr '\0' x)-->")"
[ "$status" = 0 ] || failed "128 KiB: status $status"
[ "$(at '//*[local-name()="vgpu"]/@seat')" = $gold ] || failed "128 KiB: no seat"

# Another call than the agent's.
agent "$program" transform --seats "$work/seats.json" onStart i-2-1-VM
[ "$status:$(wc -c <"$work/out")" = 1:0 ] || failed "another method: $(cat "$work/out")"

# Seats that cannot be read: only a domain with a mediated device depends on them.
echo '<html>' >"$work/seats.json"
same "no seats needed" "$(domain)"
refused "seats that are HTML" "$(domain "$(hostdev $gold)")"
rm "$work/seats.json"
same "never any seats" "$(domain "$(hostdev $gold)")"

# What the agent reads is the document alone, also where standard error is closed.
status=0
"$program" transform transform "$(domain)" 2>&- >"$work/out" || status=$?
domain | cmp -s - "$work/out" || failed "with standard error closed: $status"

# Hints: nothing said, never a failure.
for arguments in "onStart i-2-1-VM" "onStop i-2-1-VM" "onX" ""; do
	# shellcheck disable=SC2086  # several words
	agent "$program" state $arguments
	[ "$status:$(wc -c <"$work/out")" = 0:0 ] || failed "state $arguments: $status $(cat "$work/out")"
done
finish
