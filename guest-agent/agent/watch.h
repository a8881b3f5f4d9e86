/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do about a channel, from what the registers say of it and what is known of its owner. No
 * clock, no process, no device: guard.c does what is decided here.
 */
#ifndef VGPU_AGENT_WATCH_H
#define VGPU_AGENT_WATCH_H

#include <stdbool.h>

#include "guest-agent/owner.h"

enum watch_fate {
	WATCH_NONE,	/* no owner was looked up */
	WATCH_LIVES,	/* a pidfd tells when it ends */
	WATCH_ENDED,	/* it was seen ending */
	WATCH_STRANGER, /* not among the processes that can be seen, or not any more */
};

/* A channel under watch; zero to begin with. */
struct watch {
	uint32_t owner; /* whom fate is about */
	uint64_t owner_start;
	enum watch_fate fate;
	bool claimed; /* its lock is this process's */
};

/* WATCH_REST and WATCH_WAIT end a turn; after the others one looks and decides again. */
enum watch_action {
	WATCH_REST,    /* nothing to do */
	WATCH_LOOK_UP, /* see who and what the owner is */
	WATCH_FORGET,  /* the channel was closed: its owner is of no interest */
	WATCH_CLAIM,   /* try its lock: one that is held has somebody, and is left alone */
	WATCH_CLOSE,   /* it is nobody's: close it */
	WATCH_WAIT,    /* the device is closing it */
	WATCH_RELEASE, /* it is closed: let its lock go, and forget */
};

/* The state is one of VGPU_CHANNEL_STATE_*. */
enum watch_action watch_decide(const struct watch *watch, const struct owner_sight *sight);

#endif
