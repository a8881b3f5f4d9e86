/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's process, and what the keeper holds for the mediator that takes it over. */
#ifndef VGPU_MEDIATORD_KEEPER_HELD_H
#define VGPU_MEDIATORD_KEEPER_HELD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mediatord/keeper/source.h"
#include "mediatord/keeper_protocol.h"

/* What the connected mediator knows of a worker. */
enum held_told {
	HELD_UNTOLD, /* it is owed KEPT */
	HELD_TOLD,
	HELD_TOLD_ENDED,
};

struct held {
	struct source process; /* its pidfd, until it was reaped */
	struct held *next;
	uint64_t worker; /* the mediator's number for it */
	pid_t pid;
	bool ended;
	int status; /* once it has ended */
	enum held_told told;
	int fds[VGPU_KEEPER_FDS]; /* FD_OTHER: its pidfd */
};

/*
 * Makes one, of which only worker and told are set and which is to be freed with held_free().
 * Returns NULL where there is no memory.
 */
struct held *held_new(uint64_t worker);

/* Closes its descriptors. The process is not touched. */
void held_free(struct held *held);

/* Returns whether it has ended; its status is set then. */
bool held_reap(struct held *held);

void held_kill(const struct held *held);

#endif
