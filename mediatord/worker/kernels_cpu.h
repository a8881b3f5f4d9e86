/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in kernels, as the cpu backend runs them. */
#ifndef VGPU_WORKER_KERNELS_CPU_H
#define VGPU_WORKER_KERNELS_CPU_H

#include <stddef.h>
#include <stdint.h>

#include "mediatord/worker/cuda_error.h"
#include "mediatord/worker/memory_cpu.h"

#define KERNEL_CPU_PARAMETERS_MAX 6u

/* How many threads there are with blockIdx * blockDim + threadIdx from 0, in x and in y. */
struct kernel_cpu_threads {
	uint64_t x, y;
};

struct kernel_cpu {
	const char *name;
	uint32_t argument_bytes;
	uint32_t parameter_count;
	struct {
		uint16_t offset, bytes;
	} parameters[KERNEL_CPU_PARAMETERS_MAX];
	/*
	 * Runs the kernel. Threads of equal x and y would do the same again. Returns the fault that
	 * ended it, which is sticky; it is looked for before anything is written, and `detail`, of
	 * `size` bytes, says where it was.
	 */
	cuda_error (*run)(const struct kernel_cpu *kernel, const struct memory_cpu *memory,
			  const uint8_t *arguments, const struct kernel_cpu_threads *threads,
			  char *detail, size_t size);
	/* For the shapes of kernels that share one run function. */
	void (*binary)(const void *a, const void *b, void *c, uint64_t count);
};

/* The kernel of this name, or NULL. */
const struct kernel_cpu *kernel_cpu_find(const char *name);

#endif
