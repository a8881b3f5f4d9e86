#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vgpu-gpuinfo: --help and the manual page name the same options; all GPUs, one, or their list, over the
# stand-in for the driver's library.
set -eu
# shellcheck source=tests/lib.sh
. "${top_srcdir:?see tests/README.md}/tests/lib.sh"
need jq
gpuinfo=$top_builddir/vgpu-gpuinfo
page=$top_srcdir/man/vgpu-gpuinfo.8
[ -x "$gpuinfo" ] || skip "vgpu-gpuinfo is not built"

options() {
	sed 's/\\-/-/g' | grep -oE -- '--[a-z][a-z-]*' | sort -u
}
[ "$("$gpuinfo" --help | options)" = "$(options <"$page")" ] || fail "--help and the page differ"

ask() {
	LD_LIBRARY_PATH=$top_builddir/tests/mediatord/.libs VGPU_DOUBLE=${double-well} "$gpuinfo" "$@"
}

# says WANTED ARGUMENT...: of each GPU its index and its UUID.
says() {
	local wanted=$1 got

	shift
	got=$(ask "$@" | jq -c '[.gpus[] | [.index, .uuid]]') || true
	[ "$got" = "$wanted" ] || fail "$*: $got"
}

says '[[0,"GPU-0"],[1,"GPU-1"]]'
says '[[1,"GPU-1"]]' 1
says '[]' 2
says '[[0,null],[1,null]]' --list
# Nothing is asked of a GPU that hangs, or of others than the one that is meant.
double=hang-one
says '[[0,null],[1,null]]' --list
says '[[0,"GPU-0"]]' 0
double=refuse
expect 69 "NVML error 9" ask
for wrong in "x" "1x" "" "4294967296" "1 2" "--list 0" "--all"; do
	# shellcheck disable=SC2086 # two of them are two arguments
	expect 64 "" ask ${wrong:-"$wrong"}
done
finish
