#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What vgpu-schedsim prints and returns: for each workload in the tree, and for its options.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
schedsim=$top_builddir/tests/schedsim/vgpu-schedsim

# is_json EXPRESSION: what `expect` ran last said one object, of which the Python expression holds.
is_json()
{
	python3 -c 'import json, sys; o = json.load(sys.stdin); assert eval(sys.argv[1]), o' "$1" \
		<<<"$said" || fail "$1"
}

for workload in "$top_srcdir"/tests/schedsim/workloads/*.txt; do
	expect 0 "fairness (Jain, by weight):" "$schedsim" "$workload"
	expect 0 "" "$schedsim" --json "$workload"
	is_json 'o["broken"] == "" and o["busy_percent"] > 70 and len(o["tenants"]) > 1'
done
expect 0 "" "$schedsim" --json - <"$top_srcdir/tests/schedsim/workloads/weights.txt"
is_json '[round(t["share_percent"]) for t in o["tenants"]] == [14, 29, 57]'

expect 0 "ns for a decision" "$schedsim" --bench
expect 0 "" "$schedsim" --json --bench
is_json '[d["tenants"] for d in o["decision_ns"]] == [10, 100, 1000, 10000]'
is_json 'all(d["ns"] > 0 for d in o["decision_ns"])'

expect 0 "Usage: vgpu-schedsim" "$schedsim" --help
expect 64 "" "$schedsim"
expect 64 "" "$schedsim" --bench "$dir/out"
expect 64 "" "$schedsim" --fast
expect 66 "$dir/none: No such file" "$schedsim" "$dir/none"
echo "walk" >"$dir/bad"
expect 65 'line 1: unknown statement: "walk"' "$schedsim" "$dir/bad"
finish
