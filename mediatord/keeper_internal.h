/* SPDX-License-Identifier: Apache-2.0 */
/* Private to keeper_client.c, which has the connection, and keeper_worker.c. */
#ifndef VGPU_MEDIATORD_KEEPER_INTERNAL_H
#define VGPU_MEDIATORD_KEEPER_INTERNAL_H

#include "mediatord/backoff.h"
#include "mediatord/keeper_client.h"

struct keeper_client {
	struct loop *loop;
	const struct keeper_settings *settings;
	struct keeper_ops ops;
	void *opaque;
	enum {
		CLIENT_DOWN,	 /* not connected */
		CLIENT_GREETING, /* HELLO was sent */
		CLIENT_LISTING,	 /* WELCOME came, COMPLETE has not */
		CLIENT_UP,
	} state;
	bool adopting; /* within keeper_connect(): workers that are not ours become ours */
	bool stays;    /* the last keeper that we saw was a service manager's */
	int fd;
	struct source *source;
	struct timer timer;
	struct backoff backoff;
	int64_t answer_ns;	 /* until when a keeper that is greeted must have told all */
	struct vgpu_error *loss; /* why the last connection ended; NULL: not yet */
	uint64_t last_number;
	struct keeper_worker *workers; /* the oldest first */
	struct keeper_worker **end;
	size_t worker_count;
};

static inline void keeper_set_timer(struct keeper_client *client, int64_t delay_ns)
{
	timer_set(loop_timers(client->loop), &client->timer, vgpu_now_ns() + delay_ns);
}

/* Adds a worker without descriptors. Returns NULL with ENOMEM. */
struct keeper_worker *keeper_worker_add(struct keeper_client *client, uint64_t number);
void keeper_worker_free(struct keeper_worker *worker);
/* NULL where there is none. */
struct keeper_worker *keeper_worker_find(const struct keeper_client *client, uint64_t number);

/* Sends SIGKILL to one that is running. */
void keeper_worker_signal(const struct keeper_worker *worker);

/* It was not started, and the keeper has no such worker. */
void keeper_worker_fail(struct keeper_worker *worker, int errnum, const char *step);
/* So for all that were sent (they have no number any more), or that were killed before. */
void keeper_workers_fail_sent(struct keeper_client *client);
void keeper_workers_fail_killed(struct keeper_client *client);

/* It has ended, with this status. */
void keeper_worker_end(struct keeper_worker *worker, int status);

/*
 * Sends what the workers' states ask for, or sets the timer where not all of it could be sent.
 * Calls nobody back: a connection that is broken shows so when it is read.
 */
void keeper_workers_flush(struct keeper_client *client);

void keeper_close_fds(int *fds, size_t count);
/* Sends END or FORGET. Returns 0, or -1 with errno. */
int keeper_client_send(int fd, uint32_t type, uint64_t number);

#endif
