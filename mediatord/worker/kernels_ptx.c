/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in kernels' PTX, as scripts/kernels-ptx made it. */
#include "mediatord/worker/backend_cuda.h"
#include "mediatord/worker/kernels_ptx.h" /* CUDA_BUILTIN_PTX, its path: made by make */

__asm__(".pushsection .rodata\n"
	".globl cuda_builtin_ptx\n"
	".hidden cuda_builtin_ptx\n"
	".type cuda_builtin_ptx, @object\n"
	"cuda_builtin_ptx:\n"
	".incbin \"" CUDA_BUILTIN_PTX "\"\n"
	".byte 0\n"
	".size cuda_builtin_ptx, . - cuda_builtin_ptx\n"
	".popsection\n");
