/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's loop: takes submissions from the ring, runs them, sleeps when there are none. */
#ifndef VGPU_WORKER_SERVE_H
#define VGPU_WORKER_SERVE_H

#include "mediatord/worker/channel.h"
#include "mediatord/worker/gate.h"
#include "mediatord/worker/mediator.h"
#include "mediatord/worker/pending.h"
#include "mediatord/worker/ring.h"

/* The longest that a worker polls an empty ring before it sleeps. */
#define SERVE_SPIN_MAX_NS 100000

/* What the loop waits for. */
enum server_wait {
	SERVER_WAITS_SUBMISSION, /* in the ring */
	SERVER_WAITS_READER,	 /* the same, where the guest has yet to take all completions */
	SERVER_WAITS_TOKEN,	 /* before it may take the one that is there */
	SERVER_WAITS_GRANT,	 /* before the held submission's work may be started */
	SERVER_WAITS_GPU,	 /* the same, but for what is there already */
	SERVER_WAITS_ROOM,	 /* for a completion, or for one more wait */
};

struct server {
	struct mediator_socket *mediator;
	int doorbell, completion;
	struct ring ring;
	struct channel channel;
	struct gate gate;
	struct pending pending;

	/* The submission that was taken last; held while its work may not be started. */
	struct channel_request request;
	uint64_t tag;
	bool held;

	/* How long polling goes on; grows and shrinks with what it was good for. */
	int64_t spin_limit_ns;
	int64_t idle_since_ns;	/* 0: busy, or not looked at the clock yet */
	int64_t slept_since_ns; /* 0: has not slept since then */
	/* Polling for longer is tried again after so many wake-ups; and the next time. */
	uint32_t spin_hold, spin_hold_next;
	uint32_t since_gpu; /* submissions since the last with work for the GPU */
};

/*
 * Makes the ring and the polling ready; the rest of *server is the caller's to set. processors is
 * how many the host has.
 */
void server_init(struct server *server, void *region, uint32_t entries, long processors);

/*
 * Serves the channel until it ends. Returns -1 and err always; its status is EPIPE (the mediator is
 * gone), ESHUTDOWN (it sent END), EPROTO (the guest broke the ring), or what a system call gave.
 * Whatever it was, the guest can see in the control page that nothing more is answered.
 */
int server_run(struct server *server, struct vgpu_error **err);

#endif
