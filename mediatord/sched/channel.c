/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "mediatord/sched/internal.h"

#define FIFO_FIRST 8u

/* Adds a job at the end. Returns 0, or -1 with ENOMEM. */
static int fifo_push(struct fifo *fifo, struct job job)
{
	if (fifo->count == fifo->size) {
		size_t size = fifo->size ? fifo->size * 2 : FIFO_FIRST;
		struct job *jobs = calloc(size, sizeof(*jobs));

		if (!jobs) {
			errno = ENOMEM;
			return -1;
		}
		for (size_t i = 0; i < fifo->count; i++)
			jobs[i] = fifo->jobs[(fifo->first + i) & (fifo->size - 1)];
		free(fifo->jobs);
		fifo->jobs = jobs;
		fifo->size = size;
		fifo->first = 0;
	}
	fifo->jobs[(fifo->first + fifo->count) & (fifo->size - 1)] = job;
	fifo->count++;
	return 0;
}

/* Takes the first job, which must be there. A ring that a burst made large goes when it is empty.
 */
static struct job fifo_pop(struct fifo *fifo)
{
	struct job job = fifo->jobs[fifo->first];

	fifo->first = (fifo->first + 1) & (fifo->size - 1);
	fifo->count--;
	if (fifo->count == 0 && fifo->size > FIFO_FIRST) {
		free(fifo->jobs);
		*fifo = (struct fifo){ 0 };
	}
	return job;
}

struct job channel_pop(struct channel *channel)
{
	heap_remove(&channel->seat->jobs, &channel->job_node);
	return fifo_pop(&channel->waiting);
}

void channel_enqueue(struct channel *channel)
{
	if (channel->job_node.place || channel->waiting.count == 0 ||
	    channel->seat->gpu->turn.running == channel || channel->hold == HOLD_LOST)
		return;
	channel->job_node.key = channel->waiting.jobs[channel->waiting.first].arrival;
	heap_add(&channel->seat->jobs, &channel->job_node);
}

void channel_withdraw_want(struct channel *channel)
{
	channel->seat->wanting -= channel->wants;
	channel->wants = false;
}

void channel_withdraw(struct channel *channel)
{
	heap_remove(&channel->seat->jobs, &channel->job_node);
	channel_withdraw_want(channel);
}

/* Adds a channel on a GPU. Returns NULL with EEXIST or ENOMEM. */
static struct channel *channel_new(struct sched *sched, uint32_t id, struct tenant *tenant,
				   struct gpu *gpu)
{
	struct seat *seat = seat_get(sched, tenant, gpu);
	struct channel *channel;

	if (!seat || heap_reserve(&seat->jobs, seat->channel_count + 1) < 0)
		return NULL;
	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return NULL;
	if (idmap_add(&sched->channels, id, channel) < 0) {
		free(channel);
		return NULL;
	}
	*channel = (struct channel){
		.id = id,
		.seat = seat,
		.next = seat->channels,
		.link = &seat->channels,
	};
	if (channel->next)
		channel->next->link = &channel->next;
	seat->channels = channel;
	if (seat->channel_count++ == 0)
		gpu->guaranteed_percent += tenant->config.time_guaranteed_percent;
	gpu->channels++;
	return channel;
}

int sched_channel_add(struct sched *sched, uint32_t channel, uint32_t tenant, uint32_t *gpu)
{
	struct tenant *t = idmap_get(&sched->tenants, tenant);
	struct gpu *placed;

	if (!t) {
		errno = ENOENT;
		return -1;
	}
	if (idmap_get(&sched->channels, channel)) {
		errno = EEXIST;
		return -1;
	}
	placed = gpu_place(sched, t);
	if (!placed || !channel_new(sched, channel, t, placed))
		return -1;
	*gpu = placed->id;
	return 0;
}

int sched_channel_adopt(struct sched *sched, uint32_t channel, uint32_t tenant, uint32_t gpu,
			bool granted, int64_t now_ns)
{
	struct tenant *t = idmap_get(&sched->tenants, tenant);
	struct gpu *on = gpu_find(sched, gpu);
	struct channel *c;

	if (!t) {
		errno = ENOENT;
		return -1;
	}
	if (!on || on->pool != t->pool) {
		errno = EINVAL;
		return -1;
	}
	if (on->failed) {
		errno = ENODEV;
		return -1;
	}
	c = channel_new(sched, channel, t, on);
	if (!c)
		return -1;
	if (granted && turn_adopt(sched, c, now_ns) < 0) {
		channel_destroy(sched, c, now_ns);
		errno = EBUSY;
		return -1;
	}
	return 0;
}

void channel_free(struct channel *channel)
{
	free(channel->waiting.jobs);
	free(channel);
}

void channel_destroy(struct sched *sched, struct channel *channel, int64_t now_ns)
{
	struct seat *seat = channel->seat;
	struct gpu *gpu = seat->gpu;

	/* What it ran is charged in full, or a tenant could avoid its share by reconnecting. */
	if (gpu->turn.running == channel)
		turn_stop_job(sched, gpu, INT64_MAX, now_ns);
	channel_withdraw(channel);
	turn_release(sched, channel, now_ns);
	channel_untell(sched, channel);
	tokens_forget(sched, channel);
	seat->tenant->stats.waiting -= (uint32_t)channel->waiting.count;
	if (--seat->channel_count == 0)
		gpu->guaranteed_percent -= seat->tenant->config.time_guaranteed_percent;
	gpu->channels--;
	*channel->link = channel->next;
	if (channel->next)
		channel->next->link = channel->link;
	idmap_remove(&sched->channels, channel->id);
	channel_free(channel);
	seat_check(sched, seat, now_ns);
	gpu_touch(sched, gpu);
}

void sched_channel_remove(struct sched *sched, uint32_t channel, int64_t now_ns)
{
	struct channel *c = idmap_get(&sched->channels, channel);

	if (c)
		channel_destroy(sched, c, now_ns);
}

enum sched_answer sched_submit(struct sched *sched, uint32_t channel, uint64_t job, int64_t now_ns)
{
	struct channel *c = idmap_get(&sched->channels, channel);
	struct sched_tenant_stats *stats;
	struct tenant *t;

	if (!c || c->hold == HOLD_LOST)
		return SCHED_NO_CHANNEL;
	t = c->seat->tenant;
	stats = &t->stats;
	/* The queue first: a job that does not fit it must not cost a token. */
	if (t->config.queue_depth &&
	    (uint64_t)stats->waiting + stats->running >= t->config.queue_depth) {
		stats->refused_queue_full++;
		return SCHED_QUEUE_FULL;
	}
	if (!tenant_has_token(t, now_ns)) {
		stats->refused_rate_limited++;
		return SCHED_RATE_LIMITED;
	}
	if (stats->waiting == UINT32_MAX ||
	    fifo_push(&c->waiting, (struct job){ .id = job, .arrival = sched->arrivals }) < 0)
		return SCHED_NO_MEMORY;
	sched->arrivals++;
	tenant_take_token(t);
	stats->submitted++;
	stats->waiting++;
	channel_enqueue(c);
	seat_activate(sched, c->seat, now_ns);
	return SCHED_ADMITTED;
}

void sched_complete(struct sched *sched, uint64_t job, int64_t gpu_time_ns, int64_t now_ns)
{
	for (size_t i = 0; i < sched->gpu_count; i++) {
		struct gpu *gpu = sched->gpus[i];
		struct channel *channel = gpu->turn.running;

		if (!channel || gpu->turn.job != job || channel->tell_run)
			continue;
		if (!gpu->turn.expired)
			channel->seat->tenant->stats.completed++;
		turn_stop_job(sched, gpu, gpu_time_ns, now_ns);
		channel_enqueue(channel);
		return;
	}
}

void sched_want(struct sched *sched, uint32_t channel, int64_t now_ns)
{
	struct channel *c = idmap_get(&sched->channels, channel);

	if (!c)
		return;
	if (c->told == HOLD_REVOKED && c->hold == HOLD_REVOKED)
		turn_release(sched, c, now_ns);
	if (c->hold != HOLD_NOTHING || c->wants)
		return;
	c->wants = true;
	if (c->seat->wanting++ == 0)
		c->seat->want_arrival = sched->arrivals++;
	seat_activate(sched, c->seat, now_ns);
}

void sched_yielded(struct sched *sched, uint32_t channel, int64_t now_ns)
{
	struct channel *c = idmap_get(&sched->channels, channel);

	/* Not of one whose SCHED_GRANT is still to be said: it speaks of an earlier grant. */
	if (c && c->told != HOLD_NOTHING && c->hold != HOLD_LOST)
		turn_release(sched, c, now_ns);
}

void sched_used(struct sched *sched, uint32_t channel, int64_t gpu_time_ns, int64_t now_ns)
{
	struct channel *c = idmap_get(&sched->channels, channel);
	int64_t elapsed;

	if (!c || (c->hold != HOLD_GRANTED && c->hold != HOLD_REVOKED))
		return;
	elapsed = now_ns - c->used_ns;
	if (gpu_time_ns > elapsed)
		gpu_time_ns = elapsed;
	if (gpu_time_ns < 0)
		gpu_time_ns = 0;
	if (elapsed > 0)
		c->used_ns = now_ns;
	c->seat->tenant->stats.gpu_time_ns += (uint64_t)gpu_time_ns;
	seat_settle(sched, c->seat, now_ns);
	seat_claim(c->seat, gpu_time_ns);
}
