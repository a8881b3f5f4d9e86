/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: one thread around an epoll descriptor. It takes one event at a time, so nothing that
 * is handled can name what another event of the same round has freed.
 */
#ifndef VGPU_MEDIATORD_KEEPER_KEEPER_H
#define VGPU_MEDIATORD_KEEPER_KEEPER_H

#include "common/error.h"
#include "mediatord/keeper/held.h"
#include "mediatord/keeper/listen.h"
#include "mediatord/keeper_protocol.h"

/* Of connections that have said no HELLO; a further one takes the place of the oldest. */
#define KEEPER_CALLERS 4u

/* What the keeper answers to a SPAWN, or to a KEEP that failed. */
struct answer {
	bool owed;
	int pidfd; /* the worker's; -1 where there is none */
	struct vgpu_keeper_spawned message;
};

struct keeper {
	const char *program; /* the worker's; the caller's string */
	uint32_t wait_seconds;
	int epoll_fd;
	struct source signals;
	struct listener socket;
	struct source listener;
	struct source callers[KEEPER_CALLERS];
	unsigned int next_caller;
	struct source mediator;
	uint32_t mediator_events; /* what its socket is watched for */
	/*
	 * What it is owed goes before what it asks for next, so that one answer is all that waits
	 * for a mediator that does not read; what ended is remembered in the workers.
	 */
	bool complete_owed;
	struct answer answer;
	bool starved; /* the kernel lacks what a message takes: to be tried again in a while */
	bool untold;  /* a worker's end, perhaps */
	struct held *held;
	unsigned int held_count;
	unsigned int held_max;
	unsigned int alive;
	int64_t deadline_ns; /* of the wait for a mediator; -1: one is there, or it is forever */
	bool stopping;	     /* exit once nothing is alive */
	bool stopped;
};

/*
 * Serves at a listener, which becomes the keeper's where this succeeds. The caller must have
 * blocked SIGINT and SIGTERM, and set the limit of descriptors, which bounds the workers. Returns 0
 * and *keeper, to be freed with keeper_free(), or -1 and err.
 */
int keeper_new(struct listener *listener, const char *program, uint32_t wait_seconds,
	       struct keeper **keeper, struct vgpu_error **err);

/* Closes all descriptors: a worker whose mediator is there goes on. NULL is fine. */
void keeper_free(struct keeper **keeper);

/*
 * Handles one event, and what is due, waiting for it at most timeout_ms, or, at -1, as long as
 * nothing is. Returns 1, 0 where there was no event, or -1 and err.
 */
int keeper_step(struct keeper *keeper, int timeout_ms, struct vgpu_error **err);

/*
 * Until SIGTERM or SIGINT, the mediator's END, or the end of the wait for one. Returns 0, or -1 and
 * err.
 */
int keeper_run(struct keeper *keeper, struct vgpu_error **err);

/* There is no mediator: the wait for one begins. */
void keeper_wait(struct keeper *keeper);

/* Gives the socket up, kills what is alive, and ends the loop when it is gone. */
void keeper_stop(struct keeper *keeper);

/* Watches a source for EPOLL* events. Returns 0, or -1 with errno. */
int keeper_watch(struct keeper *keeper, struct source *source, uint32_t events);

#endif
