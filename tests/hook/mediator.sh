#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# With the real mediator: a start registers the VM, an end marks it detached and keeps the record, a
# refusal is told in the mediator's words.
. "${top_srcdir:?}/tests/hook/lib.sh"
mediatord=$top_builddir/mediatord/vgpu-mediatord
[ -x "$mediatord" ] || {
	echo "vgpu-mediatord is not built"
	exit 77
}
for tool in curl jq; do
	command -v "$tool" >/dev/null || {
		echo "$tool is missing (Debian: $tool)"
		exit 77
	}
done
uuid=6f1f2c3d-0a1b-4c5d-8e9f-001122334455

cat >"$tmp/mediatord.conf" <<END
[mediatord]
control-socket = $tmp/control.sock
link-dir = $tmp/link
state = $tmp/state.db
libvirt-run-dir = $tmp
keeper = $top_builddir/vgpu-keeper
worker = /bin/false
[pool A]
gpus = 0
[pool B]
gpus = 1
[profile gold]
pool = A
priority = high
[profile bronze]
pool = A
priority = low
gpu-memory = 1GiB
END
"$mediatord" --config "$tmp/mediatord.conf" 2>"$tmp/mediatord.log" &
server=$!
for _ in {1..1200}; do
	[ ! -S "$tmp/control.sock" ] || break
	kill -0 "$server" || break
	sleep 0.05
done
[ -S "$tmp/control.sock" ] || {
	cat "$tmp/mediatord.log"
	exit 1
}
configure

# vm FILTER VALUE: what the mediator says of the VM.
vm() {
	local got
	got=$(curl -s --max-time 60 --unix-socket "$tmp/control.sock" "http://localhost/v1/vms/$uuid" | jq -r "$1")
	[ "$got" = "$2" ] || failed "$1 is $got, not $2"
}

expect plain 0 '' prepare begin <"$top_srcdir/tests/xml/data/bare.xml"
[ "$(curl -s --unix-socket "$tmp/control.sock" http://localhost/v1/vms)" = '{"vms":[]}' ] ||
	failed "a domain without a vGPU was registered"
expect release-unknown 0 '' release end <"$attached"

expect prepare 0 '' prepare begin <"$attached"
vm .name q35
vm .profile gold
vm .priority high
vm .sources.profile domain
vm .attached true
[ -S "$tmp/link/$uuid.sock" ] || failed "no link socket"
expect again 0 '' prepare begin <"$attached"
expect release 0 '' release end <"$attached"
vm .attached false
vm .profile gold

# The next start replaces what the last one said.
sed 's/profile="gold"/pool="B" priority="low"/; s|<name>.*</name>|<name>"\\ \&lt;ü😀</name>|' \
	"$attached" >"$tmp/changed.xml"
domain='"\ <ü😀'
expect changed 0 '' prepare begin <"$tmp/changed.xml"
vm .pool B
vm .priority low
vm .sources.profile default
vm .name '"\ <ü😀'

sed 's/profile="gold"/profile="platinum"/' "$attached" >"$tmp/refused.xml"
expect refused 1 '^vgpu: .*"platinum"' prepare begin <"$tmp/refused.xml"
sed 's/profile="gold"/pool="Z"/' "$attached" >"$tmp/refused.xml"
expect refused 1 '^vgpu: .*"Z"' prepare begin <"$tmp/refused.xml"
vm .pool B

# Priorities up to the profile's, and quotas.
sed 's/profile="gold"/profile="bronze" priority="medium"/' "$attached" >"$tmp/refused.xml"
expect above 1 '^vgpu: the domain.s metadata asks for priority "medium", and profile "bronze" allows' \
	prepare begin <"$tmp/refused.xml"
vm .pool B
vgpu='<vgpu:vgpu xmlns:vgpu="urn:vgpu-toolkit:domain:1" profile="bronze" priority="low"'
vgpu+='><vgpu:quotas gpu-memory="2GiB" longest-job="2s" channels="0"/><vgpu:attached'
sed "s|<vgpu:vgpu .*|$vgpu|; s|^ *<vgpu:attached||" "$attached" >"$tmp/quotas.xml"
expect quotas 0 '' prepare begin <"$tmp/quotas.xml"
vm .priority low
vm .quotas.gpu_memory_bytes 2147483648
vm '.sources["quotas.gpu_memory_bytes"]' domain
vm .quotas.longest_job_ms 2000
vm .quotas.channels 0
vm '.sources["quotas.channels"]' domain
vm '.sources["quotas.burst"]' profile

# Every name that libvirt allows: tab, carriage return and C1 controls, too.
for domain in ' ' -x --config '%s%n' ... $'a\tb' $'a\rb' $'a\u009bb' "a\"b'c&<"; do
	expect "name $domain" 0 '' prepare begin <"$attached"
	[ "$(curl -s --unix-socket "$tmp/control.sock" "http://localhost/v1/vms/$uuid" |
		jq -j .name)" = "$domain" ] || failed "name $domain is another"
done
finish
