/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring takes its submissions itself: it gets leave for several in advance, out of the bucket that
 * its tenant's mailbox uses, too. A batch is what the rate earns in 10 ms, so that a busy tenant is
 * spoken to a hundred times a second at most; where the bucket is full, half of what is there.
 */
#include "mediatord/sched/internal.h"

#define TOKEN		   VGPU_NS_PER_SECOND
#define BATCHES_PER_SECOND 100

/* The tokens for which a ring is made to wait. */
static int64_t batch(const struct sched_tenant_config *config)
{
	int64_t most = bucket_size(config) / TOKEN;
	int64_t count = config->requests_per_second / BATCHES_PER_SECOND;

	if (count > most)
		count = most;
	return count > 1 ? count : 1;
}

static struct channel *pop(struct tenant *tenant)
{
	struct channel *channel = tenant->token_first;

	tenant->token_first = channel->token_next;
	if (!tenant->token_first)
		tenant->token_last = NULL;
	channel->token_waits = false;
	return channel;
}

static void push(struct tenant *tenant, struct channel *channel)
{
	if (channel->token_waits)
		return;
	channel->token_waits = true;
	channel->token_next = NULL;
	if (tenant->token_last)
		tenant->token_last->token_next = channel;
	else
		tenant->token_first = channel;
	tenant->token_last = channel;
}

void tokens_rearm(struct sched *sched, struct tenant *tenant)
{
	int64_t missing = batch(&tenant->config) * TOKEN - tenant->bucket;
	int64_t rate = tenant->config.requests_per_second;
	int64_t wait_ns = 0;

	heap_remove(&sched->token_waits, &tenant->token_node);
	if (!tenant->token_first || tenant->config.closed)
		return;
	if (rate && missing > 0)
		wait_ns = missing / rate + (missing % rate != 0);
	tenant->token_node.key = (uint64_t)later(tenant->bucket_filled_ns, wait_ns);
	heap_add(&sched->token_waits, &tenant->token_node);
}

/* Gives what there is to the rings that wait, first come first served. */
static void give(struct sched *sched, struct tenant *tenant, int64_t now_ns)
{
	int64_t least = batch(&tenant->config);

	tenant_refill(tenant, now_ns);
	while (tenant->token_first && !tenant->config.closed) {
		struct channel *channel = tenant->token_first;
		int64_t there = tenant->bucket / TOKEN;

		if (!tenant->config.requests_per_second) {
			channel->tokens = SCHED_TOKENS_NO_LIMIT;
		} else if (there >= least) {
			int64_t count = there / 2 > least ? there / 2 : least;

			channel->tokens += (uint64_t)count;
			tenant->bucket -= count * TOKEN;
		} else {
			break;
		}
		channel_tell(sched, pop(tenant));
	}
	tokens_rearm(sched, tenant);
}

void tokens_due(struct sched *sched, int64_t now_ns)
{
	struct heap_node *first;

	while ((first = heap_first(&sched->token_waits)) && (int64_t)first->key <= now_ns &&
	       (int64_t)first->key != NEVER)
		give(sched, HEAP_OWNER(first, struct tenant, token_node), now_ns);
}

void tokens_forget(struct sched *sched, struct channel *channel)
{
	struct tenant *tenant = channel->seat->tenant;
	struct channel *first;

	if (!channel->token_waits)
		return;
	/* Once around the list, which is as long as the tenant has rings, keeps its order. */
	for (struct channel *last = tenant->token_last;;) {
		first = pop(tenant);
		if (first != channel)
			push(tenant, first);
		if (first == last)
			break;
	}
	tokens_rearm(sched, tenant);
}

/* Gives back what a ring has left; what it took beyond its leave is a debt. */
static void settle(struct tenant *tenant, const struct channel *channel, uint64_t submissions)
{
	int64_t size = bucket_size(&tenant->config);
	int64_t left;

	if (channel->tokens == SCHED_TOKENS_NO_LIMIT)
		return;
	left = (int64_t)(channel->tokens - submissions);
	if (left > (size - tenant->bucket) / TOKEN)
		tenant->bucket = size;
	else if (left < (-size - tenant->bucket) / TOKEN)
		tenant->bucket = -size;
	else
		tenant->bucket += left * TOKEN;
}

void sched_want_tokens(struct sched *sched, uint32_t channel, uint64_t submissions, int64_t now_ns)
{
	struct channel *c = idmap_get(&sched->channels, channel);
	struct tenant *tenant;

	if (!c || c->hold == HOLD_LOST)
		return;
	tenant = c->seat->tenant;
	/* A worker's counter does not go back, nor that far; its tenant may control it. */
	if (submissions < c->submissions)
		submissions = c->submissions;
	if (submissions > INT64_MAX)
		submissions = INT64_MAX;
	tenant_refill(tenant, now_ns);
	settle(tenant, c, submissions);
	c->submissions = submissions;
	c->tokens = submissions;
	push(tenant, c);
	channel_tell(sched, c);
	give(sched, tenant, now_ns);
}
