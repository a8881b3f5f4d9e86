/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in kernels, as docs/device-spec.md says them; kernels_cpu.c has the same. Every
 * operation rounds by itself (no fused multiply-add) and every sum has one order, so that both
 * backends give the same bits.
 *
 * `make regenerate-kernels` makes kernels.ptx of this.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

static __device__ u64 thread_x(void)
{
	return (u64)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ u64 thread_y(void)
{
	return (u64)blockIdx.y * blockDim.y + threadIdx.y;
}

/* Unsigned: int32 wraps. */
extern "C" __global__ void vadd_i32(const u32 *a, const u32 *b, u32 *c, u64 n)
{
	u64 i = thread_x();

	if (i < n)
		c[i] = a[i] + b[i];
}

extern "C" __global__ void vadd_f32(const float *a, const float *b, float *c, u64 n)
{
	u64 i = thread_x();

	if (i < n)
		c[i] = __fadd_rn(a[i], b[i]);
}

extern "C" __global__ void saxpy_f32(const float *x, float *y, float a, u64 n)
{
	u64 i = thread_x();

	if (i < n)
		y[i] = __fadd_rn(__fmul_rn(a, x[i]), y[i]);
}

/*
 * 1024 partial sums, however many threads the first block has: what comes out does not depend on
 * the launch.
 */
#define PARTIAL_SUMS 1024u

extern "C" __global__ void reduce_sum_f32(const float *in, float *out, u64 n)
{
	__shared__ float partial[PARTIAL_SUMS];
	const u32 threads = blockDim.x * blockDim.y * blockDim.z;
	const u32 thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;

	if (blockIdx.x || blockIdx.y || blockIdx.z)
		return;
	for (u32 p = thread; p < PARTIAL_SUMS; p += threads) {
		float sum = 0.0f;

		for (u64 i = p; i < n; i += PARTIAL_SUMS)
			sum = __fadd_rn(sum, in[i]);
		partial[p] = sum;
	}
	for (u32 half = PARTIAL_SUMS / 2; half; half /= 2) {
		__syncthreads();
		for (u32 p = thread; p < half; p += threads)
			partial[p] = __fadd_rn(partial[p], partial[p + half]);
	}
	__syncthreads();
	if (thread == 0)
		out[0] = partial[0];
}

extern "C" __global__ void matmul_f32(const float *a, const float *b, float *c, u32 m, u32 n, u32 k)
{
	u64 row = thread_y(), column = thread_x();
	float sum = 0.0f;

	if (row >= m || column >= n)
		return;
	for (u32 p = 0; p < k; p++)
		sum = __fadd_rn(sum, __fmul_rn(a[row * k + p], b[(u64)p * n + column]));
	c[row * n + column] = sum;
}
