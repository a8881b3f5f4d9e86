/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be sent follows from the workers' states, so there is no queue: a message that does
 * not fit the socket is made again a little later.
 */
#include "mediatord/keeper_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "common/clock.h"
#include "common/packet.h"

#define SEND_AGAIN_NS (10 * VGPU_NS_PER_MS)

struct keeper_worker *keeper_worker_add(struct keeper_client *client, uint64_t number)
{
	struct keeper_worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	worker->client = client;
	worker->number = number;
	for (int i = 0; i < VGPU_KEEPER_FDS; i++)
		worker->fds[i] = -1;
	*client->end = worker;
	client->end = &worker->next;
	client->worker_count++;
	return worker;
}

void keeper_close_fds(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

void keeper_worker_free(struct keeper_worker *worker)
{
	struct keeper_client *client = worker->client;
	struct keeper_worker **place = &client->workers;

	while (*place != worker)
		place = &(*place)->next;
	*place = worker->next;
	if (client->end == &worker->next)
		client->end = place;
	client->worker_count--;
	keeper_close_fds(worker->fds, VGPU_KEEPER_FDS);
	free(worker);
}

struct keeper_worker *keeper_worker_find(const struct keeper_client *client, uint64_t number)
{
	struct keeper_worker *worker = client->workers;

	while (worker && worker->number != number)
		worker = worker->next;
	return worker;
}

void keeper_worker_signal(const struct keeper_worker *worker)
{
	pidfd_send_signal(worker->fds[VGPU_KEEPER_FD_OTHER], SIGKILL, NULL, 0);
}

/* It is not started, and the keeper has no such worker. */
void keeper_worker_fail(struct keeper_worker *worker, int errnum, const char *step)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct keeper_client *client = worker->client;

	worker->state = KEEPER_WORKER_ENDED;
	worker->held = false;
	worker->number = 0;
	vgpu_error_errno(&err, errnum, "cannot start the worker program %s: %s",
			 client->settings->worker, step);
	client->ops.failed(worker->owner, err);
}

/* The callee may free any worker: so the search begins anew after each. */

void keeper_workers_fail_sent(struct keeper_client *client)
{
	struct keeper_worker *worker = client->workers;

	while (worker) {
		bool sent = worker->state == KEEPER_WORKER_STARTING;

		if (sent)
			keeper_worker_fail(worker, ECONNRESET, "the keeper");
		worker = sent ? client->workers : worker->next;
	}
}

void keeper_workers_fail_killed(struct keeper_client *client)
{
	struct keeper_worker *worker = client->workers;

	while (worker) {
		bool killed = worker->state == KEEPER_WORKER_WAITING && worker->killed;

		if (killed)
			keeper_worker_fail(worker, ECANCELED, "it was killed before");
		worker = killed ? client->workers : worker->next;
	}
}

void keeper_worker_end(struct keeper_worker *worker, int status)
{
	worker->state = KEEPER_WORKER_ENDED;
	worker->status = status;
	if (!worker->forgotten)
		worker->client->ops.ended(worker->owner, status);
}

/* What is to be sent. Each returns 0, or -1 with errno. */

static int send_spawn(struct keeper_worker *worker)
{
	const struct vgpu_keeper_spawn message = {
		.header = { .type = VGPU_KEEPER_SPAWN, .length = sizeof(message) },
		.worker = worker->number,
	};

	if (vgpu_packet_send(worker->client->fd, &message, sizeof(message), worker->fds,
			     VGPU_KEEPER_FDS) < 0)
		return -1;
	keeper_close_fds(&worker->fds[VGPU_KEEPER_FD_OTHER], 1);
	worker->state = KEEPER_WORKER_STARTING;
	worker->held = true;
	return 0;
}

static int send_keep(struct keeper_worker *worker)
{
	const struct vgpu_keeper_kept message = {
		.header = { .type = VGPU_KEEPER_KEEP, .length = sizeof(message) },
		.worker = worker->number,
		.pid = worker->pid,
	};

	if (vgpu_packet_send(worker->client->fd, &message, sizeof(message), worker->fds,
			     VGPU_KEEPER_FDS) < 0)
		return -1;
	worker->held = true;
	return 0;
}

int keeper_client_send(int fd, uint32_t type, uint64_t number)
{
	const struct vgpu_keeper_plain message = {
		.header = { .type = type, .length = sizeof(message) },
		.worker = number,
	};

	return vgpu_packet_send(fd, &message, sizeof(message), NULL, 0);
}

/* Sends what a worker's state asks for; it may be freed. */
static int send_for(struct keeper_worker *worker)
{
	if (worker->state == KEEPER_WORKER_WAITING && !worker->killed)
		return send_spawn(worker);
	if (worker->state == KEEPER_WORKER_RUNNING && !worker->held)
		return send_keep(worker);
	if (worker->state != KEEPER_WORKER_ENDED || !worker->forgotten)
		return 0;
	if (worker->held &&
	    keeper_client_send(worker->client->fd, VGPU_KEEPER_FORGET, worker->number) < 0)
		return -1;
	keeper_worker_free(worker);
	return 0;
}

/* Calls nobody back. A socket that is broken shows so when it is read. */
void keeper_workers_flush(struct keeper_client *client)
{
	struct keeper_worker *next;

	if (client->state != CLIENT_UP)
		return;
	for (struct keeper_worker *worker = client->workers; worker; worker = next) {
		next = worker->next;
		if (send_for(worker) < 0) {
			keeper_set_timer(client, SEND_AGAIN_NS);
			return;
		}
	}
}

struct keeper_worker *keeper_spawn(struct keeper_client *client, const int fds[VGPU_KEEPER_FDS],
				   void *owner)
{
	struct keeper_worker *worker;

	if (client->worker_count >= VGPU_KEEPER_WORKERS_MAX) {
		errno = ENOSPC;
		return NULL;
	}
	worker = keeper_worker_add(client, client->last_number + 1);
	if (!worker)
		return NULL;
	client->last_number++;
	memcpy(worker->fds, fds, sizeof(worker->fds));
	worker->owner = owner;
	keeper_workers_flush(client);
	return worker;
}

void keeper_kill(struct keeper_worker *worker)
{
	worker->killed = true;
	if (worker->state == KEEPER_WORKER_RUNNING)
		keeper_worker_signal(worker);
	else if (worker->state == KEEPER_WORKER_WAITING)
		keeper_set_timer(worker->client, 0);
}

void keeper_forget(struct keeper_worker **worker)
{
	struct keeper_client *client = (*worker)->client;

	(*worker)->forgotten = true;
	if ((*worker)->held)
		keeper_workers_flush(client);
	else
		keeper_worker_free(*worker);
	*worker = NULL;
}
