/* SPDX-License-Identifier: Apache-2.0 */
/* Between the loop, serve.c, and its polling and sleeping, serve_idle.c. */
#ifndef VGPU_WORKER_SERVE_PRIVATE_H
#define VGPU_WORKER_SERVE_PRIVATE_H

#include "mediatord/worker/serve.h"

/* So many wake-ups long polling is kept short, the first time. */
#define SPIN_HOLD_FIRST 8u

/* The guest broke the ring: returns -1 and err. */
int server_broken(const struct server *server, struct vgpu_error **err);

/* Completes the waits that are over. Returns how many, or -1 and err. */
int server_complete_pending(struct server *server, struct vgpu_error **err);

/* Gives the GPU up where nothing is on it and others wait for it. Returns 0, or -1 and err. */
int server_yield(struct server *server, struct vgpu_error **err);

/* A sleep ended with work: was the polling before it right? */
void server_adapt(struct server *server);

/* Something is done: what polling and sleeping go by. */
static inline void server_progressed(struct server *server)
{
	if (server->slept_since_ns && server->spin_limit_ns)
		server_adapt(server);
	server->slept_since_ns = 0;
	server->idle_since_ns = 0;
}

/*
 * There is nothing to do until what is waited for comes: polls, then sleeps. Returns 0 when it is
 * worth looking again, or -1 and err.
 */
int server_idle(struct server *server, enum server_wait wait, struct vgpu_error **err);

#endif
