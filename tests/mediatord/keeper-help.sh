#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --help and the manual page of vgpu-keeper name the same options.
set -eu
keeper=${top_builddir:?}/vgpu-keeper
page=${top_srcdir:?}/man/vgpu-keeper.8
[ -x "$keeper" ] || { echo "vgpu-keeper is not built"; exit 77; }

options() {
	sed 's/\\-/-/g' | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

from_help=$("$keeper" --help | options)
from_page=$(options <"$page")
[ -n "$from_help" ] || { echo "--help names no option"; exit 1; }
if [ "$from_help" != "$from_page" ]; then
	diff <(echo "$from_help") <(echo "$from_page") || true
	echo "--help (<) and the page (>) differ"
	exit 1
fi
