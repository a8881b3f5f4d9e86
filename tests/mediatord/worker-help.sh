#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --help and the manual page of vgpu-worker name the same options.
set -eu
worker=${top_builddir:?}/vgpu-worker
page=${top_srcdir:?}/man/vgpu-worker.8
[ -x "$worker" ] || { echo "vgpu-worker is not built"; exit 77; }

options() {
	sed 's/\\-/-/g' | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

from_help=$("$worker" --help | options)
from_page=$(options <"$page")
[ -n "$from_help" ] || { echo "--help names no option"; exit 1; }
if [ "$from_help" != "$from_page" ]; then
	diff <(echo "$from_help") <(echo "$from_page") || true
	echo "--help (<) and the page (>) differ"
	exit 1
fi
