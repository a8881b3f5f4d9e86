#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What we declare of CUDA's driver API is what cuda.h declares: functions, types, values, errors.
set -eu

include=$(dirname "$(dirname "${NVCC:-no}")")/include
[ -f "$include/cuda.h" ] || include=/usr/local/cuda/include
[ -f "$include/cuda.h" ] || include=/usr/include
[ -f "$include/cuda.h" ] || {
	echo "there is no cuda.h (the CUDA Toolkit)"
	exit 77
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
errors=${top_srcdir:?see tests/README.md}/mediatord/worker/cuda_error.h

# cuda_error.h's names are cuda.h's, which would hide the values: they are compared as "OURS_...".
{
	echo '#define VGPU_WORKER_CUDA_ERROR_H'
	sed -n 's/^#define CUDA_\(ERROR_[A-Z_]*\)/#define OURS_\1/p' "$errors"
	echo '#include "tests/mediatord/check-cuda-api.c"'
	echo 'EQUAL(OURS_ERROR_NONE, CUDA_SUCCESS);'
	sed -n 's/^#define CUDA_\(ERROR_[A-Z_]*\)[[:space:]].*/EQUAL(OURS_\1, CUDA_\1);/p' "$errors" |
		grep -v ERROR_NONE
} >"$folder/check.c"
[ "$(grep -c '^EQUAL(OURS' "$folder/check.c")" -gt 20 ]
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Werror -I"$top_srcdir" -isystem "$include" -fsyntax-only \
	"$folder/check.c"
echo "compared with $include/cuda.h"
