#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Native measurements stand beside those of the same size, and what are none is refused.
set -eu
# shellcheck source=tests/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need jq
rings=$top_srcdir/tests/bench/rings

cat >"$dir/ours" <<-'END'
{"noop_polling": {"p50_us": 0.4}, "launch_sync": {"p50_us": 9.5, "p99_us": 12},
 "h2d": [{"bytes": 4096, "gb_per_s": 0.5, "native_gb_per_s": null},
         {"bytes": 16384, "gb_per_s": 1.5, "native_gb_per_s": null}],
 "d2h": [{"bytes": 4096, "gb_per_s": 0.4, "native_gb_per_s": null}],
 "vector_add": {"elements": 1048576, "us": 258, "native_us": null}}
END
cat >"$dir/native" <<-'END'
{"gpu": "a GPU", "launch_sync": {"p50_us": 8.7, "backend_p50_us": 8.8},
 "h2d": [{"bytes": 4096, "gb_per_s": 0.55}, {"bytes": 65536, "gb_per_s": 7}],
 "d2h": [{"bytes": 4096, "gb_per_s": 0.6}],
 "vector_add": {"elements": 1048576, "us": 267}}
END

# join NATIVE: $dir/ours with NATIVE, a JSON text.
join() {
	jq -c --argjson native "$1" -f "$top_srcdir/tests/bench/native.jq" "$dir/ours"
}

# joined NATIVE FILTER WANTED
joined() {
	local got

	got=$(join "$1" | jq -c "$2")
	[ "$got" = "$3" ] || fail "$2 with $1: $got, not $3"
}

all=$(cat "$dir/native")
natives='[.h2d[].native_gb_per_s, .d2h[].native_gb_per_s, .launch_sync.native_p50_us, .vector_add.native_us]'
joined "$all" "$natives" '[0.55,null,0.6,8.7,267]'
joined "$all" '[.h2d[].gb_per_s, .launch_sync.p50_us, .noop_polling.p50_us, .vector_add.us]' '[0.5,1.5,9.5,0.4,258]'
joined null "$natives" '[null,null,null,null,null]'
joined '{"d2h": [{"bytes": 4096, "gb_per_s": 1}]}' "$natives" '[null,null,1,null,null]'
joined '{"vector_add": {"elements": 4, "us": 1}}' .vector_add.native_us null

for wrong in '[]' '7' '{"h2d": {}}' '{"d2h": [1]}' '{"h2d": [{"bytes": 4096}]}' \
	'{"h2d": [{"bytes": 4096, "gb_per_s": 0}]}' '{"d2h": [{"bytes": "4096", "gb_per_s": 1}]}' \
	'{"launch_sync": 8}' '{"launch_sync": {}}' '{"vector_add": {"us": 1}}' \
	'{"vector_add": {"elements": 4, "us": "1"}}'; do
	expect 5 "no native measurements" join "$wrong"
done

echo '{' >"$dir/broken"
expect 64 "--native needs --json" "$rings" --native "$dir/native"
expect 64 "Usage" "$rings" --json --native
expect 66 "$dir/none" "$rings" --json --native "$dir/none"
expect 65 "$dir/broken" "$rings" --json --native "$dir/broken"
finish
