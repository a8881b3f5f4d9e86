#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/gpu/several, which is for hosts with several NVIDIA GPUs, passes on software GPUs.
set -eu
# shellcheck source=tests/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need python3
[ -x "$top_builddir/mediatord/vgpu-mediatord" ] || skip "vgpu-mediatord is not built"
several=$top_srcdir/tests/gpu/several

expect 0 "0 checks failed" "$several" --backend cpu --window 0.1 "$top_builddir"
expect 2 "from 2 to 16" "$several" --gpus 1 "$top_builddir"
expect 1 "the time limit is over" "$several" --backend cpu --window 60 --limit 2 "$top_builddir"
finish
