/* SPDX-License-Identifier: Apache-2.0 */
/* How a worker begins: started by us, or by a mediator before us. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/packet.h"
#include "mediatord/link.h"
#include "mediatord/warm.h"
#include "mediatord/worker.h"

#define WORKER_TIMERS 2

/* Closes what is still there: what the keeper was given is -1. */
static void close_all(int (*fds)[VGPU_KEEPER_FDS])
{
	for (size_t i = 0; i < VGPU_KEEPER_FDS; i++)
		vgpu_cleanup_close(&(*fds)[i]);
}

/* The record of a worker that is nobody's. */
static int make_record(struct worker *worker, int *fd, struct vgpu_error **err)
{
	struct record *record;

	if (record_make(&worker->record, fd, err) < 0)
		return -1;
	record = worker->record;
	record->backend = worker->mediator->config->backend;
	record->gpu = worker->gpu;
	record->start_ns = worker->start_ns;
	record->context = worker->context;
	RECORD_SET(record, kind, RECORD_WARM);
	return 0;
}

/* Puts into the record whose it is. */
static int fill_record(const struct worker *worker, const struct worker_rings *rings,
		       struct vgpu_error **err)
{
	const struct channel *channel = worker->channel;
	const struct vm *vm = worker->vm;
	const struct link *link = vm->link;
	struct record *record = worker->record;
	struct stat bar;

	if (rings && fstat(link->window_fd, &bar) < 0)
		return vgpu_error_errno(err, errno, "cannot look at BAR2's memory");
	record->start_ns = worker->start_ns;
	memcpy(record->uuid, vm->config.uuid, sizeof(record->uuid));
	record->vm_id = vm->config.vm_id;
	record->vm_context = vm->context;
	/* A VM without a device asks through files. */
	record->device_pid = link ? link->peer.pid : 0;
	record->device_start = link ? link->peer.start : 0;
	if (rings) {
		record->channel = channel->number;
		record->serial = channel->serial;
		record->entries = channel->entries;
		record->region = rings->region;
		record->region_bytes = rings->region_bytes;
		record->bar_device = bar.st_dev;
		record->bar_inode = bar.st_ino;
		record->bar_bytes = link->window_bytes;
	}
	RECORD_SET(record, kind, rings ? RECORD_CHANNEL : RECORD_MAILBOX);
	return 0;
}

/* Into an empty socket, where it always fits. Returns 0, or -1 with errno. */
static int send_prepare(const struct config *config, int socket, uint32_t gpu)
{
	const struct vgpu_worker_prepare prepare = {
		.header = { .type = VGPU_WORKER_PREPARE, .length = sizeof(prepare) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.backend = config->backend,
		.gpu = gpu,
		.flags = config->allow_pageable_access ? VGPU_WORKER_PREPARE_ALLOW_PAGEABLE : 0,
	};

	return vgpu_packet_send(socket, &prepare, sizeof(prepare), NULL, 0);
}

/* Behind PREPARE at most, so that it always fits. Returns 0, or -1 with errno. */
static int send_start(const struct worker *worker, const struct worker_rings *rings)
{
	const struct mediator *mediator = worker->mediator;
	const struct vm *vm = worker->vm;
	uint32_t id = mediator->privileged ? mediator->config->worker_uid_base + vm->config.vm_id
					   : VGPU_WORKER_NO_ID;
	const struct vgpu_worker_start start = {
		.header = { .type = VGPU_WORKER_START, .length = sizeof(start) },
		.uid = id,
		.gid = id,
		.memory_bytes = vm->config.quotas.gpu_memory_bytes,
		.region = rings ? rings->region : 0,
		.region_bytes = rings ? rings->region_bytes : 0,
		.entries = rings ? rings->entries : 0,
		.idle_ms = rings ? mediator->config->context_idle_ms : 0,
	};
	int fds[WORKER_FDS + 1];

	if (rings)
		memcpy(fds, rings->fds, sizeof(rings->fds));
	fds[WORKER_FDS] = worker->process->fds[VGPU_KEEPER_FD_GRANT];
	return vgpu_packet_send(worker->process->fds[VGPU_KEEPER_FD_CONTROL], &start, sizeof(start),
				rings ? fds : NULL, rings ? WORKER_FDS + 1 : 0);
}

static void free_worker(struct worker **worker)
{
	if (!*worker)
		return;
	if ((*worker)->context)
		pools_context_release(&(*worker)->mediator->pools, (*worker)->gpu);
	loop_remove((*worker)->mediator->loop, &(*worker)->source);
	timers_unreserve(loop_timers((*worker)->mediator->loop), WORKER_TIMERS);
	record_free(&(*worker)->record);
	grant_free(&(*worker)->grant);
	free(*worker);
	*worker = NULL;
}

/* A worker with room for its timer, or NULL. */
static struct worker *new_worker(struct mediator *mediator)
{
	struct worker *made = calloc(1, sizeof(*made));

	if (!made || timers_reserve(loop_timers(mediator->loop), WORKER_TIMERS) < 0) {
		free(made);
		return NULL;
	}
	made->mediator = mediator;
	made->timer = (struct timer){ .kind = TIMER_WORKER_START, .owner = made };
	made->listen = (struct timer){ .kind = TIMER_WORKER_LISTEN, .owner = made };
	return made;
}

static void insert(struct worker *worker)
{
	worker->next = worker->mediator->workers;
	worker->mediator->workers = worker;
}

int worker_prepare(struct mediator *mediator, uint32_t gpu, struct worker **worker,
		   struct vgpu_error **err)
{
	VGPU_CLEANUP(close_all) int fds[VGPU_KEEPER_FDS] = { -1, -1, -1, -1 };
	VGPU_CLEANUP(free_worker) struct worker *made = new_worker(mediator);
	int pair[2];

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->gpu = gpu;
	made->context = pools_context_take(&mediator->pools, gpu);
	if (!made->context)
		return vgpu_error_set(err, EDQUOT,
				      "GPU %u has no room for a context: its pool has promised its "
				      "memory",
				      gpu);
	made->state = WORKER_WARM;
	made->start_ns = vgpu_now_ns();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_error_errno(err, errno, "cannot make the worker's socket");
	fds[VGPU_KEEPER_FD_CONTROL] = pair[0];
	fds[VGPU_KEEPER_FD_OTHER] = pair[1];
	if (send_prepare(mediator->config, pair[0], gpu) < 0)
		return vgpu_error_errno(err, errno, "cannot write to the worker's socket");
	if (make_record(made, &fds[VGPU_KEEPER_FD_RECORD], err) < 0 ||
	    grant_make(&made->grant, &fds[VGPU_KEEPER_FD_GRANT], err) < 0)
		return -1;
	made->process = keeper_spawn(mediator->keeper, fds, made);
	if (!made->process)
		return vgpu_error_errno(err, errno, "cannot ask for a worker");
	for (size_t i = 0; i < VGPU_KEEPER_FDS; i++)
		fds[i] = -1;
	timer_set(loop_timers(mediator->loop), &made->timer, made->start_ns + WORKER_START_NS);
	insert(made);
	*worker = vgpu_steal_pointer(&made);
	return 0;
}

/* Gives a worker that is nobody's to a VM. Returns 0, or -1 and err. */
static int begin(struct worker *worker, const struct worker_rings *rings, struct vgpu_error **err)
{
	const struct vm *vm = worker->vm;

	worker->start_ns = vgpu_now_ns();
	if (fill_record(worker, rings, err) < 0)
		return -1;
	if (rings) {
		*rings->grant = worker->grant;
		worker->grant = (struct grant){ .page = NULL };
		grant_publish(rings->grant, vm->config.quotas.gpu_memory_bytes, vm->memory.used, 0);
	}
	if (send_start(worker, rings) < 0)
		return vgpu_error_errno(err, errno, "cannot write to the worker's socket");
	worker->state = WORKER_STARTING;
	timer_set(loop_timers(worker->mediator->loop), &worker->timer,
		  worker->start_ns + WORKER_START_NS);
	return 0;
}

int worker_start(struct vm *vm, uint32_t gpu, struct channel *channel,
		 const struct worker_rings *rings, struct worker **worker, struct vgpu_error **err)
{
	struct worker *made = warm_take(vm->mediator->warm, gpu);

	if (!made && worker_prepare(vm->mediator, gpu, &made, err) < 0)
		return -1;
	made->vm = vm;
	made->channel = channel;
	if (begin(made, rings, err) < 0) {
		made->vm = NULL;
		made->channel = NULL;
		worker_kill(made);
		return -1;
	}
	if (worker_pid(made))
		worker_log(made, VGPU_LOG_INFO, "took warm worker %d for GPU %u",
			   (int)worker_pid(made), gpu);
	*worker = made;
	return 0;
}

int worker_keep(struct mediator *mediator, struct keeper_worker *process)
{
	struct worker *made = new_worker(mediator);

	if (!made) {
		errno = ENOMEM;
		return -1;
	}
	made->state = WORKER_KEPT;
	made->adopted = true;
	made->prepared = true;
	made->process = process;
	process->owner = made;
	insert(made);
	return 0;
}

int worker_listen(struct worker *worker)
{
	int socket = worker->process->fds[VGPU_KEEPER_FD_CONTROL];

	worker->source = loop_add(worker->mediator->loop, SOURCE_WORKER, socket, worker);
	return worker->source ? 0 : -1;
}

int worker_adopt(struct worker *worker)
{
	const struct vgpu_worker_adopt message = {
		.header = { .type = VGPU_WORKER_ADOPT, .length = sizeof(message) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
	};
	int socket = worker->process->fds[VGPU_KEEPER_FD_CONTROL];

	worker->state = WORKER_ADOPTING;
	if (vgpu_packet_send(socket, &message, sizeof(message), NULL, 0) < 0)
		return -1;
	return worker_listen(worker);
}

void worker_leave(struct worker *worker)
{
	struct worker **place = &worker->mediator->workers;

	while (*place != worker)
		place = &(*place)->next;
	*place = worker->next;
	worker->process->owner = NULL;
	timer_cancel(loop_timers(worker->mediator->loop), &worker->timer);
	timer_cancel(loop_timers(worker->mediator->loop), &worker->listen);
	free_worker(&worker);
}
