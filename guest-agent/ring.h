/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of a channel's rings, as common/ring.h says it: no waiting, no doorbell, no
 * threads. Whoever calls sees to it that one thread at a time submits and one at a time takes.
 */
#ifndef VGPU_GUEST_RING_H
#define VGPU_GUEST_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ring.h"

struct ring {
	struct vgpu_ring_control *control;
	struct vgpu_submission *submissions;
	struct vgpu_completion *completions;
	uint32_t entries;
	/*
	 * The memory is mapped write-combining: the processor may reorder its stores and run ahead
	 * with its loads, which release and acquire alone do not prevent.
	 */
	bool combining;
	uint32_t submitted; /* index of the next submission */
	uint32_t taken;	    /* submission_head, as last looked at */
	uint32_t completed; /* index of the next completion */
};

/* Over a region that is all zero. */
void ring_init(struct ring *ring, void *region, uint32_t entries, bool combining);

/*
 * How many submissions fit now; looks at submission_head only where none do. UINT32_MAX where that
 * is beyond what was submitted: the worker broke the ring.
 */
uint32_t ring_room(struct ring *ring);
uint32_t ring_refresh(struct ring *ring);

/* Whether submission_head is another than this. */
bool ring_moved(const struct ring *ring, uint32_t taken);

/* Publishes a submission, for which there is room; its sequence is filled in. */
void ring_put(struct ring *ring, const struct vgpu_submission *submission);

/* After the last ring_put() of a batch: whether the worker sleeps and wants its doorbell. */
bool ring_wants_doorbell(const struct ring *ring);

/* Whether a completion is there. */
bool ring_ready(const struct ring *ring);

/* Takes a completion that is there. */
void ring_take(struct ring *ring, struct vgpu_completion *completion);

/* Says that this side is about to sleep, and whether a completion is there after all. */
bool ring_sleep(struct ring *ring);
void ring_awake(struct ring *ring);

/* VGPU_ERR_*, where the worker has given the channel up; 0. */
uint32_t ring_failed(const struct ring *ring);

#endif
