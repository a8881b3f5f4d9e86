# SPDX-License-Identifier: Apache-2.0
# For the tests of vgpu-cloudstack: scripts as CloudStack's agent has them, called as it calls them.
# shellcheck shell=bash disable=SC2034  # the tests use what is set here
set -eu
export LC_ALL=C
program=${top_builddir:?run by make check}/cloudstack-plugin/vgpu-cloudstack
[ -x "$program" ] || {
	echo "vgpu-cloudstack is not built"
	exit 77
}
for tool in jq python3 xmllint; do
	command -v "$tool" >/dev/null || {
		echo "$tool is missing (Debian: jq python3 libxml2-utils)"
		exit 77
	}
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
failures=0
gold=aaaaaaaa-0000-4000-8000-000000000001
gold2=aaaaaaaa-0000-4000-8000-000000000002
away=aaaaaaaa-0000-4000-8000-000000000003

failed() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

finish() {
	[ "$failures" -eq 0 ] || exit 1
}

# seat UUID PROFILE NUMBER ADDRESS PRESENT VM: one of the seats' file.
seat() {
	jq -cn --arg uuid "$1" --arg profile "$2" --argjson number "$3" --arg address "$4" \
		--argjson present "$5" --arg vm "$6" '{uuid: $uuid, profile: $profile, number: $number,
		memory_bytes: 8589934592, offered: true, present: $present, gpu: {id: ("GPU-" + $address),
		index: 0, name: "NVIDIA H100", pci_address: $address, memory_bytes: 85899345920},
		vm: (if $vm == "" then null else {uuid: $uuid, name: $vm} end)}'
}

# What the mediator writes.
{
	seat $gold gold 0 00000000:41:00.0 true i-2-9-VM
	seat $gold2 gold 1 00000000:41:00.0 true ''
	seat $away gold 0 00000000:42:00.0 false ''
} | jq -s '{format: 1, link_dir: "/run/vgpu/link", seats: .}' >"$work/seats.json"

# agent PROGRAM ARGUMENT...: as the agent calls its scripts: a bare environment, standard error
# merged into standard output. Sets status; the output is in $work/out.
agent() {
	status=0
	env -i PATH=/usr/bin:/bin timeout 120 "$@" >"$work/out" 2>&1 </dev/null || status=$?
}
