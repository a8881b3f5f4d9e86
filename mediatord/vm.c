/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answering a device may find its socket full and end the link, and with it every job of the VM. So
 * every function here first brings the VM into its new state, and answers last.
 */
#include "mediatord/vm.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "mediatord/adopt.h"
#include "mediatord/channel_turn.h"
#include "mediatord/link.h"
#include "mediatord/gpus/placement.h"
#include "mediatord/request.h"
#include "mediatord/worker.h"

/* Where the quota says "no limit": a tenant must not fill the mediator's memory. */
#define QUEUE_DEPTH_MAX CONFIG_QUEUE_DEPTH_MAX

/* The mailbox's, the report's, the quarantine's, and those of the channels. */
#define TIMERS (3 + CHANNELS_TIMERS)

static void set_label(struct vm *vm)
{
	char uuid[VGPU_UUID_TEXT];

	vgpu_uuid_format(vm->config.uuid, uuid);
	snprintf(vm->label, sizeof(vm->label), "vm %u (%s)", vm->config.vm_id,
		 vm->config.name[0] ? vm->config.name : uuid);
}

static size_t pool_number(const struct vm *vm)
{
	return (size_t)(vm->pool - vm->mediator->config->pools);
}

/* Frees what it still has; nothing asks for its workers any more. */
static void forget(struct vm **vm)
{
	struct mediator *mediator = (*vm)->mediator;

	resume_forget(*vm);
	channels_free(*vm);
	if ((*vm)->worker)
		(*vm)->worker->vm = NULL;
	sched_tenant_remove(mediator->sched, (*vm)->config.vm_id, vgpu_now_ns());
	pools_uncommit(&mediator->pools, pool_number(*vm), (*vm)->config.quotas.gpu_memory_bytes);
	timer_cancel(loop_timers(mediator->loop), &(*vm)->start);
	timer_cancel(loop_timers(mediator->loop), &(*vm)->report);
	timer_cancel(loop_timers(mediator->loop), &(*vm)->release);
	timers_unreserve(loop_timers(mediator->loop), TIMERS);
	free(*vm);
	*vm = NULL;
}

int vm_new(struct mediator *mediator, const struct vm_config *config, struct vm **vm,
	   struct vgpu_error **err)
{
	const struct config_pool *pool = config_pool_find(mediator->config, config->pool);
	struct vm *made;

	if (!pool)
		return vgpu_error_set(err, EINVAL, "there is no pool \"%s\"", config->pool);
	made = calloc(1, sizeof(*made));
	if (!made || timers_reserve(loop_timers(mediator->loop), TIMERS) < 0) {
		free(made);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	made->mediator = mediator;
	made->config = *config;
	made->pool = pool;
	made->listen_fd = -1;
	made->queue_end = &made->queue;
	vm_log_init(made);
	made->start = (struct timer){ .kind = TIMER_MAILBOX_START, .owner = made };
	made->report = (struct timer){ .kind = TIMER_LINK_REPORT, .owner = made };
	made->release = (struct timer){ .kind = TIMER_QUARANTINE, .owner = made };
	made->context = mediator_new_context(mediator);
	channels_init(made);
	set_label(made);
	if (pools_commit(&mediator->pools, pool_number(made), config->quotas.gpu_memory_bytes,
			 err) < 0) {
		timers_unreserve(loop_timers(mediator->loop), TIMERS);
		free(made);
		return -1;
	}
	if (vm_tenant_set(mediator, config, pool, err) < 0) {
		forget(&made);
		return -1;
	}
	if (link_listen(made, err) < 0) {
		vm_free(&made);
		return -1;
	}
	adopt_remains(made);
	*vm = made;
	return 0;
}

void vm_free(struct vm **vm)
{
	link_unlisten(*vm);
	channels_forsake(*vm);
	link_drop_all(*vm, "the VM was removed");
	vm_reset(*vm);
	forget(vm);
}

/* What the next mediator is to know: how many asynchronous requests may fail that are accepted. */
static void record_async(const struct vm *vm)
{
	if (vm->worker && vm->worker->state != WORKER_ENDING)
		RECORD_SET(vm->worker->record, async_jobs,
			   vm->accepted + (vm->async_error ? 1 : 0));
}

/* Takes a list of jobs that come to nothing, and tells all but the device, which knows. */
static void drop_jobs(struct vm *vm, struct job *jobs)
{
	while (jobs) {
		VGPU_AUTO_FREE struct job *job = jobs;

		jobs = job->next;
		if (job->asker.call && !job->answered)
			vm_answer_text(vm, job->asker, VGPU_ERR_CONTEXT_LOST,
				       "the VM was reset, or the mediator ended");
	}
}

void vm_leave(struct vm **vm)
{
	link_unlisten(*vm);
	link_leave(*vm);
	drop_jobs(*vm, vgpu_steal_pointer(&(*vm)->pending));
	drop_jobs(*vm, vgpu_steal_pointer(&(*vm)->queue));
	forget(vm);
}

/* A job that comes to nothing. Takes it. */
static void refuse(struct vm *vm, struct job *job, uint32_t error, const char *text)
{
	struct vm_asker asker = job->asker;

	free(job);
	vm_refuse(vm, asker, error, text);
}

static void refuse_pending(struct vm *vm, uint32_t error, const char *text)
{
	struct job *jobs = vgpu_steal_pointer(&vm->pending), *next;

	for (; jobs; jobs = next) {
		next = jobs->next;
		refuse(vm, jobs, error, text);
	}
}

static void remember_async_error(struct vm *vm, uint32_t error)
{
	if (!vm->async_error)
		vm->async_error = error;
}

/* Gives a job to the scheduler; there is a worker that is ready. Takes the job. */
static void submit(struct vm *vm, struct job *job)
{
	const struct vgpu_quotas *quotas = &vm->config.quotas;
	char text[128];

	switch (sched_submit(vm->mediator->sched, vm->config.vm_id, job->id, vgpu_now_ns())) {
	case SCHED_ADMITTED:
		break;
	case SCHED_QUEUE_FULL:
		snprintf(text, sizeof(text), "queue depth: %u requests are queued, the VM's limit",
			 quotas->queue_depth ? quotas->queue_depth : QUEUE_DEPTH_MAX);
		refuse(vm, job, VGPU_ERR_QUEUE_FULL, text);
		return;
	case SCHED_RATE_LIMITED:
		snprintf(text, sizeof(text),
			 "request rate: over the VM's limit of %u a second (burst %u)",
			 quotas->requests_per_second,
			 quotas->burst ? quotas->burst : quotas->requests_per_second);
		refuse(vm, job, VGPU_ERR_RATE_LIMITED, text);
		return;
	case SCHED_NO_CHANNEL:
	case SCHED_NO_MEMORY:
		refuse(vm, job, VGPU_ERR_UNAVAILABLE, "the mediator is out of memory");
		return;
	}
	*vm->queue_end = job;
	vm->queue_end = &job->next;
	vm->queued++;
	if (job->async) {
		job->answered = true;
		vm->accepted++;
		record_async(vm);
		vm_answer_text(vm, job->asker, VGPU_ERR_NONE, "");
	}
}

void vm_want_worker(struct vm *vm)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct sched *sched = vm->mediator->sched;
	int64_t now = vgpu_now_ns();
	uint32_t gpu;

	if (!vm->pending || vm->worker)
		return;
	if (backoff_waits(&vm->backoff, now)) {
		refuse_pending(vm, VGPU_ERR_UNAVAILABLE,
			       "the VM's worker failed several times; the mediator waits before "
			       "it starts another");
		return;
	}
	if (pace_earliest(&vm->pace, &pace_starts) > now) {
		timer_set(loop_timers(vm->mediator->loop), &vm->start,
			  pace_earliest(&vm->pace, &pace_starts));
		return;
	}
	pace_count(&vm->pace, &pace_starts, now);
	placement_prepare(vm);
	if (sched_channel_add(sched, vm->config.vm_id, vm->config.vm_id, &gpu) < 0) {
		vm_log_always(vm, VGPU_LOG_ERROR, "cannot schedule its worker: %s",
			      strerror(errno));
		refuse_pending(vm, VGPU_ERR_UNAVAILABLE, "no GPU of the VM's pool can be used");
		return;
	}
	vm->start_failed = worker_start(vm, gpu, NULL, NULL, &vm->worker, &err) < 0;
	if (vm->start_failed) {
		vm_log(vm, VGPU_LOG_ERROR, "%s", err->message);
		sched_channel_remove(sched, vm->config.vm_id, vgpu_now_ns());
		backoff_fail(&vm->backoff, vgpu_now_ns());
	}
	record_async(vm);
	vm_report(vm);
	if (vm->start_failed)
		refuse_pending(vm, VGPU_ERR_UNAVAILABLE, "the VM's worker cannot be started");
}

void vm_request(struct vm *vm, struct vm_asker asker, const uint8_t *bytes, uint32_t length)
{
	struct vgpu_request request;
	const char *reason = "";
	struct job *job;
	uint32_t error;

	vm->usage.requests++;
	error = vgpu_request_validate(bytes, length, &request, &reason);
	if (vm_quarantined(vm)) {
		error = VGPU_ERR_QUARANTINED;
		reason = VM_QUARANTINE_TEXT;
	}
	if (error) {
		vm_refuse(vm, asker, error, reason);
		return;
	}
	job = malloc(sizeof(*job) + length);
	if (!job) {
		vm->usage.failed++;
		vm_answer_text(vm, asker, VGPU_ERR_UNAVAILABLE, "the mediator is out of memory");
		return;
	}
	*job = (struct job){
		.id = ++vm->mediator->last_job,
		.asker = asker,
		.async = request.async,
		.arrived_ns = vgpu_now_ns(),
		.opcode = request.opcode,
		.length = length,
	};
	memcpy(job->request, bytes, length);
	if (vm->config.hold == VM_HOLD_DRAINING) {
		refuse(vm, job, VGPU_ERR_UNAVAILABLE, "the VM is drained by its operator");
		return;
	}
	if (vm->worker && vm->worker->state == WORKER_READY) {
		submit(vm, job);
		return;
	}
	/* Each way in has one outstanding at most, so that their order does not matter. */
	job->next = vm->pending;
	vm->pending = job;
	vm_want_worker(vm);
}

/*
 * Ends the mailbox's worker and jobs in one step; the memory goes when the worker was reaped.
 * The job that ran, or would have been the first to run, is answered with first_error, the others
 * with VGPU_ERR_CONTEXT_LOST; with first_error 0, the device is answered none, now or later.
 */
static void end_context(struct vm *vm, uint32_t first_error, const char *text)
{
	struct sched *sched = vm->mediator->sched;
	struct worker *worker = vm->worker;
	struct job *jobs = vgpu_steal_pointer(&vm->queue);
	bool held = jobs;
	uint32_t error = first_error;
	struct vm_asker device = { .tag = 0 };
	bool waits = false; /* the device, for that answer */
	uint32_t wait_error = 0;

	vm->queue_end = &vm->queue;
	vm->queued = 0;
	vm->accepted = 0;
	if (worker && worker->state != WORKER_ENDING) {
		held = held || worker->jobs > 0 || worker->memory.used > 0;
		worker->holds_gpu = jobs && jobs->run_ns;
		if (worker->holds_gpu) {
			worker->last_job = jobs->id;
			worker->last_job_run_ns = jobs->run_ns;
		} else {
			sched_channel_remove(sched, vm->config.vm_id, vgpu_now_ns());
		}
		worker_kill(worker);
	}
	if (held)
		vm->context = mediator_new_context(vm->mediator);
	while (jobs) {
		struct job *job = jobs;

		jobs = job->next;
		vm->usage.failed++;
		if (job->answered && error) {
			remember_async_error(vm, error);
		} else if (!job->answered && job->asker.call) {
			vm_answer_text(vm, job->asker, error ? error : VGPU_ERR_CONTEXT_LOST,
				       error ? text : "the VM's device was reset, or is gone");
		} else if (!job->answered) {
			waits = error != 0;
			wait_error = error;
			device = job->asker;
		}
		free(job);
		if (error)
			error = VGPU_ERR_CONTEXT_LOST;
	}
	vm_report(vm);
	if (waits)
		vm_answer_text(vm, device, wait_error, text);
}

void vm_end(struct vm *vm, uint32_t error, const char *text)
{
	channels_break(vm, error, text);
	end_context(vm, error, text);
	refuse_pending(vm, error, text);
}

void vm_reset(struct vm *vm)
{
	for (const struct job *job = vm->pending; job; job = job->next)
		vm->usage.failed++;
	drop_jobs(vm, vgpu_steal_pointer(&vm->pending));
	vm->async_error = 0;
	resume_forget(vm);
	channels_reset(vm);
	end_context(vm, 0, NULL);
}

int vm_change(struct vm *vm, const struct vm_config *config, struct vgpu_error **err)
{
	struct mediator *mediator = vm->mediator;
	const struct config_pool *pool = config_pool_find(mediator->config, config->pool);
	uint32_t old_id = vm->config.vm_id;
	bool moves = pool != vm->pool || config->vm_id != old_id;
	const uint64_t old_bytes = vm->config.quotas.gpu_memory_bytes;
	const uint64_t new_bytes = config->quotas.gpu_memory_bytes;
	size_t from = pool_number(vm), to;

	if (!pool)
		return vgpu_error_set(err, EINVAL, "there is no pool \"%s\"", config->pool);
	to = (size_t)(pool - mediator->config->pools);
	/* While it can be refused still: what ends below does not come back. */
	if (moves && vm_tenant_check(vm, config, pool, err) < 0)
		return -1;
	if (pools_recommit(&mediator->pools, from, old_bytes, to, new_bytes, err) < 0)
		return -1;
	if (moves) {
		/* A channel stays where it was placed, and a worker has its VM's uid: both end. */
		channels_break(vm, VGPU_ERR_CONTEXT_LOST, "the VM was moved to another pool or id");
		channels_leave(vm);
		end_context(vm, VGPU_ERR_CONTEXT_LOST, "the VM was moved to another pool or id");
		if (vm->worker && vm->worker->holds_gpu) {
			vm->worker->holds_gpu = false;
			sched_channel_remove(mediator->sched, old_id, vgpu_now_ns());
		}
	}
	if (vm_tenant_change(vm, config, pool, err) < 0) {
		pools_uncommit(&mediator->pools, to, new_bytes);
		pools_add(&mediator->pools, from, old_bytes);
		return -1;
	}
	vm->config = *config;
	vm->pool = pool;
	set_label(vm);
	channels_publish(vm);
	channels_rate_changed(vm);
	channels_expire_soon(vm);
	channels_advance(vm);
	return 0;
}

void vm_run(struct vm *vm, uint64_t id)
{
	struct job *job = vm->queue;

	if (!job || job->id != id || !vm->worker || vm->worker->state != WORKER_READY) {
		/* Forgotten by us, but not by the scheduler: it must not hold the GPU. */
		sched_complete(vm->mediator->sched, id, 0, vgpu_now_ns());
		return;
	}
	job->run_ns = vgpu_now_ns();
	if (worker_send_job(vm->worker, job, vm->memory.used) < 0)
		vm_worker_lost(vm, "it ended");
}

void vm_expire(struct vm *vm, uint64_t id)
{
	/* Otherwise its worker was killed already; the GPU is free when that was reaped. */
	if (!vm->queue || vm->queue->id != id || !vm->queue->run_ns)
		return;
	vm_log(vm, VGPU_LOG_WARNING, "a job ran longer than %u ms; killing worker %d",
	       vm->config.quotas.longest_job_ms, (int)worker_pid(vm->worker));
	end_context(vm, VGPU_ERR_TIMEOUT,
		    "the job ran longer than the VM's limit; what the VM had allocated is gone");
	vm_count_fault(vm, "a job ran longer than its limit");
}

void vm_gpu_lost(struct vm *vm)
{
	end_context(vm, VGPU_ERR_CONTEXT_LOST, "the GPU failed; what the VM had allocated is gone");
}

void vm_worker_ready(struct vm *vm)
{
	struct job *jobs = vgpu_steal_pointer(&vm->pending), *next;

	vm_tell(vm, EVENT_WORKER_STARTED, worker_pid(vm->worker), "");
	vm_report(vm);
	for (; jobs; jobs = next) {
		next = jobs->next;
		jobs->next = NULL;
		submit(vm, jobs);
	}
}

/* The worker's context is beyond a reset: another worker's is as good as new. */
static void replace_worker(struct vm *vm, const struct job *reset)
{
	vm_log(vm, VGPU_LOG_INFO, "worker %d cannot reset its context; replacing it",
	       (int)worker_pid(vm->worker));
	vm->usage.completed++;
	end_context(vm, VGPU_ERR_CONTEXT_LOST, "the VM's context was reset");
	if (!reset->answered)
		vm_answer_text(vm, reset->asker, VGPU_ERR_NONE, "");
}

bool vm_worker_done(struct vm *vm, uint64_t id, uint64_t gpu_time_ns, uint32_t error,
		    const uint8_t *response, uint32_t length)
{
	VGPU_AUTO_FREE struct job *job = NULL;
	uint8_t replacement[VGPU_MAILBOX_BYTES];
	int64_t now = vgpu_now_ns();

	if (!vm->queue || vm->queue->id != id || !vm->queue->run_ns)
		return false;
	job = vm->queue;
	vm->queue = job->next;
	if (!vm->queue)
		vm->queue_end = &vm->queue;
	vm->queued--;
	if (gpu_time_ns > (uint64_t)(now - job->run_ns))
		gpu_time_ns = (uint64_t)(now - job->run_ns);
	sched_complete(vm->mediator->sched, id, (int64_t)gpu_time_ns, now);
	vm_count_job(vm, job, gpu_time_ns, now);
	backoff_succeed(&vm->backoff);
	vm->accepted -= job->answered;
	if (job->opcode == VGPU_OP_CONTEXT_RESET) {
		vm->async_error = 0;
		if (error) {
			replace_worker(vm, job);
			return true;
		}
	}
	if (job->opcode == VGPU_OP_SYNCHRONIZE && error == VGPU_ERR_NONE && vm->async_error) {
		static const char text[] = "an asynchronous request before this one failed";

		error = vm->async_error;
		length = vgpu_response_build(replacement, error, NULL, 0, text, strlen(text), 0);
		response = replacement;
	}
	/* Also where the worker gave its own account of that error: it surfaces once. */
	if (job->opcode == VGPU_OP_SYNCHRONIZE)
		vm->async_error = 0;
	if (error)
		vm->usage.failed++;
	else
		vm->usage.completed++;
	if (job->answered && error)
		remember_async_error(vm, error);
	record_async(vm);
	vm_report_usage(vm);
	if (!job->answered)
		vm_answer(vm, job->asker, error, response, length);
	return true;
}

void vm_worker_lost(struct vm *vm, const char *text)
{
	struct worker *worker = vm->worker;
	char line[128];
	bool lost;

	if (!worker || worker->state == WORKER_ENDING)
		return;
	vm->start_failed = worker->state == WORKER_STARTING;
	if (worker->memory.used > 0 || (vm->queue && vm->queue->run_ns))
		vm->usage.workers_lost++;
	backoff_fail(&vm->backoff, vgpu_now_ns());
	worker_log_event(worker, VGPU_LOG_WARNING, event_type_name(EVENT_WORKER_LOST),
			 "lost worker %d: %s", (int)worker_pid(worker), text);
	vm_tell(vm, EVENT_WORKER_LOST, worker_pid(worker), text);
	snprintf(line, sizeof(line), "the VM's worker was lost: %s", text);
	lost = !vm->start_failed;
	end_context(vm, VGPU_ERR_CONTEXT_LOST, line);
	refuse_pending(vm, VGPU_ERR_UNAVAILABLE, line);
	if (lost)
		vm_count_fault(vm, "the mailbox's worker was lost");
}

void vm_worker_gone(struct vm *vm)
{
	struct worker *worker = vgpu_steal_pointer(&vm->worker);

	channels_publish(vm);
	if (worker->holds_gpu) {
		int64_t now = vgpu_now_ns();
		int64_t ran = now - worker->last_job_run_ns;

		sched_complete(vm->mediator->sched, worker->last_job, ran, now);
		sched_channel_remove(vm->mediator->sched, vm->config.vm_id, now);
		vm->usage.gpu_time_ns += (uint64_t)ran;
	}
	/* A request may have arrived while it was ending. */
	vm_report(vm);
	vm_want_worker(vm);
}

void vm_worker_stuck(struct vm *vm)
{
	refuse_pending(vm, VGPU_ERR_UNAVAILABLE,
		       "the VM's last worker does not end; no other can be started");
}
