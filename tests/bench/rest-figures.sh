#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/bench/rest runs, and prints the object that its readers expect; what the figures are is not
# tested. nginx is measured where it is installed.
# shellcheck source=tests/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
[ -x "$top_builddir/tests/bench/rest-client" ] || skip "rest-client is not built"

"$top_srcdir/tests/bench/rest" --seconds 0.3 --json >"$dir/json"
for key in reads_per_s read_p99_ms read_all_ms patch_p99_ms; do
	[ "$(jq ".$key > 0" "$dir/json")" = true ] || fail "$key: $(cat "$dir/json")"
done
for key in reads_per_core_s idle_cpu_percent bytes_per_vm idle_channels_cpu_percent; do
	[ "$(jq ".$key >= 0" "$dir/json")" = true ] || fail "$key: $(cat "$dir/json")"
done
type=number
PATH=$PATH:/usr/sbin command -v nginx >/dev/null || type=null
for key in nginx_reads_per_s nginx_reads_per_core_s; do
	[ "$(jq -r ".$key | type" "$dir/json")" = $type ] || fail "$key: $(cat "$dir/json")"
done
expect 64 "Usage: " "$top_srcdir/tests/bench/rest" --fast
finish
