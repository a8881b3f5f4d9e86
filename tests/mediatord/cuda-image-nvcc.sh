#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What nvcc really makes: PTX, cubins, and fatbins with every way of compressing them.
set -eu

nvcc=${NVCC:-no}
[ "$nvcc" != no ] || {
	echo "there is no nvcc (the CUDA Toolkit)"
	exit 77
}
source=${top_srcdir:?see tests/README.md}/tests/gpu/tenant.cu
show=${top_builddir:-.}/tests/mediatord/show-cuda-image
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# make NAME OPTION...
make() {
	"$nvcc" "${@:2}" -o "$folder/$1" "$source"
}

# make_of TEXT NAME OPTION...
make_of() {
	echo "$1" >"$folder/own.cu"
	source=$folder/own.cu make "${@:2}"
}

# expect FILE MAJOR MINOR PATTERN
expect() {
	local shown
	shown=$("$show" "$folder/$1" "$2" "$3")
	# shellcheck disable=SC2254 # a pattern
	case $shown in
	$4) echo "$1 for $2.$3: $shown" ;;
	*)
		echo "FAIL: $1 for $2.$3: $shown, not $4"
		exit 1
		;;
	esac
}

both=(-gencode "arch=compute_90,code=sm_90" -gencode "arch=compute_90,code=compute_90")
make a.ptx -ptx -arch=compute_90
expect a.ptx 9 0 'ptx 0'
# Its variable of 4000000 bytes, its kernels' code and what lies between them.
make a.cubin -cubin -arch=sm_90
expect a.cubin 9 0 'cubin 40????? calls the driver'
make object.cubin -cubin -rdc=true -arch=sm_90
expect object.cubin 9 0 'refused: it is an object file*'
make a.fatbin -fatbin "${both[@]}"
expect a.fatbin 9 0 'cubin 40????? calls the driver'
expect a.fatbin 10 0 'fatbin-member 0'
expect a.fatbin 8 9 'refused: it is a fatbin with nothing for this GPU'
make accelerated.fatbin -fatbin -gencode arch=compute_90a,code=sm_90a
expect accelerated.fatbin 9 0 'cubin 40????? calls the driver'
# Nothing of the driver's; and kernels that start kernels.
make_of '__global__ void plain(int *out) { extern __shared__ int a[]; *out = a[threadIdx.x]; }' \
	plain.cubin -cubin -arch=sm_90
expect plain.cubin 9 0 'cubin [0-9]*[0-9]'
make_of '__global__ void child() {} __global__ void parent() { child<<<1, 1>>>(); }' \
	nested.cubin -rdc=true -dlink -lcudadevrt -cubin -arch=sm_90
expect nested.cubin 9 0 'refused: its kernels start kernels*'
"$nvcc" --help | grep -q -- --compress-mode || exit 0
for mode in speed balance none; do
	make "$mode.fatbin" -fatbin -compress-mode=$mode "${both[@]}"
	expect "$mode.fatbin" 9 0 'cubin 40????? calls the driver'
	expect "$mode.fatbin" 10 0 'fatbin-member 0'
done
make size.fatbin -fatbin -compress-mode=size "${both[@]}"
expect size.fatbin 9 0 'fatbin-member 0'
make cubin-size.fatbin -fatbin -compress-mode=size -gencode arch=compute_90,code=sm_90
expect cubin-size.fatbin 9 0 'refused: its cubin for this GPU is compressed*'
