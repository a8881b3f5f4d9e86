#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The dashboard in headless Chromium, with a mediator that has VMs, a channel and work. With
# VGPU_SCREENSHOTS=FOLDER it leaves pictures there.
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq python3
command -v chromium >/dev/null || skip "chromium is missing (Debian: chromium)"
command -v chromedriver >/dev/null || skip "chromedriver is missing (Debian: chromium-driver)"
port=$("$top_srcdir/tests/free-port")
mediatord_lines="listen = 127.0.0.1:$port
	insecure-loopback = yes"
start_mediator

# Names are as hostile as a name may be.
other=7f1f2c3d-0a1b-4c5d-8e9f-001122334455
put_vm "$uuid" '{"name": "web1", "priority": "high", "weight": 200,
	"quotas": {"gpu_memory_bytes": 10485760, "requests_per_second": 5000, "gpu_time_max_percent": 50}}'
put_vm "$other" '{"name": "<img src=x onerror=\"document.title=1\">"}'
for n in 1 2 3 4; do
	put_vm "8000000$n-0a1b-4c5d-8e9f-001122334455" "{\"name\": \"idle$n\", \"priority\": \"low\"}"
done

# web1 holds a channel with memory; the other works until the end.
mkfifo "$dir/go"
"$top_builddir/tests/guest-agent/channel-client" "local:$dir/link/$uuid.sock" hold \
	<"$dir/go" >"$dir/held" 2>&1 &
started+=($!)
exec 9>"$dir/go"
wait_for 60 grep -q ready "$dir/held" || { fail "no channel: $(cat "$dir/held")"; finish; }
"$agent" --transport "local:$dir/link/$other.sock" nop -n 1000000000 >"$dir/busy" 2>&1 &
started+=($!)

token() {
	rest POST /v1/tokens "{\"name\": \"$1\", \"role\": \"$1\"}" | jq -r .token
}
reader=$(token read)
operator=$(token operate)
# shellcheck disable=SC2030 # of its own process alone
(
	export HOME=$dir VGPU_READER=$reader VGPU_OPERATOR=$operator
	export VGPU_CONTROL=$dir/control.sock VGPU_BUSY=$other VGPU_HOLDER=$uuid
	timeout --kill-after=5 600 python3 -B "$top_srcdir/tests/ui/dashboard.py" "http://127.0.0.1:$port"
) || fail "the dashboard"
finish
