#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/bench/cloudstack-sync prints every figure that docs/benchmarks.md has of it: here of a small
# site, whose requests are as many as they are said to be. How long they take is no test.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need jq
[ -x "$top_builddir/cloudstack-plugin/vgpu-cloudstack" ] || skip "vgpu-cloudstack is not built"
figures=$(timeout 120 "$top_srcdir/tests/bench/cloudstack-sync" --hosts 3 --vms 30 --offerings 8 --json)
[ "$(jq -c '[.hosts, .vms, .requests, .requests_per_host]' <<<"$figures")" = '[3,30,9,3]' ] ||
	fail "$figures"
for figure in seconds megabytes host_p50_ms host_p99_ms host_cpu_ms host_memory_kib; do
	jq -e ".$figure | numbers" <<<"$figures" >/dev/null || fail "no $figure: $figures"
done
finish
