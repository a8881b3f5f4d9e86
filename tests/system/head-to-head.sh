#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/bench/head-to-head runs, and prints the list and the plot that its readers expect; what the
# figures are is not tested.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
	echo "FAIL: $*"
	exit 1
}
bench=${top_srcdir:?see tests/README.md}/tests/bench/head-to-head

status=0
"$bench" --count 100 --slow-count 2 --json --svg "$work/plot.svg" >"$work/json" || status=$?
[ "$status" -eq 0 ] || exit "$status"
jq -e '(map(.path) == ["file-prototype", "file-notify", "mailbox", "ring-sleeping", "ring-polling"])
	and all(.[]; keys == ["cpu_us_guest", "cpu_us_host", "p50_us", "p99_us", "path"])
	and all(.[]; .p50_us > 0 and .p99_us >= .p50_us and .cpu_us_guest > 0 and .cpu_us_host > 0)' \
	"$work/json" || fail "$(cat "$work/json")"
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$work/plot.svg" ||
	fail "the plot is no XML"
for wrong in --frob "--count 0" "--count x" "--slow-count" "more"; do
	status=0
	# shellcheck disable=SC2086 # an option and its value
	"$bench" $wrong >"$work/output" 2>&1 || status=$?
	[ "$status" -eq 64 ] || fail "$wrong: $status, $(cat "$work/output")"
done
