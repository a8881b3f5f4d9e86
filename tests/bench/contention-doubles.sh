#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/bench/contention --native, which is for hosts with an NVIDIA GPU, passes with the doubles of
# NVIDIA's libraries and of the MPS control program; what the figures are is not tested.
set -eu
# shellcheck source=tests/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need jq python3
[ -x "$top_builddir/mediatord/vgpu-mediatord" ] || skip "vgpu-mediatord is not built"
contention=$top_srcdir/tests/bench/contention

# A stack as tests/gpu/pack makes it.
mkdir "$dir/stack" "$dir/stack/bin" "$dir/path"
ln -s "$top_builddir/tests/mediatord/.libs" "$dir/stack/lib"
for program in mediatord/vgpu-mediatord vgpu-keeper vgpu-worker vgpu-gpuinfo tests/bench/contention-client \
	tests/schedsim/vgpu-schedsim; do
	cat >"$dir/stack/bin/${program##*/}" <<-END
	#!/bin/sh
	export LD_LIBRARY_PATH='$top_builddir/tests/mediatord/.libs' VGPU_DOUBLE=well VGPU_DOUBLE_PRODUCT_NS=10000
	exec '$top_builddir/$program' "\$@"
	END
	chmod 755 "$dir/stack/bin/${program##*/}"
done
# The doubles' GPU has no room for so many contexts: the last section of the file is the pool's.
sed -i '$i echo "memory-commitment = 0" >>"$2"' "$dir/stack/bin/vgpu-mediatord"

# It is asked to quit, and then ends; its clients find its folder in their environment.
cat >"$dir/path/nvidia-cuda-mps-control" <<-'END'
#!/bin/sh
pipe=$CUDA_MPS_PIPE_DIRECTORY
if [ "${1:-}" = -f ]; then
	mkfifo "$pipe/control"
	read -r line <"$pipe/control"
	echo "$line" >"$MPS_SAID"
else
	cat >"$pipe/control"
fi
END
chmod 755 "$dir/path/nvidia-cuda-mps-control"
# On a busy host somebody may get no turn within a short window.
for window in 0.05 0.5 5; do
	MPS_SAID=$dir/said PATH=$dir/path:$PATH \
		"$contention" --native --window $window --json "$dir/stack" >"$dir/json"
	! jq -e '[.rows[].p99_ratio[]] | all(. > 0)' "$dir/json" >/dev/null || break
done
[ "$(jq -c '[.rows[].neighbours]' "$dir/json")" = '[0,1,8,8,8,8]' ] || fail "rows: $(cat "$dir/json")"
[ "$(jq '[.rows[] | .time_slicing, .mps, .ours | .p50_us > 0 and .p99_us > 0] | all' "$dir/json")" = true ] ||
	fail "figures: $(cat "$dir/json")"
[ "$(jq '[.rows[].p99_ratio | .time_slicing > 0 and .mps > 0] | all' "$dir/json")" = true ] ||
	fail "ratios: $(cat "$dir/json")"
[ "$(cat "$dir/said")" = quit ] || fail "the MPS server was not asked to quit"

# Where there is none, its column is empty.
expect 0 "8 with 1 ms, 16 blocks" "$contention" --native --window 0.05 "$dir/stack"
grep -q ' - .* -$' <<<"$said" || fail "without MPS: $said"
expect 2 "not with --svg" "$contention" --native --svg "$dir/plot.svg" "$dir/stack"
finish
