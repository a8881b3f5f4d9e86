#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/bench/contention runs, and prints the object and the plot that its readers expect; what the
# figures are is not tested.
set -eu
# shellcheck source=tests/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need jq python3
[ -x "$top_builddir/mediatord/vgpu-mediatord" ] || skip "vgpu-mediatord is not built"
contention=$top_srcdir/tests/bench/contention

# A simulator's benchmark, as far as it is looked at.
cat >"$dir/simulator" <<-'END'
#!/bin/sh
[ "$*" = "--bench --json" ] && echo '{"decision_ns": [{"tenants": 10, "ns": 120, "more": 1}]}'
END
chmod +x "$dir/simulator"

# On a busy host somebody may get no turn within a short window.
for window in 0.1 1 10; do
	"$contention" --vms 1,3 --window $window --json --svg "$dir/plot.svg" --simulator "$dir/simulator" \
		>"$dir/json"
	! jq -e '[.high_priority[], .shares[].measured] | all(. > 0)' "$dir/json" >/dev/null || break
done
[ "$(jq -c '[.high_priority | .alone_p99_us, .loaded_p99_us, .longest_job_us | . > 0] | all' "$dir/json")" = true ] ||
	fail "high_priority: $(cat "$dir/json")"
[ "$(jq -c '[.shares[].configured | . * 10 | round]' "$dir/json")" = '[333,667]' ] || fail "$(jq -c .shares "$dir/json")"
[ "$(jq '[.shares[].measured] | add | . > 99.9 and . < 100.1' "$dir/json")" = true ] || fail "$(jq -c .shares "$dir/json")"
[ "$(jq -c .decision_ns "$dir/json")" = '[{"tenants":10,"ns":120}]' ] || fail "$(jq -c .decision_ns "$dir/json")"
[ "$(jq -c '[.runs[] | [.vms[].priority]]' "$dir/json")" = '[["high"],["high","low","low"]]' ] ||
	fail "$(jq -c .runs "$dir/json")"
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$dir/plot.svg" || fail "the plot is no XML"

"$contention" --vms 1 --window 0.1 --json >"$dir/json"
[ "$(jq -c '[.shares, [.decision_ns[].tenants]]' "$dir/json")" = '[[],[10,100,1000,10000]]' ] ||
	fail "one VM: $(cat "$dir/json")"
expect 0 "high priority, p99" "$contention" --vms 2 --window 0.1 --simulator "$dir/simulator"

for wrong in "--vms 0" "--vms 17" "--vms 1,x" "--window 0" "--job-us 1" "--backend fast"; do
	# shellcheck disable=SC2086 # an option and its value
	expect 2 "${wrong%% *}" "$contention" $wrong
done
expect 1 "no such program" "$contention" "$dir"
expect 1 "CalledProcessError" "$contention" --vms 1 --simulator /bin/false
finish
