#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kernels.ptx was made of kernels.cu as it is now; with the nvcc that made it, to the letter.
set -eu

ptx=${top_srcdir:?see tests/README.md}/mediatord/worker/kernels.ptx
source=$top_srcdir/mediatord/worker/kernels.cu
cure='make regenerate-kernels'

recorded=$(sed -n 's/^\/\/ source sha256 //p' "$ptx")
[ "$recorded" = "$(sha256sum <"$source" | cut -d ' ' -f 1)" ] || {
	echo "FAIL: kernels.cu has changed since kernels.ptx was made: $cure"
	exit 1
}
# NUL would end the string that the driver reads.
[ "$(tr -d '\0' <"$ptx" | wc -c)" -eq "$(wc -c <"$ptx")" ]

nvcc=${NVCC:-no}
[ "$nvcc" != no ] || {
	echo "the source is the recorded one; no nvcc, so it was not compiled again"
	exit 0
}
release=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
made=$(NVCC=$nvcc "$top_srcdir/scripts/kernels-ptx" "$source")
if grep -q "^// Made by scripts/kernels-ptx with nvcc $release;" "$ptx"; then
	diff "$ptx" - <<<"$made" || {
		echo "FAIL: kernels.ptx is not what nvcc $release makes of kernels.cu: $cure"
		exit 1
	}
else
	echo "kernels.ptx was made with another nvcc than $release, which compiles kernels.cu too"
fi
