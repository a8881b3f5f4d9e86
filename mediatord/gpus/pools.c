/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/gpus/pools.h"

#include <errno.h>
#include <inttypes.h>

#define MIB (UINT64_C(1) << 20)

int pools_init(struct pools *pools, const struct config *config, struct vgpu_error **err)
{
	size_t count = 0;

	*pools = (struct pools){ .config = config };
	for (size_t i = 0; i < config->pool_count; i++)
		count += config->pools[i].gpu_count;
	pools->gpus = calloc(count + 1, sizeof(*pools->gpus));
	pools->commitments = calloc(config->pool_count + 1, sizeof(*pools->commitments));
	if (!pools->gpus || !pools->commitments) {
		pools_free(pools);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t n = 0; n < config->pools[i].gpu_count; n++)
			pools->gpus[pools->gpu_count++] = (struct pool_gpu){
				.index = config->pools[i].gpus[n],
				.pool = i,
			};
	return 0;
}

void pools_free(struct pools *pools)
{
	free(pools->gpus);
	free(pools->commitments);
	pools->gpus = NULL;
	pools->commitments = NULL;
	pools->gpu_count = 0;
}

struct pool_gpu *pools_gpu(struct pools *pools, uint32_t index)
{
	for (size_t i = 0; i < pools->gpu_count; i++)
		if (pools->gpus[i].index == index)
			return &pools->gpus[i];
	return NULL;
}

/* Sums that do not fit are as good as endless. */
static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

void pools_use(const struct pools *pools, size_t pool, struct pool_use *use)
{
	const struct pool_commitment *commitment = &pools->commitments[pool];
	bool known = true;
	uint64_t contexts;

	*use = (struct pool_use){ .vms = commitment->vms };
	for (size_t i = 0; i < pools->gpu_count; i++) {
		const struct pool_gpu *gpu = &pools->gpus[i];

		if (gpu->pool != pool)
			continue;
		known = known && gpu->memory_bytes;
		use->memory_bytes = add(use->memory_bytes, gpu->memory_bytes);
		use->contexts += gpu->contexts;
	}
	if (!known)
		use->memory_bytes = 0;
	/* Hundredths first, so that no GPU's memory overflows. */
	use->limit_bytes =
		multiply(use->memory_bytes / 100, pools->config->pools[pool].memory_commitment);
	contexts = use->contexts > use->vms ? use->contexts : use->vms;
	use->context_bytes = multiply(contexts, pools->config->context_memory_bytes);
	use->committed_bytes = add(commitment->quota_bytes, use->context_bytes);
}

/* Checks what a pool has promised, after a change. Returns 0, or -1 and err. */
static int check(const struct pools *pools, size_t pool, struct vgpu_error **err)
{
	struct pool_use use;

	pools_use(pools, pool, &use);
	if (!use.limit_bytes || use.committed_bytes <= use.limit_bytes)
		return 0;
	return vgpu_error_set(
		err, EDQUOT,
		"pool %s has no room: with this VM it would promise %" PRIu64
		" MiB of GPU memory (%" PRIu64 " MiB of it for contexts), and its limit is %" PRIu64
		" MiB (memory-commitment = %u%% of its GPUs)",
		pools->config->pools[pool].name, use.committed_bytes / MIB, use.context_bytes / MIB,
		use.limit_bytes / MIB, pools->config->pools[pool].memory_commitment);
}

void pools_add(struct pools *pools, size_t pool, uint64_t quota_bytes)
{
	struct pool_commitment *commitment = &pools->commitments[pool];

	commitment->quota_bytes += quota_bytes;
	commitment->vms++;
}

int pools_commit(struct pools *pools, size_t pool, uint64_t quota_bytes, struct vgpu_error **err)
{
	const struct pool_commitment *commitment = &pools->commitments[pool];
	uint64_t sum;

	if (__builtin_add_overflow(commitment->quota_bytes, quota_bytes, &sum))
		return vgpu_error_set(err, EDQUOT, "the sum of the pool's quotas is too large");
	pools_add(pools, pool, quota_bytes);
	if (check(pools, pool, err) == 0)
		return 0;
	pools_uncommit(pools, pool, quota_bytes);
	return -1;
}

void pools_uncommit(struct pools *pools, size_t pool, uint64_t quota_bytes)
{
	pools->commitments[pool].quota_bytes -= quota_bytes;
	pools->commitments[pool].vms--;
}

int pools_recommit(struct pools *pools, size_t from, uint64_t from_bytes, size_t to,
		   uint64_t to_bytes, struct vgpu_error **err)
{
	pools_uncommit(pools, from, from_bytes);
	if (from == to && to_bytes <= from_bytes) {
		pools_add(pools, to, to_bytes);
		return 0;
	}
	if (pools_commit(pools, to, to_bytes, err) == 0)
		return 0;
	pools_add(pools, from, from_bytes);
	return -1;
}

bool pools_context_take(struct pools *pools, uint32_t index)
{
	struct pool_gpu *gpu = pools_gpu(pools, index);
	struct pool_use before, use;

	if (!gpu)
		return false;
	pools_use(pools, gpu->pool, &before);
	gpu->contexts++;
	pools_use(pools, gpu->pool, &use);
	/* Those that the VMs were promised are counted already. */
	if (!use.limit_bytes || use.committed_bytes <= use.limit_bytes ||
	    use.committed_bytes == before.committed_bytes)
		return true;
	gpu->contexts--;
	return false;
}

void pools_context_add(struct pools *pools, uint32_t index)
{
	struct pool_gpu *gpu = pools_gpu(pools, index);

	if (gpu)
		gpu->contexts++;
}

void pools_context_release(struct pools *pools, uint32_t index)
{
	struct pool_gpu *gpu = pools_gpu(pools, index);

	if (gpu && gpu->contexts)
		gpu->contexts--;
}

bool pools_window_take(struct pools *pools, uint64_t bytes)
{
	uint64_t sum, limit = pools->config->window_commitment_bytes;

	if (__builtin_add_overflow(pools->window_bytes, bytes, &sum) || (limit && sum > limit))
		return false;
	pools->window_bytes = sum;
	return true;
}

void pools_window_add(struct pools *pools, uint64_t bytes)
{
	pools->window_bytes = add(pools->window_bytes, bytes);
}

void pools_window_release(struct pools *pools, uint64_t bytes)
{
	pools->window_bytes -= bytes < pools->window_bytes ? bytes : pools->window_bytes;
}
