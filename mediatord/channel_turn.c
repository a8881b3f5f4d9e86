/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/channel_turn.h"

#include "common/clock.h"
#include "mediatord/job_limit.h"
#include "mediatord/vm.h"
#include "mediatord/worker.h"

static struct sched *sched_of(const struct channel *channel)
{
	return channel->vm->mediator->sched;
}

void channel_turn_begin(struct channel *channel)
{
	sched_want_tokens(sched_of(channel), channel->sched_channel,
			  channel->grant.seen.submissions, vgpu_now_ns());
}

static bool is_served(const struct channel *channel)
{
	return channel->state == CHANNEL_STARTING || channel->state == CHANNEL_OPEN;
}

/* Its worker may start nothing, and has nothing: the GPU is the next one's. */
static void yield(struct channel *channel)
{
	channel_sample(channel);
	if (!is_served(channel)) {
		channel_unschedule(channel);
		return;
	}
	channel->granted = false;
	sched_yielded(sched_of(channel), channel->sched_channel, vgpu_now_ns());
	if (channel->wants)
		sched_want(sched_of(channel), channel->sched_channel, vgpu_now_ns());
	channel->wants = false;
}

void channel_turn_end(struct channel *channel)
{
	/* Its end may take long: of a worker that holds nothing nobody need wait for that. */
	channel->revoked = true;
	if (!channel->granted || grant_revoke(&channel->grant))
		yield(channel);
}

static void allow(struct channel *channel, bool contended)
{
	channel->granted = true;
	channel->contended = contended;
	channel->revoked = false;
	channel->wants = false;
	grant_allow(&channel->grant, contended);
	worker_wake(channel->worker);
}

static void take_back(struct channel *channel)
{
	channel->revoked = true;
	if (grant_revoke(&channel->grant))
		yield(channel);
	else
		worker_wake(channel->worker);
}

/*
 * Others wait: who has no work gives the GPU up at once, also while it sleeps. Who was granted it a
 * moment ago has work, and its slice to begin it: who wants again and again could otherwise keep it
 * from others for ever.
 */
static void contend(struct channel *channel)
{
	if (!grant_is_fresh(&channel->grant) && grant_revoke(&channel->grant))
		yield(channel);
	else
		allow(channel, true);
}

static struct channel *find(const struct vm *vm, uint32_t sched_channel)
{
	for (struct channel *channel = vm->channels.first; channel; channel = channel->next)
		if (channel->scheduled && channel->sched_channel == sched_channel)
			return channel;
	return NULL;
}

/* It was closed, and told to end: until then the limits on what it has on the GPU go on. */
static bool finishes(const struct channel *channel)
{
	return channel->state == CHANNEL_CLOSING && channel->worker->state == WORKER_FINISHING;
}

/* Ends a channel for a fault of its own. */
static void end(struct channel *channel, uint32_t error, const char *text)
{
	worker_log(channel->worker, VGPU_LOG_WARNING, "killing worker %d: %s",
		   (int)worker_pid(channel->worker), text);
	channel_sample(channel);
	if (finishes(channel)) {
		worker_kill(channel->worker);
	} else {
		channel->error = channel->opened ? error : VGPU_ERR_UNAVAILABLE;
		channel_kill(channel, CHANNEL_BROKEN);
	}
	if (error == VGPU_ERR_TIMEOUT)
		vm_count_fault(channel->vm, text);
}

void channel_decide(struct vm *vm, const struct sched_decision *decision)
{
	struct channel *channel = find(vm, decision->channel);

	/* One that ends keeps what it holds until it yields, in time, or its worker was reaped. */
	if (!channel ||
	    (!is_served(channel) && (decision->kind != SCHED_KILL || !finishes(channel))))
		return;
	switch (decision->kind) {
	case SCHED_GRANT:
		allow(channel, decision->contended);
		break;
	case SCHED_CONTEND:
		contend(channel);
		break;
	case SCHED_UNCONTEND:
		allow(channel, false);
		break;
	case SCHED_REVOKE:
		take_back(channel);
		break;
	case SCHED_KILL:
		end(channel, VGPU_ERR_TIMEOUT, "it did not yield the GPU in time");
		break;
	case SCHED_LOST:
		end(channel, VGPU_ERR_CONTEXT_LOST, "its GPU failed");
		break;
	case SCHED_TOKENS:
		grant_set_tokens(&channel->grant, decision->tokens);
		worker_wake(channel->worker);
		break;
	case SCHED_RUN:
	case SCHED_EXPIRE:
		break; /* a mailbox's */
	}
}

void channel_worker_yielded(struct channel *channel)
{
	if (!channel->granted)
		return;
	if (grant_revoke(&channel->grant))
		yield(channel);
	else if (!channel->revoked)
		/* An old one: it has begun again since. */
		allow(channel, channel->contended);
}

static void want_grant(struct channel *channel)
{
	if (channel->granted && grant_is_allowed(&channel->grant)) {
		/* It looked before we stored it. */
		worker_wake(channel->worker);
		return;
	}
	channel_worker_yielded(channel);
	/* It may wait for its last work, and for the turn after this one, at once. */
	if (channel->granted)
		channel->wants = true;
	else
		sched_want(sched_of(channel), channel->sched_channel, vgpu_now_ns());
}

void channel_worker_wants(struct channel *channel, uint32_t what)
{
	if (!channel->scheduled || !is_served(channel))
		return;
	if (what & VGPU_WORKER_WANT_GRANT)
		want_grant(channel);
	if (what & VGPU_WORKER_WANT_TOKENS) {
		channel_sample(channel);
		sched_want_tokens(sched_of(channel), channel->sched_channel,
				  channel->grant.seen.submissions, vgpu_now_ns());
	}
}

void channels_rate_changed(struct vm *vm)
{
	for (struct channel *channel = vm->channels.first; channel; channel = channel->next)
		if (channel->scheduled && is_served(channel)) {
			channel_sample(channel);
			channel_turn_begin(channel);
		}
}

void channels_expire_soon(struct vm *vm)
{
	timer_set(loop_timers(vm->mediator->loop), &vm->channels.expire, vgpu_now_ns());
}

void channels_expire_due(struct vm *vm)
{
	int64_t limit = (int64_t)vm->config.quotas.longest_job_ms * VGPU_NS_PER_MS;
	int64_t now = vgpu_now_ns(), first = INT64_MAX;

	for (struct channel *channel = vm->channels.first; limit && channel;
	     channel = channel->next) {
		int64_t since = grant_job_since(&channel->grant, now), look;

		if (channel->state != CHANNEL_OPEN && !finishes(channel))
			continue;
		if (job_limit_reached(since, limit, now)) {
			end(channel, VGPU_ERR_TIMEOUT, "a job of it is longer than the VM's limit");
			continue;
		}
		look = job_limit_look(since, limit, now);
		if (look < first)
			first = look;
	}
	if (first != INT64_MAX)
		timer_set(loop_timers(vm->mediator->loop), &vm->channels.expire, first);
}
