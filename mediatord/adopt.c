/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/adopt.h"

#include <errno.h>
#include <string.h>

#include "mediatord/mediator.h"
#include "mediatord/resume.h"
#include "mediatord/worker.h"

/* What its mediator knew of it, out of its record. */
static void read_record(struct worker *worker)
{
	const struct record *record = worker->record;

	worker->gpu = record->gpu;
	worker->start_ns = record->start_ns;
	memcpy(worker->gpu_name, record->gpu_name, sizeof(worker->gpu_name));
	worker->gpu_name[sizeof(worker->gpu_name) - 1] = '\0';
	worker->memory.used = record->memory_used;
	worker->released_bytes = record->released_bytes;
	worker->jobs = record->jobs;
	worker->old_job = record->job;
	worker->context = record->context;
	if (worker->context)
		pools_context_add(&worker->mediator->pools, worker->gpu);
}

static bool pool_has(const struct config_pool *pool, uint32_t gpu)
{
	for (size_t i = 0; i < pool->gpu_count; i++)
		if (pool->gpus[i] == gpu)
			return true;
	return false;
}

/* NULL, or why the VM is not the one that the worker served. */
static const char *vm_fault(const struct vm *vm, const struct record *record)
{
	if (!vm)
		return "its VM is not there any more";
	if (vm->config.vm_id != record->vm_id)
		return "its VM has another id now";
	if (record->backend != vm->mediator->config->backend)
		return "the host has another backend now";
	if (!pool_has(vm->pool, record->gpu))
		return "its GPU is in its VM's pool no more";
	return NULL;
}

/* The VM's context is the worker's: what the guest has there stays. */
static void keep_context(struct vm *vm, uint64_t context)
{
	vm->context = context;
	if (vm->mediator->last_context < context)
		vm->mediator->last_context = context;
}

static const char *adopt_mailbox(struct vm *vm, struct worker *worker)
{
	const struct record *record = worker->record;
	int64_t limit_ms = vm->config.quotas.longest_job_ms;

	if (vm->worker)
		return "another worker serves its VM's mailbox";
	if (sched_channel_adopt(vm->mediator->sched, vm->config.vm_id, vm->config.vm_id,
				record->gpu, false, vgpu_now_ns()) < 0)
		return "it cannot be scheduled";
	vm->worker = worker;
	worker->vm = vm;
	keep_context(vm, record->vm_context);
	/* Nobody knows what became of them. */
	if (record->async_jobs)
		vm->async_error = VGPU_ERR_UNAVAILABLE;
	/* It says ADOPTED between two jobs. */
	if (limit_ms)
		timer_set(loop_timers(vm->mediator->loop), &worker->timer,
			  vgpu_now_ns() + limit_ms * VGPU_NS_PER_MS + WORKER_START_NS);
	return NULL;
}

/* Makes it the VM's. Returns NULL, or why that cannot be, and it is nobody's. */
static const char *adopt(struct vm *vm, struct worker *worker)
{
	const struct record *record = worker->record;
	const char *fault = resume_expect(vm, record);

	if (fault)
		return fault;
	if (!ledger_reserve(&vm->memory, record->memory_used, 0))
		return "its record has more memory than there can be";
	fault = record->kind == RECORD_CHANNEL ? channel_adopt(vm, worker)
					       : adopt_mailbox(vm, worker);
	if (fault)
		ledger_release(&vm->memory, record->memory_used);
	return fault;
}

/* What a worker that is being killed holds is the VM's until it was reaped. */
static void attach_remains(struct vm *vm, struct worker *worker)
{
	const struct record *record = worker->record;

	if (!ledger_reserve(&vm->memory, worker->memory.used, 0))
		return;
	if (record->kind == RECORD_CHANNEL) {
		channel_adopt_orphan(vm, worker);
	} else if (!vm->worker) {
		vm->worker = worker;
		worker->vm = vm;
	}
	if (!worker->vm)
		ledger_release(&vm->memory, worker->memory.used);
}

static void refuse(struct vm *vm, struct worker *worker, const char *why)
{
	vgpu_log_warning("killing worker %d%s%s, which an earlier mediator started: %s",
			 (int)worker_pid(worker), vm ? " of " : "", vm ? vm->label : "", why);
	worker_kill(worker);
	if (vm)
		attach_remains(vm, worker);
}

static void decide(struct worker *worker)
{
	struct mediator *mediator = worker->mediator;
	const char *fault =
		record_map(worker->process->fds[VGPU_KEEPER_FD_RECORD], &worker->record);
	struct vm *vm = NULL;

	if (!fault) {
		read_record(worker);
		fault = record_fault(worker->record);
		vm = mediator_vm_by_uuid(mediator, worker->record->uuid);
	}
	if (!fault)
		fault = vm_fault(vm, worker->record);
	if (!fault)
		fault = adopt(vm, worker);
	if (fault) {
		refuse(vm, worker, fault);
	} else if (worker_adopt(worker) < 0) {
		if (worker->channel)
			channel_worker_lost(worker->channel, strerror(errno));
		else
			vm_worker_lost(vm, strerror(errno));
	} else {
		vm_log(vm, VGPU_LOG_INFO, "adopted worker %d with %llu bytes of GPU %u's memory",
		       (int)worker_pid(worker), (unsigned long long)worker->memory.used,
		       worker->gpu);
	}
}

/* One that has ended meanwhile: there is nothing left of it. */
static void bury(struct worker *worker)
{
	struct keeper_worker *process = worker->process;

	vgpu_log_info("worker %d ended while no mediator was there", (int)process->pid);
	worker_leave(worker);
	keeper_forget(&process);
}

void adopt_workers(struct mediator *mediator)
{
	struct worker *next;

	for (struct worker *worker = mediator->workers; worker; worker = next) {
		next = worker->next;
		if (worker->state != WORKER_KEPT)
			continue;
		if (worker->process->state == KEEPER_WORKER_ENDED)
			bury(worker);
		else
			decide(worker);
	}
}

void adopt_remains(struct vm *vm)
{
	for (struct worker *worker = vm->mediator->workers; worker; worker = worker->next)
		if (!worker->vm && worker->state == WORKER_ENDING && worker->record &&
		    memcmp(worker->record->uuid, vm->config.uuid, sizeof(vm->config.uuid)) == 0)
			attach_remains(vm, worker);
}
