#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CloudStack's agent gives a domain's XML and gets it with vGPUs in place of seats; and what it gets
# for bad input. Never a byte that is not the document.
# shellcheck source=tests/cloudstack/agent.bash
. "${top_srcdir:?run by make check}/tests/cloudstack/agent.bash"

transform() {
	agent "$program" transform --seats "$work/seats.json" --profiles "$work/profiles.json" \
		transform "$1"
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

# ended NAME XML: success and nothing on standard output: the agent starts nothing.
ended() {
	transform "$2"
	[ "$status" = 0 ] || failed "$1: status $status"
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
asks="<metadata><v:vgpu xmlns:v='urn:vgpu-toolkit:domain:1' profile='x'/>"
refused "another profile by other metadata" "${xml/<metadata>/"$asks"}"
asks="<metadata><v:vgpu xmlns:v='urn:vgpu-toolkit:domain:1' seat='$gold2'/>"
refused "another seat by other metadata" "${xml/<metadata>/"$asks"}"
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

# A domain without a seat has a vGPU by its offering's name, or its host tags, where a file says so.
# gets NAME PROFILE XML
gets() {
	transform "$3"
	[ "$status" = 0 ] || failed "$1: status $status"
	[ "$(at '//*[local-name()="vgpu"]/@profile')" = "$2" ] || failed "$1: $(cat "$work/out")"
	[ "$(at 'count(//*[local-name()="vgpu"]/@seat)')" = 0 ] || failed "$1: it has a seat"
	[ "$(at '//*[local-name()="arg"][1]/@value')" = -device ] || failed "$1: no device"
	# What is there is not put in again, as by two hooks of one agent.
	same "$1 again" "$(cat "$work/out")"
}
# tagged TAGS: the agent's, of an offering with host tags.
tagged() {
	local xml
	xml=$(domain)
	xml=${xml/gpu.gold/plain}
	printf %s "${xml/<host_tags\/>/<host_tags>$1<\/host_tags>}"
}
same "no file of profiles" "$(domain)"
echo '{"offerings":{"gpu.gold":"gold","gpu \u00fc = &":"odd"},"host_tags":{"ssd-gpu":"silver","x":"bronze"}}' \
	>"$work/profiles.json"
xml=$(domain)
gets "an offering" gold "$xml"
[[ $(at '//*[local-name()="arg"][2]/@value') == vgpu,*link=/run/vgpu/link/* ]] || failed "the device"
other=$'\n gpu ü = &amp; '
gets "another name" odd "${xml/gpu.gold/"$other"}"
gets "a host tag" silver "$(tagged ssd-gpu)"
gets "host tags between commas" silver "$(tagged ' fast, ssd-gpu,')"
gets "host tags as elements" bronze "$(tagged '<tag>fast</tag><tag>x</tag>')"
gets "an offering before its tags" gold "${xml/<host_tags\/>/<host_tags>x<\/host_tags>}"
same "an offering without a profile" "${xml/gpu.gold/plain}"
same "other host tags" "$(tagged fast,large)"
same "no offering" "${xml//service_offering>/other>}"
same "a system VM" "${xml/i-2-34-VM/v-2-VM}"
same "another namespace" "${xml/cloudstack.apache.org\/instance/example.org}"
same "resource tags" "$(tagged '' | sed 's,<owner>,<resource_tags><service_offering><name>gpu.gold</name></service_offering></resource_tags>&,')"
transform "$(domain "$(hostdev $gold)")"
[ "$(at '//*[local-name()="vgpu"]/@seat')" = $gold ] || failed "the offering went before the seat"

# What is to have a vGPU and cannot get it does not start without.
ended "host tags of two profiles" "$(tagged ssd-gpu,x)"
machine="machine='pc'"
ended "a machine that takes no vGPU" "${xml/"$machine"/"${machine/pc/isapc}"}"
asks="<metadata><v:vgpu xmlns:v='urn:vgpu-toolkit:domain:1' profile='gold'/>"
ended "metadata of a tenant's" "${xml/<metadata>/"$asks"}"
two="<metadata><c:instance xmlns:c='http://cloudstack.apache.org/instance'/>"
refused "two instances" "${xml/<metadata>/"$two"}"
refused "two offerings" "${xml/<owner>/<service_offering><name>x</name></service_offering><owner>}"
refused "two <metadata>" "${xml/<metadata>/<metadata/><metadata>}"
refused "cut off behind the metadata" "${xml:0:900}"

# Metadata that an offering's extraconfig brings counts where the file says so.
asks=${asks/gold/iron}
xml=${xml/gpu.gold/plain}
same "metadata that asks" "${xml/<metadata>/"$asks"}"
echo '{"extraconfig":true}' >"$work/profiles.json"
gets "metadata that asks, allowed" iron "${xml/<metadata>/"$asks"}"
same "no metadata that asks" "$xml"

# A file that cannot be read keeps none from starting; seats do not depend on it.
for bad in '<html>' '[]' '{"offering":{}}' '{"offerings":[]}' '{"host_tags":{"x":1}}' '{"extraconfig":1}' \
	'{"offerings":{},"offerings":{}}'; do
	echo "$bad" >"$work/profiles.json"
	refused "$bad" "$(domain)"
done
transform "$(domain "$(hostdev $gold)")"
[ "$(at '//*[local-name()="vgpu"]/@seat')" = $gold ] || failed "a seat depends on the profiles"
rm "$work/profiles.json"

# Another call than the agent's.
agent "$program" transform --seats "$work/seats.json" onStart i-2-1-VM
[ "$status:$(wc -c <"$work/out")" = 1:0 ] || failed "another method: $(cat "$work/out")"
agent "$program" transform --sits x transform "$(domain)"
[ "$status:$(wc -c <"$work/out")" = 1:0 ] || failed "another option: $(cat "$work/out")"

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
