#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What vgpu-schedsim prints and returns: for each workload in the tree, and for its options.
set -eu

top_srcdir=${top_srcdir:?} top_builddir=${top_builddir:?}
schedsim=$top_builddir/tests/schedsim/vgpu-schedsim
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail()
{
	echo "FAIL: $*"
	exit 1
}

# returns STATUS COMMAND...: runs it, its output in $dir/out.
returns()
{
	local expected=$1 status=0
	shift
	"$@" >"$dir/out" 2>&1 || status=$?
	[ "$status" = "$expected" ] || fail "$*: status $status, not $expected: $(cat "$dir/out")"
}

says()
{
	grep -qF -- "$1" "$dir/out" || fail "\"$1\" is not in: $(cat "$dir/out")"
}

# is_json FILTER: the output is one object, of which the Python expression holds.
is_json()
{
	python3 -c 'import json, sys; o = json.load(open(sys.argv[1])); assert eval(sys.argv[2]), o' \
		"$dir/out" "$1" || fail "$1"
}

for workload in "$top_srcdir"/tests/schedsim/workloads/*.txt; do
	returns 0 "$schedsim" "$workload"
	says "fairness (Jain, by weight):"
	returns 0 "$schedsim" --json "$workload"
	is_json 'o["broken"] == "" and o["busy_percent"] > 70 and len(o["tenants"]) > 1'
done
returns 0 "$schedsim" --json - <"$top_srcdir/tests/schedsim/workloads/weights.txt"
is_json '[round(t["share_percent"]) for t in o["tenants"]] == [14, 29, 57]'

returns 0 "$schedsim" --bench
says "ns for a decision"
returns 0 "$schedsim" --json --bench
is_json '[d["tenants"] for d in o["decision_ns"]] == [10, 100, 1000, 10000]'
is_json 'all(d["ns"] > 0 for d in o["decision_ns"])'

returns 0 "$schedsim" --help
says "Usage: vgpu-schedsim"
returns 64 "$schedsim"
returns 64 "$schedsim" --bench "$dir/out"
returns 64 "$schedsim" --fast
returns 66 "$schedsim" "$dir/none"
says "$dir/none: No such file"
echo "walk" >"$dir/bad"
returns 65 "$schedsim" "$dir/bad"
says 'line 1: unknown statement: "walk"'
