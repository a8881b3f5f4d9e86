/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "mediatord/sched/internal.h"

#define PERCENT_MAX 100u

struct gpu *gpu_find(const struct sched *sched, uint32_t id)
{
	for (size_t i = 0; i < sched->gpu_count; i++) {
		if (sched->gpus[i]->id == id)
			return sched->gpus[i];
	}
	errno = ENOENT;
	return NULL;
}

struct pool *pool_find(const struct sched *sched, uint32_t id)
{
	struct pool *pool = sched->pools;

	while (pool && pool->id != id)
		pool = pool->next;
	return pool;
}

static struct pool *pool_get(struct sched *sched, uint32_t id)
{
	struct pool *pool = pool_find(sched, id);

	if (pool)
		return pool;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return NULL;
	*pool = (struct pool){ .id = id, .next = sched->pools };
	sched->pools = pool;
	return pool;
}

int sched_gpu_add(struct sched *sched, uint32_t gpu, uint32_t pool)
{
	struct gpu **gpus, *new;
	struct pool *in;

	if (gpu_find(sched, gpu)) {
		errno = EEXIST;
		return -1;
	}
	gpus = reallocarray(sched->gpus, sched->gpu_count + 1, sizeof(*gpus));
	if (!gpus)
		return -1;
	sched->gpus = gpus;
	new = calloc(1, sizeof(*new));
	in = new ? pool_get(sched, pool) : NULL;
	if (!in) {
		free(new);
		errno = ENOMEM;
		return -1;
	}
	new->id = gpu;
	new->pool = in;
	new->due_ns = NEVER;
	in->gpus++;
	gpus[sched->gpu_count++] = new;
	return 0;
}

int sched_gpu_fail(struct sched *sched, uint32_t gpu, int64_t now_ns)
{
	struct gpu *failed = gpu_find(sched, gpu);

	if (!failed)
		return -1;
	turn_abandon(sched, failed, now_ns);
	failed->failed = true;
	for (struct seat *seat = failed->seats; seat; seat = seat->gpu_next) {
		for (struct channel *channel = seat->channels; channel; channel = channel->next) {
			channel_withdraw(channel);
			tokens_forget(sched, channel);
			channel->hold = HOLD_LOST;
			channel_tell(sched, channel);
		}
		seat_check(sched, seat, now_ns);
	}
	gpu_touch(sched, failed);
	return 0;
}

int sched_gpu_restore(struct sched *sched, uint32_t gpu)
{
	struct gpu *restored = gpu_find(sched, gpu);

	if (!restored)
		return -1;
	restored->failed = false;
	return 0;
}

int sched_gpu_set_full(struct sched *sched, uint32_t gpu, bool full)
{
	struct gpu *g = gpu_find(sched, gpu);

	if (!g)
		return -1;
	g->full = full;
	return 0;
}

int sched_gpu_status(const struct sched *sched, uint32_t gpu, struct sched_gpu_status *status)
{
	const struct gpu *g = gpu_find(sched, gpu);

	if (!g)
		return -1;
	*status = (struct sched_gpu_status){
		.failed = g->failed,
		.owned = g->turn.owner != NULL,
		.owner = g->turn.owner ? g->turn.owner->tenant->id : 0,
		.waiting = g->waiting,
		.channels = g->channels,
		.guaranteed_percent = g->guaranteed_percent,
		.turns = g->turns,
	};
	return 0;
}

/* Whether what the tenant was promised can be kept there. */
static bool guarantee_fits(const struct tenant *tenant, const struct gpu *gpu)
{
	const struct seat *seat = seat_find(tenant, gpu);

	if (tenant->config.time_guaranteed_percent == 0 || (seat && seat->channel_count))
		return true;
	return gpu->guaranteed_percent + tenant->config.time_guaranteed_percent <= PERCENT_MAX;
}

static bool goes_before(const struct gpu *gpu, const struct gpu *other)
{
	return gpu->full == other->full ? gpu->channels < other->channels : other->full;
}

struct gpu *gpu_place(const struct sched *sched, const struct tenant *tenant)
{
	struct gpu *best = NULL;

	errno = ENODEV;
	for (size_t i = 0; i < sched->gpu_count; i++) {
		struct gpu *gpu = sched->gpus[i];

		if (gpu->pool != tenant->pool || gpu->failed)
			continue;
		if (!guarantee_fits(tenant, gpu))
			errno = ERANGE;
		else if (!best || goes_before(gpu, best))
			best = gpu;
	}
	return best;
}
