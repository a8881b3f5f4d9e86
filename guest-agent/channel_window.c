/* SPDX-License-Identifier: Apache-2.0 */
/* The window: what programs allocate of it, and the chunks through which other memory goes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#if defined(__x86_64__)
#include <smmintrin.h>
#endif

#include "common/bytes.h"
#include "common/clock.h"
#include "common/condition.h"
#include "guest-agent/channel.h"
#include "guest-agent/last_error.h"

void *vgpu_channel_window(struct vgpu_channel *channel, uint64_t *bytes)
{
	*bytes = channel->window_bytes;
	return channel->window;
}

enum vgpu_result vgpu_host_alloc(struct vgpu_channel *channel, uint64_t bytes, void **pointer)
{
	uint64_t offset;

	CHANNEL_LOCK(&channel->window_mutex);

	*pointer = NULL;
	if (bytes == 0)
		return last_error_set(VGPU_E_ARGUMENT, "vgpu_host_alloc: 0 bytes");
	if (window_alloc(&channel->allocated, bytes, &offset) != 0)
		return last_error_set(VGPU_E_NO_MEMORY,
				      errno == ENOSPC ? "the channel's window of %" PRIu64
							" bytes has no %" PRIu64 " in one piece"
						      : "out of memory",
				      channel->window_bytes, bytes);
	*pointer = channel->window + offset;
	return VGPU_OK;
}

void vgpu_host_free(struct vgpu_channel *channel, void *pointer)
{
	CHANNEL_LOCK(&channel->window_mutex);

	if (pointer)
		window_release(&channel->allocated,
			       (uint64_t)((uint8_t *)pointer - channel->window));
}

bool channel_in_window(const struct vgpu_channel *channel, const void *memory, uint64_t bytes,
		       uint64_t *offset)
{
	uintptr_t start = (uintptr_t)channel->window, at = (uintptr_t)memory;

	*offset = at - start;
	return at >= start && vgpu_range_ok(*offset, bytes, channel->window_bytes);
}

static bool flown(const struct channel_chunk *chunk)
{
	return __atomic_load_n(&chunk->operations[CHUNK_FENCE].state, __ATOMIC_ACQUIRE) == 0;
}

/* One that is free or whose fence has ended, else the one that flies longest. */
static struct channel_chunk *find_chunk(struct vgpu_channel *channel)
{
	struct channel_chunk *flying = NULL;

	for (unsigned int i = 0; i < CHANNEL_CHUNKS; i++) {
		struct channel_chunk *chunk =
			&channel->chunks[(channel->next_chunk + i) % CHANNEL_CHUNKS];

		if (chunk->state == CHUNK_FREE || (chunk->state == CHUNK_FLYING && flown(chunk)))
			return chunk;
		if (chunk->state == CHUNK_FLYING && !flying)
			flying = chunk;
	}
	return flying;
}

static void own(struct vgpu_channel *channel, struct channel_chunk *chunk)
{
	chunk->state = CHUNK_OWNED;
	channel->next_chunk = (unsigned int)(chunk - channel->chunks) + 1;
}

/* What its fence ended with, where nobody has looked at it yet. */
static void collect(struct vgpu_channel *channel, struct channel_chunk *chunk)
{
	channel_keep(channel, chunk->operations[CHUNK_FENCE].status);
	chunk->operations[CHUNK_FENCE].status = 0;
}

struct channel_chunk *channel_chunk_try(struct vgpu_channel *channel)
{
	struct channel_chunk *chunk;

	CHANNEL_LOCK(&channel->window_mutex);

	chunk = find_chunk(channel);
	if (!chunk || !flown(chunk))
		return NULL;
	own(channel, chunk);
	collect(channel, chunk);
	return chunk;
}

enum vgpu_result channel_chunk_take(struct vgpu_channel *channel, struct channel_chunk **chunk,
				    int64_t timeout_ns)
{
	struct channel_chunk *taken;
	enum vgpu_result result;
	int64_t deadline = 0;
	bool flying;

	pthread_mutex_lock(&channel->window_mutex);
	while (!(taken = find_chunk(channel))) {
		if (!deadline)
			deadline = vgpu_now_ns() + timeout_ns;
		if (vgpu_condition_wait(&channel->chunk_freed, &channel->window_mutex, deadline))
			continue;
		pthread_mutex_unlock(&channel->window_mutex);
		return last_error_set(VGPU_E_TIMEOUT,
				      "other threads' copies have not ended within the timeout");
	}
	flying = taken->state == CHUNK_FLYING;
	own(channel, taken);
	pthread_mutex_unlock(&channel->window_mutex);
	if (flying) {
		result = channel_wait(channel, &taken->operations[CHUNK_FENCE], timeout_ns);
		if (result != VGPU_OK) {
			channel_chunk_done(channel, taken);
			return result;
		}
	}
	collect(channel, taken);
	*chunk = taken;
	return VGPU_OK;
}

void channel_chunk_done(struct vgpu_channel *channel, struct channel_chunk *chunk)
{
	CHANNEL_LOCK(&channel->window_mutex);

	chunk->state = flown(chunk) ? CHUNK_FREE : CHUNK_FLYING;
	if (chunk->state == CHUNK_FLYING || chunk->operations[CHUNK_FENCE].status)
		__atomic_store_n(&channel->loose_chunks, true, __ATOMIC_RELAXED);
	pthread_cond_signal(&channel->chunk_freed);
}

void channel_chunk_collect(struct vgpu_channel *channel)
{
	bool loose = false;

	if (!__atomic_load_n(&channel->loose_chunks, __ATOMIC_RELAXED))
		return;

	CHANNEL_LOCK(&channel->window_mutex);

	for (int i = 0; i < CHANNEL_CHUNKS; i++) {
		struct channel_chunk *chunk = &channel->chunks[i];

		if (chunk->state == CHUNK_OWNED)
			continue;
		if (flown(chunk))
			collect(channel, chunk);
		else
			loose = true;
	}
	__atomic_store_n(&channel->loose_chunks, loose, __ATOMIC_RELAXED);
}

void channel_object_made(struct vgpu_channel *channel)
{
	__atomic_add_fetch(&channel->objects, 1, __ATOMIC_RELAXED);
}

/* The free chunks that have an event, which become the caller's. */
static int own_idle_chunks(struct vgpu_channel *channel, struct channel_chunk **idle)
{
	int count = 0;

	CHANNEL_LOCK(&channel->window_mutex);

	for (int i = 0; i < CHANNEL_CHUNKS; i++) {
		struct channel_chunk *chunk = &channel->chunks[i];

		if (chunk->state == CHUNK_OWNED || !flown(chunk) || !chunk->event)
			continue;
		chunk->state = CHUNK_OWNED;
		idle[count++] = chunk;
	}
	return count;
}

void channel_object_gone(struct vgpu_channel *channel)
{
	struct vgpu_operation destroy[CHANNEL_CHUNKS] = { 0 };
	struct channel_chunk *idle[CHANNEL_CHUNKS];
	int count;

	/* What was made by channel_submit() is not counted: then it comes to 0 too early, or never.
	 */
	if (__atomic_sub_fetch(&channel->objects, 1, __ATOMIC_RELAXED))
		return;
	count = own_idle_chunks(channel, idle);
	for (int i = 0; i < count; i++)
		destroy[i] = (struct vgpu_operation){ .opcode = VGPU_RING_EVENT_DESTROY,
						      .flags = VGPU_SUBMIT_NO_REPLY,
						      .argument = { idle[i]->event } };
	if (!count)
		return;
	/* Where it is not submitted, the channel is broken. */
	channel_submit(channel, destroy, (size_t)count, channel_timeout(channel));
	for (int i = 0; i < count; i++) {
		idle[i]->event = 0;
		channel_chunk_done(channel, idle[i]);
	}
}

enum vgpu_result channel_chunk_call(struct vgpu_channel *channel, struct channel_chunk *chunk,
				    const char *what)
{
	struct vgpu_operation *operation = &chunk->operations[CHUNK_FENCE];
	int64_t timeout_ns = channel_timeout(channel);
	enum vgpu_result result = channel_submit(channel, operation, 1, timeout_ns);

	if (result == VGPU_OK)
		result = channel_wait(channel, operation, timeout_ns);
	if (result != VGPU_OK)
		return last_error_prefix(result, "%s", what);
	if (operation->status)
		result = channel_operation_error(operation, what);
	operation->status = 0;
	return result;
}

void channel_write(const struct vgpu_channel *channel, uint64_t offset, const void *from,
		   uint64_t bytes)
{
	memcpy(channel->window + offset, from, bytes);
}

#if defined(__x86_64__)
/*
 * Plain loads from write-combining memory go to memory one by one; streaming loads fetch a line.
 * Both ends 16 bytes aligned at `from`.
 */
__attribute__((target("sse4.1"))) static void read_streaming(uint8_t *to, const uint8_t *from,
							     uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += 16)
		_mm_storeu_si128((__m128i *)(void *)(to + at),
				 _mm_stream_load_si128((__m128i *)(uintptr_t)(from + at)));
}

void channel_read(const struct vgpu_channel *channel, void *to, uint64_t offset, uint64_t bytes)
{
	const uint8_t *from = channel->window + offset;
	uint64_t first = -(uintptr_t)from % 16, whole;

	if (!channel->ring.combining || bytes < 64 || !__builtin_cpu_supports("sse4.1")) {
		memcpy(to, from, bytes);
		return;
	}
	whole = (bytes - first) / 16 * 16;
	/* The completion was seen before; the loads must not have run ahead of that. */
	_mm_mfence();
	memcpy(to, from, first);
	read_streaming((uint8_t *)to + first, from + first, whole);
	memcpy((uint8_t *)to + first + whole, from + first + whole, bytes - first - whole);
}
#else
void channel_read(const struct vgpu_channel *channel, void *to, uint64_t offset, uint64_t bytes)
{
	memcpy(to, channel->window + offset, bytes);
}
#endif
