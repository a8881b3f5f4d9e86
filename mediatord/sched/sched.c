/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/sched/sched.h"

#include <errno.h>
#include <stdlib.h>

#include "mediatord/sched/internal.h"

#define PARAM_MAX (3600 * VGPU_NS_PER_SECOND)

struct sched *sched_new(void)
{
	struct sched *sched = calloc(1, sizeof(*sched));

	if (!sched)
		return NULL;
	sched->params = (struct sched_params){
		.slice_ns = SCHED_SLICE_NS,
		.yield_ns = SCHED_YIELD_NS,
		.ageing_ns = SCHED_AGEING_NS,
		.period_ns = SCHED_PERIOD_NS,
	};
	sched->tell_end = &sched->tell;
	return sched;
}

static bool param_ok(int64_t value)
{
	return value > 0 && value <= PARAM_MAX;
}

int sched_set_params(struct sched *sched, const struct sched_params *params, int64_t now_ns)
{
	if (!param_ok(params->slice_ns) || !param_ok(params->yield_ns) ||
	    !param_ok(params->ageing_ns) || !param_ok(params->period_ns)) {
		errno = EINVAL;
		return -1;
	}
	/* What was earned and used so far was by the old values. */
	for (size_t i = 0; i < sched->gpu_count; i++)
		for (struct seat *seat = sched->gpus[i]->seats; seat; seat = seat->gpu_next)
			seat_settle(sched, seat, now_ns);
	sched->params = *params;
	for (size_t i = 0; i < sched->gpu_count; i++)
		gpu_reconsider(sched, sched->gpus[i], now_ns);
	return 0;
}

static void free_tenant_value(void *value, void *opaque)
{
	struct tenant *tenant = value;
	struct seat *next;

	(void)opaque;
	for (struct seat *seat = tenant->seats; seat; seat = next) {
		next = seat->next;
		heap_free(&seat->jobs);
		free(seat);
	}
	free(tenant);
}

static void free_channel_value(void *value, void *opaque)
{
	(void)opaque;
	channel_free(value);
}

void sched_free(struct sched **sched)
{
	struct sched *s = *sched;
	struct pool *next;

	*sched = NULL;
	if (!s)
		return;
	idmap_each(&s->channels, free_channel_value, NULL);
	idmap_each(&s->tenants, free_tenant_value, NULL);
	idmap_clear(&s->channels);
	idmap_clear(&s->tenants);
	for (size_t i = 0; i < s->gpu_count; i++) {
		for (unsigned int rank = 0; rank < RANKS; rank++) {
			heap_free(&s->gpus[i]->ranks[rank]);
			heap_free(&s->gpus[i]->waits[rank]);
		}
		heap_free(&s->gpus[i]->timers);
		free(s->gpus[i]);
	}
	free(s->gpus);
	for (struct pool *pool = s->pools; pool; pool = next) {
		next = pool->next;
		free(pool);
	}
	heap_free(&s->token_waits);
	free(s);
}

void channel_tell(struct sched *sched, struct channel *channel)
{
	if (channel->tell_link)
		return;
	channel->tell_next = NULL;
	channel->tell_link = sched->tell_end;
	*sched->tell_end = channel;
	sched->tell_end = &channel->tell_next;
}

void channel_untell(struct sched *sched, struct channel *channel)
{
	if (!channel->tell_link)
		return;
	*channel->tell_link = channel->tell_next;
	if (channel->tell_next)
		channel->tell_next->tell_link = channel->tell_link;
	else
		sched->tell_end = channel->tell_link;
	channel->tell_link = NULL;
}

/* What is to be said of a channel's hold on its GPU. */
static bool say_hold(struct channel *channel, struct sched_decision *decision)
{
	bool contended = channel->seat->gpu->turn.contended;

	switch (channel->hold) {
	case HOLD_NOTHING:
		return false;
	case HOLD_GRANTED:
		if (channel->told == HOLD_GRANTED && channel->told_contended == contended)
			return false;
		decision->kind = SCHED_GRANT;
		if (channel->told == HOLD_GRANTED)
			decision->kind = contended ? SCHED_CONTEND : SCHED_UNCONTEND;
		decision->contended = contended;
		channel->told_contended = contended;
		break;
	case HOLD_REVOKED:
		decision->kind = SCHED_REVOKE;
		break;
	case HOLD_KILLED:
		decision->kind = SCHED_KILL;
		break;
	case HOLD_LOST:
		decision->kind = SCHED_LOST;
		break;
	}
	if (channel->hold != HOLD_GRANTED && channel->told == channel->hold)
		return false;
	channel->told = channel->hold;
	return true;
}

/* The next that is to be said of a channel. Of one whose GPU failed it is that alone. */
static bool say(struct channel *channel, struct sched_decision *decision)
{
	struct gpu *gpu = channel->seat->gpu;

	*decision = (struct sched_decision){
		.tenant = channel->seat->tenant->id,
		.channel = channel->id,
		.gpu = gpu->id,
	};
	if (channel->hold == HOLD_LOST)
		return say_hold(channel, decision);
	if (channel->tell_run || channel->tell_expire) {
		decision->kind = channel->tell_run ? SCHED_RUN : SCHED_EXPIRE;
		decision->job = gpu->turn.job;
		*(channel->tell_run ? &channel->tell_run : &channel->tell_expire) = false;
		return true;
	}
	if (say_hold(channel, decision))
		return true;
	if (channel->tokens == channel->told_tokens)
		return false;
	channel->told_tokens = channel->tokens;
	decision->kind = SCHED_TOKENS;
	decision->tokens = channel->tokens;
	return true;
}

/* A GPU on which something happened, or whose time has come. */
static struct gpu *find_due(const struct sched *sched, int64_t now_ns)
{
	for (size_t i = 0; i < sched->gpu_count; i++) {
		struct gpu *gpu = sched->gpus[i];

		if (gpu->dirty || (gpu->due_ns != NEVER && gpu->due_ns <= now_ns))
			return gpu;
	}
	return NULL;
}

bool sched_next(struct sched *sched, int64_t now_ns, struct sched_decision *decision)
{
	struct gpu *gpu;

	tokens_due(sched, now_ns);
	for (;;) {
		while (sched->tell) {
			if (say(sched->tell, decision))
				return true;
			channel_untell(sched, sched->tell);
		}
		gpu = find_due(sched, now_ns);
		if (!gpu)
			return false;
		turn_step(sched, gpu, now_ns);
	}
}

int64_t sched_deadline(const struct sched *sched)
{
	const struct heap_node *tokens = heap_first(&sched->token_waits);
	int64_t first = tokens ? (int64_t)tokens->key : NEVER;

	for (size_t i = 0; i < sched->gpu_count; i++) {
		if (sched->gpus[i]->due_ns < first)
			first = sched->gpus[i]->due_ns;
	}
	return first == NEVER ? -1 : first;
}
