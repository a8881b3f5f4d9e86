/* SPDX-License-Identifier: Apache-2.0 */
/* How a VM is, for its device and for REST. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "mediatord/histogram.h"
#include "mediatord/link.h"
#include "mediatord/worker.h"

/* What worker_state is for those outside, who need not know how a worker ends. */
static uint32_t worker_state(const struct vm *vm)
{
	if (vm->worker &&
	    (vm->worker->state == WORKER_READY || vm->worker->state == WORKER_ADOPTING))
		return VGPU_WORKER_READY;
	if (vm->worker && (vm->worker->state == WORKER_STARTING || vm->pending))
		return VGPU_WORKER_STARTING;
	return vm->start_failed ? VGPU_WORKER_FAILED : VGPU_WORKER_NONE;
}

static void count_time(uint64_t *times, uint64_t *sum_ns, int64_t ns)
{
	uint64_t time_ns = ns > 0 ? (uint64_t)ns : 0;

	times[histogram_bucket(time_ns)]++;
	*sum_ns += time_ns;
}

static void count_job(struct usage *usage, const struct job *job, uint64_t gpu_time_ns,
		      int64_t now_ns)
{
	usage->jobs++;
	usage->gpu_time_ns += gpu_time_ns;
	count_time(usage->queue_times, &usage->queue_ns, job->run_ns - job->arrived_ns);
	count_time(usage->run_times, &usage->run_ns, (int64_t)gpu_time_ns);
	count_time(usage->total_times, &usage->total_ns, now_ns - job->arrived_ns);
}

void vm_count_job(struct vm *vm, const struct job *job, uint64_t gpu_time_ns, int64_t now_ns)
{
	struct pool_gpu *gpu = vm->worker ? pools_gpu(&vm->mediator->pools, vm->worker->gpu) : NULL;

	count_job(&vm->usage, job, gpu_time_ns, now_ns);
	if (gpu)
		count_job(&gpu->usage, job, gpu_time_ns, now_ns);
}

void vm_count_refusal(struct vm *vm, uint32_t error)
{
	static const enum usage_refusal refusals[] = {
		[VGPU_ERR_INVALID_REQUEST] = USAGE_REFUSED_INVALID,
		[VGPU_ERR_QUEUE_FULL] = USAGE_REFUSED_QUEUE_DEPTH,
		[VGPU_ERR_RATE_LIMITED] = USAGE_REFUSED_RATE,
		[VGPU_ERR_CHANNEL_LIMIT] = USAGE_REFUSED_CHANNELS,
		[VGPU_ERR_WINDOW_LIMIT] = USAGE_REFUSED_WINDOW,
		[VGPU_ERR_QUARANTINED] = USAGE_REFUSED_QUARANTINED,
		[VGPU_ERR_UNAVAILABLE] = USAGE_REFUSED_UNAVAILABLE,
	};

	/* All that is not named is 0: something wrong with the request. */
	vm->usage.refused[error < sizeof(refusals) / sizeof(*refusals)
				  ? refusals[error]
				  : USAGE_REFUSED_UNAVAILABLE]++;
}

static struct usage_quarantine quarantine_of(const struct vm *vm)
{
	struct usage_quarantine quarantine = vm->quarantine_kept;

	if (vm->config.hold == VM_HOLD_QUARANTINED)
		quarantine = (struct usage_quarantine){ .until_s = USAGE_UNTIL_RELEASED,
							.reason = VM_QUARANTINE_BY_OPERATOR };
	return quarantine;
}

void vm_status(struct vm *vm, struct vm_status *status)
{
	channels_sample(vm);
	*status = (struct vm_status){
		.link_state = vm->link ? VGPU_LINK_UP : VGPU_LINK_DOWN,
		.link_pid = vm->link ? vm->link->peer.pid : 0,
		.idle = !vm->pending && !vm->queue && !channels_busy(vm) &&
			!sched_tenant_busy(vm->mediator->sched, vm->config.vm_id),
		.quarantined = vm_quarantined(vm),
		.quarantine = quarantine_of(vm),
		.worker_state = worker_state(vm),
		.memory_used_bytes = vm->memory.used,
		.window_used_bytes = vm->channels.window.used,
		.usage = vm->usage,
	};
	if (vm->worker && vm->worker->state != WORKER_ENDING) {
		status->worker_pid = worker_pid(vm->worker);
		status->worker_jobs = vm->worker->jobs;
	}
	memcpy(status->gpu_name, vm->gpu_name, sizeof(status->gpu_name));
	status->channel_count = channels_status(vm, status->channels);
}

static void send_report(struct vm *vm, const struct vgpu_link_header *message, void *sent)
{
	if (link_send(vm->link, message) == 0)
		memcpy(sent, message, message->length);
	else if (errno == EAGAIN)
		/* A QEMU that is stopped for a while: it gets the latest when it reads again. */
		timer_set(loop_timers(vm->mediator->loop), &vm->report,
			  vgpu_now_ns() + VGPU_NS_PER_SECOND);
	/* Any other failure: the peer is gone, and the loop is about to be told. */
}

static void report_config(struct vm *vm)
{
	const struct vgpu_quotas *quotas = &vm->config.quotas;
	struct vgpu_link_config message;

	if (!vm->link)
		return;
	memset(&message, 0, sizeof(message));
	message.header.type = VGPU_MSG_CONFIG;
	message.header.length = sizeof(message);
	message.pool_id = (uint32_t)(unsigned char)vm->pool->letter;
	message.priority = vm->config.priority;
	message.vm_id = vm->config.vm_id;
	message.worker_state = worker_state(vm);
	message.context = vm->context;
	message.quotas.memory_bytes = quotas->gpu_memory_bytes;
	message.quotas.window_bytes = quotas->window_bytes;
	message.quotas.time_guaranteed_percent = quotas->gpu_time_guaranteed_percent;
	message.quotas.time_max_percent = quotas->gpu_time_max_percent;
	message.quotas.requests_per_second = quotas->requests_per_second;
	message.quotas.burst = quotas->burst;
	message.quotas.queue_depth = quotas->queue_depth;
	message.quotas.channels = quotas->channels;
	message.quotas.longest_job_ms = quotas->longest_job_ms;
	message.quotas.quarantined = vm_quarantined(vm);
	memcpy(message.uuid, vm->config.uuid, sizeof(message.uuid));
	memcpy(message.gpu_name, vm->gpu_name, sizeof(message.gpu_name));
	memcpy(message.pool_name, vm->config.pool, sizeof(message.pool_name));
	vgpu_text_cut(message.vm_name, sizeof(message.vm_name), vm->config.name);
	if (memcmp(&message, &vm->sent_config, sizeof(message)) != 0)
		send_report(vm, &message.header, &vm->sent_config);
}

void vm_report_usage(struct vm *vm)
{
	struct vgpu_link_usage message = {
		.header = { .type = VGPU_MSG_USAGE, .length = sizeof(message) },
		.memory_bytes = vm->memory.used,
		.window_bytes = vm->channels.window.used,
		.time_ns = vm->usage.gpu_time_ns,
		.jobs_completed = vm->usage.completed,
		.jobs_failed = vm->usage.failed,
	};
	int64_t now = vgpu_now_ns();

	if (!vm->link)
		return;
	if (memcmp(&message, &vm->sent_usage, sizeof(message)) == 0)
		return;
	if (vm->sent_usage_ns && now - vm->sent_usage_ns < 100 * VGPU_NS_PER_MS) {
		if (vm->report.place == 0)
			timer_set(loop_timers(vm->mediator->loop), &vm->report,
				  vm->sent_usage_ns + 100 * VGPU_NS_PER_MS);
		return;
	}
	vm->sent_usage_ns = now;
	send_report(vm, &message.header, &vm->sent_usage);
}

void vm_report(struct vm *vm)
{
	report_config(vm);
	vm_report_usage(vm);
}
