#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The driver loses one GPU of a pool of two: that is reported, its channels fail, the pool goes on with
# the other, and the GPU is used again when it is back. vgpu-gpuinfo and the workers are the real ones;
# NVIDIA's two libraries are the doubles.
set -eu
# shellcheck source=tests/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need curl jq
doubles=$top_builddir/tests/mediatord/.libs
tenant=$top_builddir/tests/gpu/tenant

# script PATH COMMAND...: mediator and keeper start their programs with an empty environment.
script() {
	printf '#!/bin/sh\n%s\n' "$2" >"$1"
	chmod 755 "$1"
}

script "$dir/gpuinfo" "VGPU_DOUBLE=\$(cat '$dir/how') LD_LIBRARY_PATH='$doubles' exec '$top_builddir/vgpu-gpuinfo' \"\$@\""
script "$dir/worker" "LD_LIBRARY_PATH='$doubles' exec '$top_builddir/vgpu-worker' \"\$@\""

# drive HOW: what the driver does from now on. The program that asks it may read at any time.
drive() {
	echo "$1" >"$dir/how.new"
	mv "$dir/how.new" "$dir/how"
}

gpu() {
	rest GET /v1/gpus | jq -r ".gpus[1].$1"
}

is_gpu() {
	[ "$(gpu state)" = "$1" ]
}

register() {
	local vm_uuid

	vm_uuid=6f1f2c3d-0a1b-4c5d-8e9f-$(printf %s "$1" | md5sum | cut -c1-12)
	echo "$vm_uuid" >"$dir/$1.uuid"
	# As much memory as the doubles have room for.
	put_vm "$vm_uuid" '{"quotas": {"gpu_memory_bytes": 67108864}}'
}

# Of a VM's channel.
gpu_of() {
	vm '.channels[0].gpu_index' "$(cat "$dir/$1.uuid")"
}

# Contexts of the pool, warm workers' included.
has_contexts() {
	[ "$(rest GET /v1/pools | jq '.pools[0].contexts')" = "$1" ]
}

says() {
	grep -q "$2" "$dir/$1.out" 2>/dev/null
}

has_event() {
	grep -q "^event: $1\$" "$dir/events"
}

metric() {
	rest GET /metrics | grep -qx "vgpu_gpu_up{gpu=\"1\"} $1"
}

# run_tenant NAME GPU: a VM with a channel that uses its GPU now, and again when $dir/NAME is there.
run_tenant() {
	register "$1"
	"$tenant" "local:$dir/link/$(cat "$dir/$1.uuid").sock" idle "$dir/$1" >"$dir/$1.out" 2>&1 &
	started+=($!)
	wait_for 60 says "$1" ready || fail "$1: $(cat "$dir/$1.out")"
	[ "$(gpu_of "$1")" = "$2" ] || fail "$1's channel is on GPU $(gpu_of "$1"), not $2"
}

use_again() {
	echo 1 >"$dir/$1.new"
	mv "$dir/$1.new" "$dir/$1"
}

# wait_until WHAT COMMAND...
wait_until() {
	local what=$1

	shift
	wait_for 60 "$@" || fail "not within 60 s: $what"
}

drive well
# shellcheck disable=SC2034 # start_mediator uses it
pool_gpus="0, 1" worker_program=$dir/worker
# shellcheck disable=SC2034
mediatord_lines="backend = cuda
gpuinfo = $dir/gpuinfo
warm-workers = 1
context-idle = 0
context-memory = 64MiB"
start_mediator
curl --silent --no-buffer --unix-socket "$dir/control.sock" http://localhost/v1/events >"$dir/events" &
started+=($!)
is_gpu ok || fail "the second GPU is $(gpu state)"
metric 1 || fail "vgpu_gpu_up of the second GPU is not 1"

run_tenant first 0
run_tenant second 1
run_tenant third 0
wait_until "a warm worker on each GPU" has_contexts 5

drive broken
wait_until "the GPU is lost" is_gpu lost
[[ $(gpu problem) == *"NVML error 999"* ]] || fail "its problem: $(gpu problem)"
wait_until "gpu.failed" has_event gpu.failed
metric 0 || fail "vgpu_gpu_up of a lost GPU is not 0"
wait_until "its channel and its warm worker are gone" has_contexts 3
use_again second
wait_until "the lost channel's program sees it" says second "the channel's worker on the host ended, and with it its device memory"
for name in first third; do
	use_again "$name"
	wait_until "$name goes on" says "$name" "next use"
done
run_tenant fourth 0
[ "$(vm .counters.faults "$(cat "$dir/second.uuid")")" = 0 ] || fail "a lost GPU counts as a fault of its VM"

drive well
wait_until "the GPU is back" is_gpu ok
wait_until "gpu.restored" has_event gpu.restored
metric 1 || fail "vgpu_gpu_up of a GPU that is back is not 1"
wait_until "it has a warm worker again" has_contexts 5
run_tenant fifth 1
use_again fifth
wait_until "it works" says fifth "next use"
finish
