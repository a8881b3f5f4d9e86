#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# /metrics keeps Prometheus' rules, and shows each VM, pool and GPU.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v python3 >/dev/null || {
	echo "python3 is missing (Debian: python3)"
	exit 77
}
start_daemon
expect 201 PUT "$vm1" '{"name":"a \"b\\ c","quotas":{"gpu_memory_bytes":1073741824}}'
expect 201 PUT "$vm2" '{"pool":"B"}'
expect 200 GET /metrics
[ "$type" = "text/plain; version=0.0.4; charset=utf-8" ] || fail "type $type"
has "vgpu_vms 2"
has "vgpu_vm_link_up{vm=\"$uuid1\",name=\"a _b_ c\",pool=\"A\"} 0"
has 'vgpu_pool_committed_bytes{pool="A"} 1073741824'
has 'vgpu_gpu_up{gpu="1"} 1'
has 'vgpu_gpu_job_total_seconds_count{gpu="1",pool="B"} 0'
has "vgpu_vm_refused_total{vm=\"$uuid2\",name=\"\",pool=\"B\",reason=\"rate\"} 0"

python3 - "$work/body" <<'PYTHON' || fail "not as Prometheus wants it"
import re, sys

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)*)\})? (\S+)$')
kinds, done, current, seen, histograms = {}, set(), None, set(), {}

def check(good, text):
    if not good:
        sys.exit(text)

text = open(sys.argv[1], encoding='ascii').read()
check(text.endswith('\n'), 'no newline at the end')
for line in text.splitlines():
    if line.startswith('# HELP '):
        name, help_text = line[7:].split(' ', 1)
        check(name not in done, f'{name} comes twice')
        check(help_text.endswith('.'), line)
        done.add(name)
        current = name
        continue
    if line.startswith('# TYPE '):
        name, kind = line[7:].split(' ')
        check(name == current and name not in kinds, line)
        check(kind in ('counter', 'gauge', 'histogram'), line)
        check((kind == 'counter') == name.endswith('_total'), f'{line}: a name of another kind')
        check(not re.search('(_ms|_us|_ns|_percent|_milliwatts)$', name), f'{line}: no base unit')
        check(name.startswith('vgpu_'), line)
        kinds[name] = kind
        continue
    match = SAMPLE.match(line)
    check(match, line)
    name, labels, value = match.groups()
    base = re.sub('_(bucket|sum|count)$', '', name) if kinds[current] == 'histogram' else name
    check(base == current, f'{line}: not with its metric')
    check(line.rsplit(' ', 1)[0] not in seen, f'{line}: twice')
    seen.add(line.rsplit(' ', 1)[0])
    number = float(value)
    check(number >= 0, line)
    if kinds[current] == 'histogram':
        key = (base, re.sub(',le="[^"]*"', '', labels))
        entry = histograms.setdefault(key, {'buckets': []})
        if name.endswith('_bucket'):
            entry['buckets'].append((float(re.search('le="([^"]*)"', labels).group(1)), number))
        else:
            entry[name[len(base):]] = number
check(histograms, 'no histograms')
for key, entry in histograms.items():
    limits = [limit for limit, _ in entry['buckets']]
    counts = [count for _, count in entry['buckets']]
    check(limits == sorted(set(limits)) and limits[-1] == float('inf'), f'{key}: {limits}')
    check(counts == sorted(counts) and counts[-1] == entry['_count'], f'{key}: {counts}')
    check('_sum' in entry, f'{key}: no sum')
check(set(kinds) == done, 'a metric without a type')
PYTHON

# The alerts and the dashboard name metrics that there are.
sed -n 's/^# TYPE \([a-z_]*\) \(.*\)/\1 \2/p' "$work/body" |
	awk '{ print $1; if ($2 == "histogram") print $1 "_bucket" }' | sort >"$work/names"
grep -oh 'vgpu_[a-z_]*' "$top_srcdir/data/vgpu-alerts.yaml" "$top_srcdir/data/vgpu-dashboard.json" |
	sort -u >"$work/used"
missing=$(comm -23 "$work/used" "$work/names")
[ -z "$missing" ] || fail "there is no: $missing"
[ "$(wc -l <"$work/used")" -gt 8 ] || fail "hardly any metric is used"
python3 -m json.tool <"$top_srcdir/data/vgpu-dashboard.json" >/dev/null || fail "no JSON"
stop_daemon TERM
