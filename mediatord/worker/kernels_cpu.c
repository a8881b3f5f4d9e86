/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/kernels_cpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

/* A kernel's access to count elements from pointer: where the host has them, or the fault. */
static cuda_error access_elements(const struct kernel_cpu *kernel, const struct memory_cpu *memory,
				  uint64_t pointer, uint64_t count, void **host, char *detail,
				  size_t size)
{
	uint64_t bytes = count * kernel->element_bytes;

	if (pointer % kernel->element_bytes != 0) {
		snprintf(detail, size, "%s at 0x%" PRIx64 ", which is not a multiple of %u",
			 kernel->name, pointer, kernel->element_bytes);
		return CUDA_ERROR_MISALIGNED_ADDRESS;
	}
	*host = memory_cpu_at(memory, pointer, bytes);
	if (!*host) {
		snprintf(detail, size, "%s at 0x%" PRIx64 ", %" PRIu64 " bytes", kernel->name,
			 pointer, bytes);
		return CUDA_ERROR_ILLEGAL_ADDRESS;
	}
	return CUDA_ERROR_NONE;
}

/* c[i] = a[i] OP b[i] for i < n; arguments: a, b, c, n, 64 bits each. */
static cuda_error run_binary(const struct kernel_cpu *kernel, const struct memory_cpu *memory,
			     const uint8_t *arguments, uint64_t threads, char *detail, size_t size)
{
	uint64_t n = vgpu_load64(arguments + 24);
	uint64_t count = n < threads ? n : threads;
	void *operands[3];

	if (count == 0)
		return CUDA_ERROR_NONE;
	for (size_t i = 0; i < 3; i++) {
		cuda_error fault = access_elements(kernel, memory, vgpu_load64(arguments + 8 * i),
						   count, &operands[i], detail, size);

		if (fault)
			return fault;
	}
	kernel->binary(operands[0], operands[1], operands[2], count);
	return CUDA_ERROR_NONE;
}

/*
 * The operands are aligned to their elements, which access_elements() checked, and may be the same
 * memory: element i is read before it is written, as on a GPU where one thread does both.
 */
#define BINARY(name, type, expression)                                                             \
	static void name(const void *a_, const void *b_, void *c_, uint64_t count)                 \
	{                                                                                          \
		const type *a = a_, *b = b_;                                                       \
		type *c = c_;                                                                      \
                                                                                                   \
		for (uint64_t i = 0; i < count; i++)                                               \
			c[i] = (expression);                                                       \
	}

/* Unsigned: int32 wraps on a GPU, and signed overflow has no meaning in C. */
BINARY(add_i32, uint32_t, a[i] + b[i])
BINARY(add_f32, float, a[i] + b[i])

#define BINARY_ENTRY(kernel_name, type, function)                                                  \
	{                                                                                          \
		.name = kernel_name, .argument_bytes = 32, .run = run_binary,                      \
		.element_bytes = sizeof(type), .binary = function                                  \
	}

static const struct kernel_cpu kernels[] = {
	BINARY_ENTRY("vadd_i32", uint32_t, add_i32),
	BINARY_ENTRY("vadd_f32", float, add_f32),
};

const struct kernel_cpu *kernel_cpu_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (strcmp(kernels[i].name, name) == 0)
			return &kernels[i];
	return NULL;
}
