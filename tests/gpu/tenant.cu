/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of a tenant, which the project does not ship: `nvcc -ptx` or `-cubin` by tests/gpu/run. */
#include <assert.h>
#include <stdio.h>

typedef unsigned int u32;
typedef unsigned long long u64;

__device__ u32 table[1000000];
__constant__ u32 factor = 3;

/* A kernel of its own: out[i] = in[i] * factor + table[i]. */
extern "C" __global__ void scale(const u32 *in, u32 *out, u32 n)
{
	u32 i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		out[i] = in[i] * factor + table[i];
}

/* Writes wherever it is told to. */
extern "C" __global__ void poke(u32 *at, u32 value)
{
	*at = value;
}

/* Runs for that many clock cycles. */
extern "C" __global__ void spin(u64 cycles)
{
	u64 start = clock64();

	while (clock64() - start < cycles)
		;
}

/* What the driver itself has to link. */
extern "C" __global__ void chatty(u32 value)
{
	u32 *memory = (u32 *)malloc(sizeof(*memory));

	assert(memory != NULL);
	*memory = value;
	printf("a kernel says %u\n", *memory);
	free(memory);
}

extern "C" __global__ void nothing(void)
{
}

/* Kernels with much local memory for each thread. */
template <int BYTES> static __device__ void use_local(u32 *out)
{
	volatile u32 local[BYTES / 4];
	u32 sum = 0;

	for (int i = 0; i < BYTES / 4; i++)
		local[i] = i + threadIdx.x;
	for (int i = 0; i < BYTES / 4; i++)
		sum += local[(i * 7 + threadIdx.x) % (BYTES / 4)];
	*out = sum;
}

extern "C" __global__ void local_600(u32 *out)
{
	use_local<600>(out);
}

extern "C" __global__ void local_1100(u32 *out)
{
	use_local<1100>(out);
}

extern "C" __global__ void local_5000(u32 *out)
{
	use_local<5000>(out);
}

extern "C" __global__ void local_20000(u32 *out)
{
	use_local<20000>(out);
}
