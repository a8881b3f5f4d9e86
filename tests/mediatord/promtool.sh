#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prometheus' own tool finds nothing wrong with /metrics of a mediator at work, nor with the alerts,
# which fire when they should.
# shellcheck source=tests/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
command -v promtool >/dev/null || skip "promtool is missing (scripts/promtool FOLDER unpacks it)"

start_mediator
put_vm "$uuid" '{"name":"a \"b\\ c","quotas":{"gpu_memory_bytes":1073741824}}'
put_vm 22222222-2222-4222-8222-222222222222
expect 0 "" local_agent nop -n 3
mkfifo "$dir/go"
"$top_builddir/tests/guest-agent/channel-client" "local:$dir/link/$uuid.sock" hold \
	<"$dir/go" >"$dir/held" 2>&1 &
started+=($!)
exec 9>"$dir/go"
wait_for 60 grep -q ready "$dir/held" || fail "no channel: $(cat "$dir/held")"

rest GET /metrics >"$dir/metrics"
for what in 'vgpu_vm_channels{.* 1$' 'vgpu_vm_job_run_seconds_count{.* [1-9]' \
	'vgpu_gpu_job_run_seconds_count{gpu="0",pool="A"} [1-9]' 'vgpu_gpu_up{gpu="0"} 1'; do
	grep -q "$what" "$dir/metrics" || fail "no $what in: $(cat "$dir/metrics")"
done
expect 0 "" promtool check metrics <"$dir/metrics"
[ -z "$said" ] || fail "promtool: $said"
expect 0 "SUCCESS" promtool check rules "$top_srcdir/data/vgpu-alerts.yaml"
# The Grafana dashboard's questions are PromQL: they are looked at as rules.
jq '[.. | .expr? // empty] | to_entries |
	{groups: [{name: "dashboard", rules: map({alert: "panel\(.key)", expr: .value})}]}' \
	"$top_srcdir/data/vgpu-dashboard.json" >"$dir/dashboard.yaml"
expect 0 "SUCCESS: " promtool check rules "$dir/dashboard.yaml"
[[ $said != *": 0 rules"* ]] || fail "the dashboard asks nothing"
cp "$top_srcdir/data/vgpu-alerts.yaml" "$top_srcdir/tests/mediatord/alerts.yaml" "$dir"
expect 0 "SUCCESS" promtool test rules "$dir/alerts.yaml"
finish
