/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side of a channel's rings; common/ring.h says how the two sides work together. */
#ifndef VGPU_WORKER_RING_H
#define VGPU_WORKER_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ring.h"

struct ring {
	/* Shared with the guest, who may write anything anywhere at any time. */
	struct vgpu_ring_control *control;
	const struct vgpu_submission *submissions;
	struct vgpu_completion *completions;
	uint32_t entries;
	/* Our own. 64 bits wide, so that the first round can be told from the 2^32nd. */
	uint64_t taken;		  /* submissions */
	uint64_t completed;	  /* completions written */
	uint64_t completion_head; /* as last read: completions that the guest took */
	uint32_t published;	  /* submission_head's value */
	const char *fault;	  /* why the ring is broken */
};

/* A ring over zeroed memory that begins with its control page. */
void ring_init(struct ring *ring, void *region, uint32_t entries);

/* Whether a submission, or a fault, waits to be taken. For polling: reads one word. */
bool ring_waiting(const struct ring *ring);

/*
 * Copies the next submission. Returns 1; 0 where there is none; or -1 with ring->fault: the guest
 * broke the ring.
 */
int ring_take(struct ring *ring, struct vgpu_submission *copy);

/* Whether a completion has room. Returns 1, 0, or -1 with ring->fault. */
int ring_room(struct ring *ring);

/*
 * Writes a completion, for which ring_room() said that there is room, and publishes what was
 * taken. Returns whether the guest sleeps, and is to be woken.
 */
bool ring_complete(struct ring *ring, uint64_t tag, uint32_t status, const uint64_t value[2]);

/* Publishes how many submissions were taken. */
void ring_publish(struct ring *ring);

/* Says that the worker is about to sleep. What is in the rings must be looked at once more then. */
void ring_sleeps(struct ring *ring);
void ring_awake(struct ring *ring);

/* Marks the channel as broken, VGPU_ERR_* saying how. */
void ring_fail(struct ring *ring, uint32_t error);

#endif
