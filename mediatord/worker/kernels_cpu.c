/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/device-spec.md says what each kernel does, to the bit: sums have one order, and nothing is
 * fused (this file is built with -ffp-contract=off), so that both backends give the same.
 */
#include "mediatord/worker/kernels_cpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

#define ELEMENT_BYTES 4u /* of every kernel's elements */
#define PARTIAL_SUMS  1024u

/* Where a fault is told. */
struct fault {
	const struct kernel_cpu *kernel;
	const struct memory_cpu *memory;
	char *detail;
	size_t size;
};

/* A kernel's access to count elements from pointer: where the host has them, or the fault. */
static cuda_error access_elements(const struct fault *fault, uint64_t pointer, uint64_t count,
				  void **host)
{
	uint64_t bytes;

	if (pointer % ELEMENT_BYTES != 0) {
		snprintf(fault->detail, fault->size,
			 "%s at 0x%" PRIx64 ", which is not a multiple of %u", fault->kernel->name,
			 pointer, ELEMENT_BYTES);
		return CUDA_ERROR_MISALIGNED_ADDRESS;
	}
	*host = __builtin_mul_overflow(count, ELEMENT_BYTES, &bytes)
			? NULL
			: memory_cpu_at(fault->memory, pointer, bytes);
	if (!*host) {
		snprintf(fault->detail, fault->size, "%s at 0x%" PRIx64 ", %" PRIu64 " elements",
			 fault->kernel->name, pointer, count);
		return CUDA_ERROR_ILLEGAL_ADDRESS;
	}
	return CUDA_ERROR_NONE;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* c[i] = a[i] OP b[i] for i < n; arguments: a, b, c, n, 64 bits each. */
static cuda_error run_binary(const struct kernel_cpu *kernel, const struct memory_cpu *memory,
			     const uint8_t *arguments, const struct kernel_cpu_threads *threads,
			     char *detail, size_t size)
{
	const struct fault fault = { kernel, memory, detail, size };
	uint64_t count = smaller(vgpu_load64(arguments + 24), threads->x);
	void *operands[3];

	if (count == 0)
		return CUDA_ERROR_NONE;
	for (size_t i = 0; i < 3; i++) {
		cuda_error error = access_elements(&fault, vgpu_load64(arguments + 8 * i), count,
						   &operands[i]);

		if (error)
			return error;
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

/* y[i] = a * x[i] + y[i]. */
static cuda_error run_saxpy(const struct kernel_cpu *kernel, const struct memory_cpu *memory,
			    const uint8_t *arguments, const struct kernel_cpu_threads *threads,
			    char *detail, size_t size)
{
	const struct fault fault = { kernel, memory, detail, size };
	uint64_t count = smaller(vgpu_load64(arguments + 24), threads->x);
	uint32_t bits = vgpu_load32(arguments + 16);
	void *x_host, *y_host;
	const float *x;
	cuda_error error;
	float a, *y;

	if (count == 0)
		return CUDA_ERROR_NONE;
	error = access_elements(&fault, vgpu_load64(arguments), count, &x_host);
	if (!error)
		error = access_elements(&fault, vgpu_load64(arguments + 8), count, &y_host);
	if (error)
		return error;
	memcpy(&a, &bits, sizeof(a));
	x = x_host;
	y = y_host;
	for (uint64_t i = 0; i < count; i++)
		y[i] = a * x[i] + y[i];
	return CUDA_ERROR_NONE;
}

/* out[0] = the sum of in[0] to in[n - 1], whatever the grid. */
static cuda_error run_reduce_sum(const struct kernel_cpu *kernel, const struct memory_cpu *memory,
				 const uint8_t *arguments, const struct kernel_cpu_threads *threads,
				 char *detail, size_t size)
{
	const struct fault fault = { kernel, memory, detail, size };
	uint64_t n = vgpu_load64(arguments + 16);
	float partial[PARTIAL_SUMS] = { 0 };
	void *in_host = NULL, *out_host;
	cuda_error error;
	const float *in;

	(void)threads;
	error = access_elements(&fault, vgpu_load64(arguments + 8), 1, &out_host);
	if (!error && n)
		error = access_elements(&fault, vgpu_load64(arguments), n, &in_host);
	if (error)
		return error;
	in = in_host;
	for (uint64_t i = 0; i < n; i++)
		partial[i % PARTIAL_SUMS] += in[i];
	for (uint32_t half = PARTIAL_SUMS / 2; half; half /= 2)
		for (uint32_t p = 0; p < half; p++)
			partial[p] += partial[p + half];
	*(float *)out_host = partial[0];
	return CUDA_ERROR_NONE;
}

/* Elements of a matrix from its start to the end of `columns` in the last of `rows`. */
static uint64_t matrix_extent(uint64_t rows, uint64_t stride, uint64_t columns)
{
	return (rows - 1) * stride + columns; /* all below 2^32 */
}

/* c = a b, row-major: a is m x k, b is k x n, c is m x n. Thread x, y makes row y, column x. */
static cuda_error run_matmul(const struct kernel_cpu *kernel, const struct memory_cpu *memory,
			     const uint8_t *arguments, const struct kernel_cpu_threads *threads,
			     char *detail, size_t size)
{
	const struct fault fault = { kernel, memory, detail, size };
	uint64_t n = vgpu_load32(arguments + 28), k = vgpu_load32(arguments + 32);
	uint64_t rows = smaller(vgpu_load32(arguments + 24), threads->y);
	uint64_t columns = smaller(n, threads->x);
	void *a_host = NULL, *b_host = NULL, *c_host;
	cuda_error error;
	const float *a, *b;
	float *c;

	if (rows == 0 || columns == 0)
		return CUDA_ERROR_NONE;
	error = access_elements(&fault, vgpu_load64(arguments + 16),
				matrix_extent(rows, n, columns), &c_host);
	if (!error && k)
		error = access_elements(&fault, vgpu_load64(arguments), rows * k, &a_host);
	if (!error && k)
		error = access_elements(&fault, vgpu_load64(arguments + 8),
					matrix_extent(k, n, columns), &b_host);
	if (error)
		return error;
	a = a_host;
	b = b_host;
	c = c_host;
	/* Each element's sum runs over p upwards; the rows of b are read along. */
	for (uint64_t row = 0; row < rows; row++) {
		float *out = c + row * n;

		memset(out, 0, columns * sizeof(*out));
		for (uint64_t p = 0; p < k; p++)
			for (uint64_t column = 0; column < columns; column++)
				out[column] += a[row * k + p] * b[p * n + column];
	}
	return CUDA_ERROR_NONE;
}

#define BINARY_ENTRY(kernel_name, function)                                                        \
	{                                                                                          \
		.name = kernel_name, .argument_bytes = 32, .parameter_count = 4,                   \
		.parameters = { { 0, 8 }, { 8, 8 }, { 16, 8 }, { 24, 8 } }, .run = run_binary,     \
		.binary = function                                                                 \
	}

static const struct kernel_cpu kernels[] = {
	BINARY_ENTRY("vadd_i32", add_i32),
	BINARY_ENTRY("vadd_f32", add_f32),
	{ .name = "saxpy_f32",
	  .argument_bytes = 32,
	  .parameter_count = 4,
	  .parameters = { { 0, 8 }, { 8, 8 }, { 16, 4 }, { 24, 8 } },
	  .run = run_saxpy },
	{ .name = "reduce_sum_f32",
	  .argument_bytes = 24,
	  .parameter_count = 3,
	  .parameters = { { 0, 8 }, { 8, 8 }, { 16, 8 } },
	  .run = run_reduce_sum },
	{ .name = "matmul_f32",
	  .argument_bytes = 36,
	  .parameter_count = 6,
	  .parameters = { { 0, 8 }, { 8, 8 }, { 16, 8 }, { 24, 4 }, { 28, 4 }, { 32, 4 } },
	  .run = run_matmul },
};

const struct kernel_cpu *kernel_cpu_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (strcmp(kernels[i].name, name) == 0)
			return &kernels[i];
	return NULL;
}
