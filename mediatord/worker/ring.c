/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/ring.h"

#include <endian.h>
#include <string.h>

/* Each of these words is read or written once: the guest may change it between two reads. */

static uint32_t load_acquire(const uint32_t *word)
{
	return le32toh(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

static void store_release(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, htole32(value), __ATOMIC_RELEASE);
}

void ring_init(struct ring *ring, void *region, uint32_t entries)
{
	uint8_t *submissions = (uint8_t *)region + VGPU_RING_PAGE;

	*ring = (struct ring){
		.control = region,
		.submissions = (const struct vgpu_submission *)submissions,
		.completions = (struct vgpu_completion *)(submissions +
							  (size_t)entries *
								  sizeof(struct vgpu_submission)),
		.entries = entries,
	};
}

static const struct vgpu_submission *next_submission(const struct ring *ring)
{
	return &ring->submissions[ring->taken % ring->entries];
}

/* What the next entry's sequence is until the guest has written it: its last round's, or 0. */
static uint32_t old_sequence(const struct ring *ring)
{
	return ring->taken < ring->entries ? 0 : (uint32_t)(ring->taken + 1 - ring->entries);
}

bool ring_waiting(const struct ring *ring)
{
	return load_acquire(&next_submission(ring)->sequence) != old_sequence(ring);
}

/* Volatile, so that what is validated and what is acted on are one read of each word. */
static void copy_submission(const struct vgpu_submission *shared, struct vgpu_submission *copy)
{
	const volatile uint64_t *from = (const volatile uint64_t *)(const volatile void *)shared;
	uint64_t words[sizeof(*copy) / sizeof(uint64_t)] = { 0 };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = from[i];
	memcpy(copy, words, sizeof(*copy));
}

int ring_take(struct ring *ring, struct vgpu_submission *copy)
{
	const struct vgpu_submission *next = next_submission(ring);
	uint32_t sequence = load_acquire(&next->sequence);

	if (sequence != (uint32_t)(ring->taken + 1)) {
		if (sequence == old_sequence(ring))
			return 0;
		ring->fault = "a submission's sequence is not its index + 1";
		return -1;
	}
	copy_submission(next, copy);
	ring->taken++;
	/* A guest that fills the ring without waiting for answers must still see room. */
	if ((uint32_t)ring->taken - ring->published >= ring->entries / 4)
		ring_publish(ring);
	return 1;
}

int ring_room(struct ring *ring)
{
	uint64_t outstanding = ring->completed - ring->completion_head;
	uint32_t moved;

	if (outstanding < ring->entries)
		return 1;
	/* Read only where the ring looks full: the line stays with the guest otherwise. */
	moved = load_acquire(&ring->control->completion_head) - (uint32_t)ring->completion_head;
	if (moved > outstanding) {
		ring->fault = "completion_head is beyond the completions that there are";
		return -1;
	}
	ring->completion_head += moved;
	return moved > 0;
}

bool ring_complete(struct ring *ring, uint64_t tag, uint32_t status, const uint64_t value[2])
{
	struct vgpu_completion *completion = &ring->completions[ring->completed % ring->entries];

	ring->completed++;
	ring_publish(ring);
	completion->status = htole32(status);
	completion->tag = tag; /* the guest's bytes, as they came */
	completion->result[0] = htole64(value[0]);
	completion->result[1] = htole64(value[1]);
	store_release(&completion->sequence, (uint32_t)ring->completed);
	/* Pairs with the guest's fence between its storing 1 and looking once more. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&ring->control->guest_sleeps, __ATOMIC_RELAXED) != 0;
}

void ring_publish(struct ring *ring)
{
	uint32_t taken = (uint32_t)ring->taken;

	if (ring->published == taken)
		return;
	ring->published = taken;
	store_release(&ring->control->submission_head, taken);
}

void ring_sleeps(struct ring *ring)
{
	ring_publish(ring);
	__atomic_store_n(&ring->control->worker_sleeps, htole32(1), __ATOMIC_RELAXED);
	/* Pairs with the guest's fence between its storing a sequence and loading worker_sleeps. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void ring_awake(struct ring *ring)
{
	__atomic_store_n(&ring->control->worker_sleeps, 0, __ATOMIC_RELAXED);
}

void ring_fail(struct ring *ring, uint32_t error)
{
	store_release(&ring->control->failed, error);
}
