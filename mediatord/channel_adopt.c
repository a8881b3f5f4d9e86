/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that an earlier mediator opened, made anew from their workers' records. */
#include <errno.h>

#include "mediatord/channel_turn.h"
#include "mediatord/vm.h"
#include "mediatord/worker.h"

/* A channel as the record has it, without anything that would have to be given back. */
static struct channel *rebuild(struct vm *vm, struct worker *worker, enum channel_state state)
{
	const struct record *record = worker->record;
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	*channel = (struct channel){
		.vm = vm,
		.number = record->channel,
		.serial = record->serial,
		.state = state,
		.opened = record->opened,
		.entries = record->entries,
		.bytes = record->region_bytes,
		.doorbell = -1,
		.completion = -1,
		.worker = worker,
	};
	return channel;
}

static void append(struct channel *channel)
{
	struct channel **end = &channel->vm->channels.first;

	while (*end)
		end = &(*end)->next;
	*end = channel;
	channel->worker->vm = channel->vm;
	channel->worker->channel = channel;
}

/* Whether another open channel of the VM lies in another BAR2: then one of the records is wrong. */
static bool other_bar(const struct vm *vm, const struct record *record)
{
	for (const struct channel *channel = vm->channels.first; channel; channel = channel->next) {
		const struct record *theirs = channel->worker->record;

		if (channel->state == CHANNEL_OPEN && (theirs->bar_device != record->bar_device ||
						       theirs->bar_inode != record->bar_inode ||
						       theirs->bar_bytes != record->bar_bytes))
			return true;
	}
	return false;
}

/*
 * It goes on with the grant that it has, also where that was being taken from it, unless another
 * VM's worker has the GPU as well.
 */
static int schedule(struct channel *channel, uint32_t gpu)
{
	channel->granted = grant_is_allowed(&channel->grant) || grant_is_held(&channel->grant);
	channel->contended = true;
	if (channel_schedule(channel, &gpu, true) == 0) {
		/* As the scheduler has it; it says so if nobody waits. */
		if (channel->granted)
			grant_allow(&channel->grant, true);
		return 0;
	}
	if (!channel->granted || errno != EBUSY)
		return -1;
	grant_revoke(&channel->grant);
	channel->granted = false;
	return channel_schedule(channel, &gpu, true);
}

/* Its worker may have been counted already, for a VM that was deleted. */
static void hold_window(const struct channel *channel)
{
	struct worker *worker = channel->worker;

	if (worker->window_bytes)
		return;
	worker->window_bytes = channel->region.bytes;
	pools_window_add(&channel->vm->mediator->pools, worker->window_bytes);
}

/* Takes what the channel holds. Returns NULL, or why not all can be taken. */
static const char *take(struct channel *channel)
{
	struct channels *channels = &channel->vm->channels;
	const struct record *record = channel->worker->record;
	const struct grant_counters seen = {
		.submissions = record->submissions,
		.errors = record->errors,
		.gpu_time_ns = record->gpu_time_ns,
		.bytes_in = record->bytes_in,
		.bytes_out = record->bytes_out,
		.jobs = record->jobs_seen,
	};
	const char *fault = grant_map(&channel->grant,
				      channel->worker->process->fds[VGPU_KEEPER_FD_GRANT], &seen);

	if (fault)
		return fault;
	if (!region_claim(&channels->bar, &channel->region, record->region, record->region_bytes))
		return "its region overlaps another's";
	if (schedule(channel, record->gpu) < 0) {
		region_free(&channels->bar, &channel->region);
		return "it cannot be scheduled";
	}
	ledger_reserve(&channels->window, channel->region.bytes, 0);
	return NULL;
}

const char *channel_adopt(struct vm *vm, struct worker *worker)
{
	const struct record *record = worker->record;
	struct channel *channel;
	const char *fault;

	if (channel_find(vm, record->channel))
		return "another worker serves its channel";
	if (other_bar(vm, record))
		return "its region is in another BAR2 than the VM's other channels";
	channel = rebuild(vm, worker, CHANNEL_OPEN);
	if (!channel)
		return "out of memory";
	fault = take(channel);
	if (fault) {
		grant_free(&channel->grant);
		free(channel);
		return fault;
	}
	hold_window(channel);
	/* Until the device comes back nothing is placed, but so that this is so by itself. */
	vm->channels.bar.bytes = record->bar_bytes;
	append(channel);
	channel_turn_begin(channel);
	return NULL;
}

void channel_adopt_orphan(struct vm *vm, struct worker *worker)
{
	struct channel *channel = rebuild(vm, worker, CHANNEL_ORPHANED);

	if (!channel)
		return;
	/* What overlaps another's is taken by that one as well. */
	if (region_claim(&vm->channels.bar, &channel->region, worker->record->region,
			 worker->record->region_bytes))
		ledger_reserve(&vm->channels.window, channel->region.bytes, 0);
	hold_window(channel);
	append(channel);
}
