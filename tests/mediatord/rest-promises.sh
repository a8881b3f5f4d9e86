#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a pool cannot promise besides what it has promised is refused, with the value that is too much;
# the VM stays as it was. GPUs without a VM promise nothing.
# shellcheck source=tests/mediatord/rest-lib.bash
. "${top_srcdir:?}/tests/mediatord/rest-lib.bash"
command -v jq >/dev/null || {
	echo "jq is missing"
	exit 77
}
sed -i 's/^worker = .*/&\nsoftware-gpus = 2\ncontext-memory = 64MiB/; s/^\[pool A\]$/&\nmemory-commitment = 100/' \
	"$work/mediatord.conf"
start_daemon

# pool FILTER: of pool A.
pool() {
	expect 200 GET /v1/pools
	jq ".pools[] | select(.name == \"A\") | $1" <<<"$body"
}

# values GUARANTEED MEMORY: of a VM of pool A.
values() {
	echo "{\"pool\":\"A\",\"quotas\":{\"gpu_time_guaranteed_percent\":$1,\"gpu_memory_bytes\":$2}}"
}

memory=$(pool .memory_bytes)
context=$((64 << 20))
[ "$(pool .limit_bytes)" -le "$memory" ] || fail "$body"
[ "$(pool .committed_bytes)" = 0 ] || fail "$body"

# Shares of time.
expect 201 PUT "$vm1" "$(values 60 4096)"
expect 409 PUT "$vm2" "$(values 41 4096)"
problem quotas.gpu_time_guaranteed_percent
expect 404 GET "$vm2"
expect 201 PUT "$vm2" "$(values 40 4096)"
expect 409 PUT "$vm1" "$(values 61 4096)"
problem quotas.gpu_time_guaranteed_percent
expect 200 GET "$vm1"
has '"gpu_time_guaranteed_percent":60'

# Memory, with a context for each VM.
[ "$(pool .committed_bytes)" = $((2 * (4096 + context))) ] || fail "$body"
[ "$(pool .context_bytes)" = $((2 * context)) ] || fail "$body"
room=$(($(pool .limit_bytes) - 2 * context - 4096))
expect 409 PUT "$vm1" "$(values 60 $((room + 4096)))"
problem quotas.gpu_memory_bytes
has 'pool A has no room'
expect 200 GET "$vm1"
has '"gpu_memory_bytes":4096'
expect 200 PUT "$vm1" "$(values 60 "$room")"
expect 409 PUT "/v1/vms/33333333-3333-4333-8333-333333333333" "$(values 0 4096)"
problem quotas.gpu_memory_bytes

# It is promised after a restart as well; what is given up can be promised again.
stop_daemon KILL
start_daemon
expect 409 PUT "$vm2" "$(values 40 8192)"
problem quotas.gpu_memory_bytes
expect 200 PUT "$vm1" "$(values 59 4096)"
expect 200 PUT "$vm2" "$(values 41 8192)"
expect 204 DELETE "$vm1"
expect 200 PUT "$vm2" "$(values 100 8192)"
stop_daemon TERM
