/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/ring.h"

#include <endian.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <emmintrin.h>
#define store_fence() _mm_sfence()
#define load_fence()  _mm_lfence()
#define full_fence()  _mm_mfence()
#else
#define store_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define load_fence()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define full_fence()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

void ring_init(struct ring *ring, void *region, uint32_t entries, bool combining)
{
	uint8_t *submissions = (uint8_t *)region + VGPU_RING_PAGE;

	*ring = (struct ring){
		.control = region,
		.submissions = (struct vgpu_submission *)(void *)submissions,
		.completions =
			(struct vgpu_completion *)(void *)(submissions +
							   (size_t)entries *
								   sizeof(struct vgpu_submission)),
		.entries = entries,
		.combining = combining,
	};
}

/* Each word of shared memory is read or written in one access. */
static uint32_t load(const uint32_t *word)
{
	return le32toh(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

static void publish(const struct ring *ring, uint32_t *word, uint32_t value)
{
	/* What was stored before leaves the write-combining buffers first. */
	if (ring->combining)
		store_fence();
	__atomic_store_n(word, htole32(value), __ATOMIC_RELEASE);
}

/* Orders a store of ours before a load of what the other side stores. */
static void fence(const struct ring *ring)
{
	if (ring->combining)
		full_fence();
	else
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

uint32_t ring_refresh(struct ring *ring)
{
	uint32_t head = load(&ring->control->submission_head);

	if (ring->submitted - head > ring->entries)
		return UINT32_MAX;
	/* It never goes back; one that does is the worker's mistake, and harms only the channel. */
	ring->taken = head;
	return ring->entries - (ring->submitted - ring->taken);
}

uint32_t ring_room(struct ring *ring)
{
	uint32_t room = ring->entries - (ring->submitted - ring->taken);

	return room ? room : ring_refresh(ring);
}

bool ring_moved(const struct ring *ring, uint32_t taken)
{
	return load(&ring->control->submission_head) != taken;
}

void ring_put(struct ring *ring, const struct vgpu_submission *submission)
{
	struct vgpu_submission *entry = &ring->submissions[ring->submitted % ring->entries];

	entry->opcode = htole16(submission->opcode);
	entry->flags = htole16(submission->flags);
	entry->tag = htole64(submission->tag);
	for (int i = 0; i < 6; i++)
		entry->argument[i] = htole64(submission->argument[i]);
	publish(ring, &entry->sequence, ++ring->submitted);
}

bool ring_wants_doorbell(const struct ring *ring)
{
	fence(ring);
	return load(&ring->control->worker_sleeps) != 0;
}

bool ring_ready(const struct ring *ring)
{
	const struct vgpu_completion *entry = &ring->completions[ring->completed % ring->entries];

	return load(&entry->sequence) == ring->completed + 1;
}

void ring_take(struct ring *ring, struct vgpu_completion *completion)
{
	const struct vgpu_completion *entry = &ring->completions[ring->completed % ring->entries];

	if (ring->combining)
		load_fence();
	completion->sequence = ++ring->completed;
	completion->status = le32toh(entry->status);
	completion->tag = le64toh(entry->tag);
	completion->result[0] = le64toh(entry->result[0]);
	completion->result[1] = le64toh(entry->result[1]);
	/* The worker may write over it from now on: what was read was read before. */
	__atomic_store_n(&ring->control->completion_head, htole32(ring->completed),
			 __ATOMIC_RELEASE);
}

bool ring_sleep(struct ring *ring)
{
	__atomic_store_n(&ring->control->guest_sleeps, htole32(1), __ATOMIC_RELAXED);
	fence(ring);
	return ring_ready(ring);
}

void ring_awake(struct ring *ring)
{
	__atomic_store_n(&ring->control->guest_sleeps, 0, __ATOMIC_RELAXED);
}

uint32_t ring_failed(const struct ring *ring)
{
	return load(&ring->control->failed);
}
