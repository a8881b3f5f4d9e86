/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of a tenant in a guest, which the project does not ship: tests/gpu/guest compiles them. */
typedef unsigned int u32;
typedef unsigned long long u64;

static __device__ void wait_cycles(u64 cycles)
{
	u64 start = clock64();

	while (clock64() - start < cycles)
		;
}

/* Mixes each number's bits so many times, and first takes at least so many clock cycles. */
extern "C" __global__ void mix(const u32 *in, u32 *out, u32 n, u32 rounds, u64 cycles)
{
	u32 i = blockIdx.x * blockDim.x + threadIdx.x;
	u32 x;

	wait_cycles(cycles);
	if (i >= n)
		return;
	x = in[i];
	for (u32 round = 0; round < rounds; round++) {
		x = (x ^ i) * 2654435761u + round;
		x ^= x >> 15;
	}
	out[i] = x;
}

/* Writes wherever it is told to. */
extern "C" __global__ void poke(u32 *at, u32 value)
{
	*at = value;
}

/* Holds memory for so many clock cycles. */
extern "C" __global__ void hold(u32 *memory, u64 cycles)
{
	*memory = 1;
	wait_cycles(cycles);
}
