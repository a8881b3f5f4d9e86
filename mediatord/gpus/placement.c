/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/gpus/placement.h"

#include "mediatord/vm.h"
#include "mediatord/worker.h"

/* What contexts and tenants have of a GPU's memory. Sums of it stay far below 2^64. */
static uint64_t taken(const struct mediator *mediator, const struct pool_gpu *gpu)
{
	uint64_t bytes = gpu->contexts * mediator->config->context_memory_bytes;

	for (const struct worker *worker = mediator->workers; worker; worker = worker->next)
		if (worker->gpu == gpu->index)
			bytes += worker->memory.used;
	return bytes;
}

static uint64_t wanted(const struct vm *vm)
{
	uint64_t quota = vm->config.quotas.gpu_memory_bytes;
	uint64_t rest = quota > vm->memory.used ? quota - vm->memory.used : 0;
	uint64_t sum;

	return __builtin_add_overflow(rest, vm->mediator->config->context_memory_bytes, &sum)
		       ? UINT64_MAX
		       : sum;
}

void placement_prepare(struct vm *vm)
{
	struct mediator *mediator = vm->mediator;
	const uint64_t bytes = wanted(vm);

	for (size_t i = 0; i < mediator->pools.gpu_count; i++) {
		const struct pool_gpu *gpu = &mediator->pools.gpus[i];
		uint64_t used;

		if (&mediator->config->pools[gpu->pool] != vm->pool)
			continue;
		used = taken(mediator, gpu);
		sched_gpu_set_full(mediator->sched, gpu->index,
				   gpu->memory_bytes && (used > gpu->memory_bytes ||
							 gpu->memory_bytes - used < bytes));
	}
}
