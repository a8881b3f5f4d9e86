/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of a channel's rings, for tests and benchmarks. Single-threaded. */
#ifndef VGPU_TESTS_GUEST_RING_H
#define VGPU_TESTS_GUEST_RING_H

#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/ring.h"

struct guest_ring {
	struct vgpu_ring_control *control;
	struct vgpu_submission *submissions;
	struct vgpu_completion *completions;
	uint8_t *window;
	uint32_t entries;
	uint32_t submitted, taken;
	int doorbell, completion; /* eventfds */
	uint64_t doorbells;	  /* that were rung */
};

static inline void guest_ring_init(struct guest_ring *ring, void *region, uint32_t entries,
				   int doorbell, int completion)
{
	uint8_t *bytes = region;

	*ring = (struct guest_ring){
		.control = region,
		.submissions = (struct vgpu_submission *)(bytes + VGPU_RING_PAGE),
		.completions = (struct vgpu_completion *)(bytes + VGPU_RING_PAGE +
							  entries * sizeof(struct vgpu_submission)),
		.window = bytes + vgpu_ring_window_offset(entries),
		.entries = entries,
		.doorbell = doorbell,
		.completion = completion,
	};
}

/* Whether the worker has taken enough for one more. */
static inline bool guest_ring_has_room(const struct guest_ring *ring)
{
	uint32_t head = __atomic_load_n(&ring->control->submission_head, __ATOMIC_ACQUIRE);

	return ring->submitted - head < ring->entries;
}

static inline void guest_ring_doorbell(struct guest_ring *ring)
{
	const uint64_t one = 1;
	ssize_t written = write(ring->doorbell, &one, sizeof(one));

	(void)written;
	ring->doorbells++;
}

/* Stores one without waking the worker; there must be room. */
static inline void guest_ring_store(struct guest_ring *ring,
				    const struct vgpu_submission *submission)
{
	struct vgpu_submission *entry = &ring->submissions[ring->submitted % ring->entries];

	memcpy((uint8_t *)entry + 4, (const uint8_t *)submission + 4, sizeof(*entry) - 4);
	__atomic_store_n(&entry->sequence, ++ring->submitted, __ATOMIC_RELEASE);
}

/* Wakes the worker, if it sleeps. */
static inline void guest_ring_notify(struct guest_ring *ring)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ring->control->worker_sleeps, __ATOMIC_RELAXED))
		guest_ring_doorbell(ring);
}

static inline void guest_ring_submit(struct guest_ring *ring,
				     const struct vgpu_submission *submission)
{
	guest_ring_store(ring, submission);
	guest_ring_notify(ring);
}

static inline bool guest_ring_waiting(const struct guest_ring *ring)
{
	const struct vgpu_completion *next = &ring->completions[ring->taken % ring->entries];

	return __atomic_load_n(&next->sequence, __ATOMIC_ACQUIRE) == ring->taken + 1;
}

/* Takes a completion, if there is one. */
static inline bool guest_ring_poll(struct guest_ring *ring, struct vgpu_completion *completion)
{
	if (!guest_ring_waiting(ring))
		return false;
	*completion = ring->completions[ring->taken % ring->entries];
	ring->taken++;
	__atomic_store_n(&ring->control->completion_head, ring->taken, __ATOMIC_RELEASE);
	return true;
}

/* Sleeps until there is a completion, or for so long. Returns whether there is one. */
static inline bool guest_ring_sleep(struct guest_ring *ring, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = ring->completion, .events = POLLIN };
	bool waiting;
	uint64_t count;

	__atomic_store_n(&ring->control->guest_sleeps, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	while (!(waiting = guest_ring_waiting(ring))) {
		if (poll(&poll_fd, 1, timeout_ms) <= 0)
			break;
		if (read(ring->completion, &count, sizeof(count)) < 0)
			break;
	}
	__atomic_store_n(&ring->control->guest_sleeps, 0, __ATOMIC_RELAXED);
	return waiting || guest_ring_waiting(ring);
}

#endif
