/* SPDX-License-Identifier: Apache-2.0 */
/* What channels did, as their workers say it through the grant page; and how they are. */
#include <string.h>

#include "mediatord/job_limit.h"
#include "mediatord/vm.h"
#include "mediatord/worker.h"

/*
 * USAGE is sent as often, where there is news; where there is none, they are looked for less: then
 * together with jobs that may be too long.
 */
#define SAMPLE_FIRST_NS (100 * VGPU_NS_PER_MS)
#define SAMPLE_LAST_NS	JOB_LIMIT_LOOK_NS

/* What was counted is not counted again by the next mediator. */
static void keep_seen(struct record *record, const struct grant_counters *seen)
{
	RECORD_SET(record, submissions, seen->submissions);
	RECORD_SET(record, errors, seen->errors);
	RECORD_SET(record, gpu_time_ns, seen->gpu_time_ns);
	RECORD_SET(record, bytes_in, seen->bytes_in);
	RECORD_SET(record, bytes_out, seen->bytes_out);
	RECORD_SET(record, jobs_seen, seen->jobs);
}

bool channel_sample(struct channel *channel)
{
	struct pool_gpu *gpu;
	struct usage news;
	int64_t now = vgpu_now_ns();
	struct grant_counters fresh;
	uint64_t elapsed_ns;

	if (!channel->worker)
		return false;
	elapsed_ns = (uint64_t)(now - channel->worker->start_ns);
	fresh = grant_sample(&channel->grant, elapsed_ns);
	if (channel->granted)
		sched_used(channel->vm->mediator->sched, channel->sched_channel,
			   (int64_t)fresh.gpu_time_ns, now);
	news = (struct usage){
		.requests = fresh.submissions,
		.completed = fresh.submissions - fresh.errors,
		.failed = fresh.errors,
		.gpu_time_ns = fresh.gpu_time_ns,
		.bytes_in = fresh.bytes_in,
		.bytes_out = fresh.bytes_out,
		.jobs = fresh.jobs,
	};
	grant_times(&channel->grant, elapsed_ns, &news);
	usage_add(&channel->vm->usage, &news);
	gpu = pools_gpu(&channel->vm->mediator->pools, channel->worker->gpu);
	if (gpu)
		usage_add(&gpu->usage, &news);
	keep_seen(channel->worker->record, &channel->grant.seen);
	/* One that works has news soon again. */
	return fresh.submissions || fresh.errors || fresh.gpu_time_ns ||
	       grant_job_since(&channel->grant, now);
}

bool channels_sample(struct vm *vm)
{
	bool news = false;

	for (struct channel *channel = vm->channels.first; channel; channel = channel->next)
		news = channel_sample(channel) || news;
	return news;
}

/*
 * The device's registers show what is done: while it is there, somebody may look. All VMs with
 * channels that do nothing are looked at together: however many they are, they wake the mediator
 * once in SAMPLE_LAST_NS.
 */
static void sample_again(struct vm *vm, int64_t interval_ns)
{
	int64_t due_ns = vgpu_now_ns() + interval_ns;

	if (interval_ns == SAMPLE_LAST_NS)
		due_ns -= due_ns % SAMPLE_LAST_NS;
	vm->channels.sample_interval_ns = interval_ns;
	timer_set(loop_timers(vm->mediator->loop), &vm->channels.sample, due_ns);
}

void channels_sample_soon(struct vm *vm)
{
	sample_again(vm, SAMPLE_FIRST_NS);
}

void channels_sample_due(struct vm *vm)
{
	bool is_open = false;

	for (const struct channel *channel = vm->channels.first; channel; channel = channel->next)
		is_open = is_open || channel->state == CHANNEL_OPEN;
	if (!is_open)
		return;
	if (channels_sample(vm)) {
		sample_again(vm, SAMPLE_FIRST_NS);
		vm_report(vm);
	} else {
		int64_t interval = vm->channels.sample_interval_ns * 2;

		sample_again(vm, interval < SAMPLE_LAST_NS ? interval : SAMPLE_LAST_NS);
	}
}

bool channels_busy(const struct vm *vm)
{
	for (const struct channel *channel = vm->channels.first; channel; channel = channel->next)
		if (grant_is_held(&channel->grant))
			return true;
	return false;
}

uint32_t channels_status(const struct vm *vm, struct vm_channel_status status[VGPU_CHANNELS_MAX])
{
	static const uint32_t states[] = {
		[CHANNEL_WAITING] = VGPU_CHANNEL_STATE_OPENING,
		[CHANNEL_STARTING] = VGPU_CHANNEL_STATE_OPENING,
		[CHANNEL_OPEN] = VGPU_CHANNEL_STATE_OPEN,
		[CHANNEL_CLOSING] = VGPU_CHANNEL_STATE_CLOSING,
		[CHANNEL_BROKEN] = VGPU_CHANNEL_STATE_FAILED,
	};
	uint32_t count = 0;

	/* One entry a number at most: find() sees to it that no two that the device has share one.
	 */
	for (const struct channel *channel = vm->channels.first; channel; channel = channel->next) {
		struct vm_channel_status *entry = &status[count];

		if (channel->state == CHANNEL_ORPHANED)
			continue;
		*entry = (struct vm_channel_status){
			.number = channel->number,
			.state = states[channel->state],
			.region_bytes = channel->region.bytes,
			.submissions = channel->grant.seen.submissions,
			.errors = channel->grant.seen.errors,
			.gpu_time_ns = channel->grant.seen.gpu_time_ns,
		};
		if (channel->worker) {
			entry->worker_pid = worker_pid(channel->worker);
			entry->memory_used_bytes = channel->worker->memory.used;
			entry->context = channel->worker->context;
			entry->gpu = channel->worker->gpu;
			memcpy(entry->gpu_name, channel->worker->gpu_name, sizeof(entry->gpu_name));
		}
		count++;
	}
	return count;
}
