/* SPDX-License-Identifier: Apache-2.0 */
/* How a worker begins: started by us, or by a mediator before us. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/packet.h"
#include "mediatord/link.h"
#include "mediatord/worker.h"

/* Closes what is still there: what the keeper was given is -1. */
static void close_all(int (*fds)[VGPU_KEEPER_FDS])
{
	for (size_t i = 0; i < VGPU_KEEPER_FDS; i++)
		vgpu_cleanup_close(&(*fds)[i]);
}

/* The record of a worker that is about to be started, whole but for its kind. */
static int make_record(struct worker *worker, struct vm *vm, const struct worker_rings *rings,
		       int *fd, struct vgpu_error **err)
{
	const struct channel *channel = worker->channel;
	const struct link *link = vm->link;
	struct record *record;
	struct stat bar;

	if (rings && fstat(link->window_fd, &bar) < 0)
		return vgpu_error_errno(err, errno, "cannot look at BAR2's memory");
	if (record_make(&worker->record, fd, err) < 0)
		return -1;
	record = worker->record;
	record->backend = worker->mediator->config->backend;
	record->gpu = worker->gpu;
	record->start_ns = worker->start_ns;
	memcpy(record->uuid, vm->config.uuid, sizeof(record->uuid));
	record->vm_id = vm->config.vm_id;
	record->vm_context = vm->context;
	record->device_pid = link->peer.pid;
	record->device_start = link->peer.start;
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

/* PREPARE and START, into an empty socket, where they always fit. Returns 0, or -1 with errno. */
static int send_start(const struct vm *vm, int socket, uint32_t gpu,
		      const struct worker_rings *rings)
{
	const struct mediator *mediator = vm->mediator;
	const struct config *config = mediator->config;
	uint32_t id = mediator->privileged ? config->worker_uid_base + vm->config.vm_id
					   : VGPU_WORKER_NO_ID;
	const struct vgpu_worker_prepare prepare = {
		.header = { .type = VGPU_WORKER_PREPARE, .length = sizeof(prepare) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.backend = config->backend,
		.gpu = gpu,
		.flags = config->allow_pageable_access ? VGPU_WORKER_PREPARE_ALLOW_PAGEABLE : 0,
	};
	const struct vgpu_worker_start start = {
		.header = { .type = VGPU_WORKER_START, .length = sizeof(start) },
		.uid = id,
		.gid = id,
		.memory_bytes = vm->config.quotas.gpu_memory_bytes,
		.region = rings ? rings->region : 0,
		.region_bytes = rings ? rings->region_bytes : 0,
		.entries = rings ? rings->entries : 0,
		.idle_ms = rings ? config->context_idle_ms : 0,
	};

	if (vgpu_packet_send(socket, &prepare, sizeof(prepare), NULL, 0) < 0)
		return -1;
	return vgpu_packet_send(socket, &start, sizeof(start), rings ? rings->fds : NULL,
				rings ? WORKER_FDS : 0);
}

static void free_worker(struct worker **worker)
{
	if (!*worker)
		return;
	loop_remove((*worker)->mediator->loop, &(*worker)->source);
	timers_unreserve(loop_timers((*worker)->mediator->loop), 1);
	record_free(&(*worker)->record);
	free(*worker);
	*worker = NULL;
}

/* A worker with room for its timer, or NULL. */
static struct worker *new_worker(struct mediator *mediator)
{
	struct worker *made = calloc(1, sizeof(*made));

	if (!made || timers_reserve(loop_timers(mediator->loop), 1) < 0) {
		free(made);
		return NULL;
	}
	made->mediator = mediator;
	made->timer = (struct timer){ .kind = TIMER_WORKER_START, .owner = made };
	return made;
}

static void insert(struct worker *worker)
{
	worker->next = worker->mediator->workers;
	worker->mediator->workers = worker;
}

int worker_start(struct vm *vm, uint32_t gpu, struct channel *channel,
		 const struct worker_rings *rings, struct worker **worker, struct vgpu_error **err)
{
	VGPU_CLEANUP(close_all) int fds[VGPU_KEEPER_FDS] = { -1, -1, -1, -1 };
	VGPU_CLEANUP(free_worker) struct worker *made = new_worker(vm->mediator);
	int pair[2];

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->vm = vm;
	made->channel = channel;
	made->state = WORKER_STARTING;
	made->gpu = gpu;
	made->start_ns = vgpu_now_ns();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_error_errno(err, errno, "cannot make the worker's socket");
	fds[VGPU_KEEPER_FD_CONTROL] = pair[0];
	fds[VGPU_KEEPER_FD_OTHER] = pair[1];
	if (send_start(vm, pair[0], gpu, rings) < 0)
		return vgpu_error_errno(err, errno, "cannot write to the worker's socket");
	if (make_record(made, vm, rings, &fds[VGPU_KEEPER_FD_RECORD], err) < 0)
		return -1;
	fds[VGPU_KEEPER_FD_GRANT] =
		fcntl(rings ? rings->fds[WORKER_FD_GRANT] : fds[VGPU_KEEPER_FD_RECORD],
		      F_DUPFD_CLOEXEC, 0);
	if (fds[VGPU_KEEPER_FD_GRANT] < 0)
		return vgpu_error_errno(err, errno, "cannot keep the worker's grant page");
	made->process = keeper_spawn(vm->mediator->keeper, fds, made);
	if (!made->process)
		return vgpu_error_errno(err, errno, "cannot ask for a worker");
	for (size_t i = 0; i < VGPU_KEEPER_FDS; i++)
		fds[i] = -1;
	timer_set(loop_timers(vm->mediator->loop), &made->timer, made->start_ns + WORKER_START_NS);
	insert(made);
	*worker = vgpu_steal_pointer(&made);
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
	free_worker(&worker);
}
