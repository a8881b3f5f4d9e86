/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between the device and the program's memory. Memory of the window is named to the worker
 * as it is. Any other goes through chunks of the window, several of them under way at once: while
 * the GPU moves one, this processor fills or empties another. An event behind each chunk's copy
 * tells when the GPU is done with it.
 */
#include "common/bytes.h"
#include "guest-agent/channel.h"
#include "guest-agent/last_error.h"

/* One copy of the caller's. */
struct copy {
	struct vgpu_channel *channel;
	const char *what;
	bool to_device;
	bool wait; /* until the GPU is done; else only start it */
	vgpu_stream stream;
	vgpu_pointer device;
	uint8_t *host; /* only read where to_device */
	uint64_t bytes;
	/* Chunks under way, the oldest first, in a ring; and how much of the host's side is done.
	 */
	struct channel_chunk *chunks[CHANNEL_CHUNKS_A_COPY];
	uint64_t chunk_bytes[CHANNEL_CHUNKS_A_COPY];
	unsigned int first;
	unsigned int count;
};

static void fill_copy(struct vgpu_operation *operation, const struct copy *copy, uint64_t device,
		      uint64_t offset, uint64_t bytes)
{
	*operation = (struct vgpu_operation){
		.opcode = copy->to_device ? VGPU_RING_COPY_HTOD : VGPU_RING_COPY_DTOH,
		.argument = { copy->to_device ? device : offset, copy->to_device ? offset : device,
			      bytes, copy->stream },
	};
}

/* The first error of a copy that was waited for: its own, what was kept, its stream's. */
static enum vgpu_result outcome(struct vgpu_channel *channel, uint32_t status, uint32_t fence,
				const char *what)
{
	uint32_t kept = status ? 0 : channel_kept(channel);

	if (!status)
		status = kept ? kept : fence;
	return status ? channel_cuda_error(status, what) : VGPU_OK;
}

/* An operation and the wait for its stream, under one doorbell. */
static enum vgpu_result call_and_synchronize(struct vgpu_channel *channel,
					     const struct vgpu_operation *operation,
					     vgpu_stream stream, const char *what)
{
	struct vgpu_operation both[2] = {
		*operation, { .opcode = VGPU_RING_STREAM_SYNCHRONIZE, .argument = { stream } }
	};
	int64_t timeout_ns = channel_timeout(channel);
	enum vgpu_result result = channel_submit(channel, both, 2, timeout_ns);

	for (int i = 0; i < 2 && result == VGPU_OK; i++)
		result = channel_wait(channel, &both[i], timeout_ns);
	if (result != VGPU_OK) {
		channel_detach(channel, &both[0]);
		channel_detach(channel, &both[1]);
		return last_error_prefix(result, "%s", what);
	}
	return outcome(channel, both[0].status, both[1].status, what);
}

static enum vgpu_result copy_direct(const struct copy *copy, uint64_t offset)
{
	struct vgpu_operation operation;

	fill_copy(&operation, copy, copy->device, offset, copy->bytes);
	if (copy->wait)
		return call_and_synchronize(copy->channel, &operation, copy->stream, copy->what);
	return channel_start(copy->channel, &operation, copy->what);
}

/*
 * Takes a chunk, with its event, for the next `bytes`. Takes none where it would have to wait while
 * it has others: the count tells.
 */
static enum vgpu_result begin_chunk(struct copy *copy, uint64_t bytes)
{
	struct vgpu_channel *channel = copy->channel;
	unsigned int last = (copy->first + copy->count) % CHANNEL_CHUNKS_A_COPY;
	struct vgpu_operation create = { .opcode = VGPU_RING_EVENT_CREATE,
					 .argument = { VGPU_EVENT_DISABLE_TIMING } };
	struct channel_chunk *chunk = channel_chunk_try(channel);
	enum vgpu_result result;

	if (!chunk && copy->count)
		return VGPU_OK;
	if (!chunk) {
		result = channel_chunk_take(channel, &chunk, channel_timeout(channel));
		if (result != VGPU_OK)
			return last_error_prefix(result, "%s", copy->what);
	}
	if (!chunk->event) {
		result = channel_call(channel, &create, copy->what);
		if (result != VGPU_OK) {
			channel_chunk_done(channel, chunk);
			return result;
		}
		chunk->event = (vgpu_event)create.result[0];
	}
	copy->chunks[last] = chunk;
	copy->chunk_bytes[last] = bytes;
	copy->count++;
	return VGPU_OK;
}

/* Starts moving the newest chunk between window and device. */
static enum vgpu_result submit_chunk(const struct copy *copy, uint64_t device)
{
	unsigned int last = (copy->first + copy->count - 1) % CHANNEL_CHUNKS_A_COPY;
	struct channel_chunk *chunk = copy->chunks[last];
	struct vgpu_operation *operations = chunk->operations;
	enum vgpu_result result;

	fill_copy(&operations[CHUNK_COPY], copy, device, chunk->offset, copy->chunk_bytes[last]);
	/* Who does not wait here hears of a bad pointer at the next wait, as CUDA's users do. */
	if (!copy->wait && copy->to_device && !copy->channel->check)
		operations[CHUNK_COPY].flags = VGPU_SUBMIT_NO_REPLY;
	operations[CHUNK_RECORD] = (struct vgpu_operation){
		.opcode = VGPU_RING_EVENT_RECORD,
		.flags = VGPU_SUBMIT_NO_REPLY,
		.argument = { chunk->event, copy->stream },
	};
	operations[CHUNK_FENCE] = (struct vgpu_operation){
		.opcode = VGPU_RING_EVENT_SYNCHRONIZE,
		.argument = { chunk->event },
	};
	result = channel_submit(copy->channel, operations, 3, channel_timeout(copy->channel));
	return result == VGPU_OK ? VGPU_OK : last_error_prefix(result, "%s", copy->what);
}

/* Waits for the oldest chunk; *chunk is still this thread's. */
static enum vgpu_result end_chunk(struct copy *copy, struct channel_chunk **chunk, uint64_t *bytes)
{
	struct vgpu_channel *channel = copy->channel;
	struct vgpu_operation *operations = copy->chunks[copy->first]->operations;
	int64_t timeout_ns = channel_timeout(channel);
	enum vgpu_result result;

	*chunk = copy->chunks[copy->first];
	*bytes = copy->chunk_bytes[copy->first];
	copy->first = (copy->first + 1) % CHANNEL_CHUNKS_A_COPY;
	copy->count--;
	result = channel_wait(channel, &operations[CHUNK_COPY], timeout_ns);
	if (result == VGPU_OK)
		result = channel_wait(channel, &operations[CHUNK_FENCE], timeout_ns);
	if (result != VGPU_OK)
		return last_error_prefix(result, "%s", copy->what);
	result = outcome(channel, operations[CHUNK_COPY].status, operations[CHUNK_FENCE].status,
			 copy->what);
	operations[CHUNK_FENCE].status = 0;
	return result;
}

/* Gives back what is under way after a failure, whose text stays. */
static void abandon(struct copy *copy)
{
	struct channel_chunk *chunk;
	struct last_error reason;
	uint64_t bytes;

	last_error_save(&reason);
	while (copy->count) {
		end_chunk(copy, &chunk, &bytes);
		channel_detach(copy->channel, &chunk->operations[CHUNK_COPY]);
		channel_chunk_done(copy->channel, chunk);
	}
	last_error_restore(&reason);
}

static uint64_t next_bytes(const struct copy *copy, uint64_t at)
{
	uint64_t left = copy->bytes - at;

	return left < copy->channel->chunk_bytes ? left : copy->channel->chunk_bytes;
}

/* Ends the oldest chunk and frees it; from the device, its bytes go to *done of the host's side. */
static enum vgpu_result retire(struct copy *copy, uint64_t *done)
{
	struct channel_chunk *chunk;
	uint64_t bytes;
	enum vgpu_result result = end_chunk(copy, &chunk, &bytes);

	if (result == VGPU_OK && !copy->to_device)
		channel_read(copy->channel, copy->host + *done, chunk->offset, bytes);
	*done += bytes;
	channel_detach(copy->channel, &chunk->operations[CHUNK_COPY]);
	channel_chunk_done(copy->channel, chunk);
	return result;
}

/* A chunk on its way to the device that nobody here waits for any more. */
static enum vgpu_result release(struct copy *copy)
{
	struct vgpu_channel *channel = copy->channel;
	struct channel_chunk *chunk = copy->chunks[copy->first];
	struct vgpu_operation *started = &chunk->operations[CHUNK_COPY];
	enum vgpu_result result = channel_wait(channel, started, channel_timeout(channel));
	bool answered = !(started->flags & VGPU_SUBMIT_NO_REPLY);

	copy->first = (copy->first + 1) % CHANNEL_CHUNKS_A_COPY;
	copy->count--;
	channel_detach(channel, started);
	channel_chunk_done(channel, chunk);
	if (result != VGPU_OK)
		return last_error_prefix(result, "%s", copy->what);
	return answered && started->status ? channel_cuda_error(started->status, copy->what)
					   : VGPU_OK;
}

/* Takes a chunk, fills it where it goes to the device, and starts it; *at goes on. */
static enum vgpu_result advance(struct copy *copy, uint64_t *at)
{
	unsigned int before = copy->count;
	unsigned int last = (copy->first + before) % CHANNEL_CHUNKS_A_COPY;
	uint64_t bytes = next_bytes(copy, *at);
	enum vgpu_result result = begin_chunk(copy, bytes);

	if (result != VGPU_OK || copy->count == before)
		return result;
	if (copy->to_device)
		channel_write(copy->channel, copy->chunks[last]->offset, copy->host + *at, bytes);
	result = submit_chunk(copy, copy->device + *at);
	*at += bytes;
	return result;
}

static enum vgpu_result copy_through_chunks(struct copy *copy)
{
	bool leave = copy->to_device && !copy->wait;
	enum vgpu_result result = VGPU_OK;
	uint64_t at = 0, done = 0;

	while (result == VGPU_OK && (at < copy->bytes || copy->count)) {
		unsigned int before = copy->count;

		if (at < copy->bytes && before < CHANNEL_CHUNKS_A_COPY)
			result = advance(copy, &at);
		if (result == VGPU_OK && leave && copy->count)
			result = release(copy);
		else if (result == VGPU_OK && copy->count == before)
			result = retire(copy, &done);
	}
	if (result != VGPU_OK)
		abandon(copy);
	return result;
}

static enum vgpu_result copy_host(struct copy *copy)
{
	uint64_t offset;

	if (channel_in_window(copy->channel, copy->host, copy->bytes, &offset))
		return copy_direct(copy, offset);
	return copy_through_chunks(copy);
}

enum vgpu_result vgpu_channel_copy_to_device(struct vgpu_channel *channel, vgpu_pointer destination,
					     const void *source, uint64_t bytes)
{
	struct copy copy = {
		.channel = channel,
		.what = "copying to the device",
		.to_device = true,
		.wait = true,
		.device = destination,
		.host = (uint8_t *)(uintptr_t)source,
		.bytes = bytes,
	};

	return bytes ? copy_host(&copy) : VGPU_OK;
}

enum vgpu_result vgpu_channel_copy_to_device_async(struct vgpu_channel *channel,
						   vgpu_pointer destination, const void *source,
						   uint64_t bytes, vgpu_stream stream)
{
	struct copy copy = {
		.channel = channel,
		.what = "starting a copy to the device",
		.to_device = true,
		.stream = stream,
		.device = destination,
		.host = (uint8_t *)(uintptr_t)source,
		.bytes = bytes,
	};

	return bytes ? copy_host(&copy) : VGPU_OK;
}

enum vgpu_result vgpu_channel_copy_from_device(struct vgpu_channel *channel, void *destination,
					       vgpu_pointer source, uint64_t bytes)
{
	struct copy copy = {
		.channel = channel,
		.what = "copying from the device",
		.wait = true,
		.device = source,
		.host = destination,
		.bytes = bytes,
	};

	return bytes ? copy_host(&copy) : VGPU_OK;
}

enum vgpu_result vgpu_channel_copy_from_device_async(struct vgpu_channel *channel,
						     void *destination, vgpu_pointer source,
						     uint64_t bytes, vgpu_stream stream)
{
	struct copy copy = {
		.channel = channel,
		.what = "starting a copy from the device",
		.stream = stream,
		.device = source,
		.host = destination,
		.bytes = bytes,
	};

	return bytes ? copy_host(&copy) : VGPU_OK;
}

static struct vgpu_operation on_device(vgpu_pointer destination, vgpu_pointer source,
				       uint64_t bytes, vgpu_stream stream)
{
	return (struct vgpu_operation){ .opcode = VGPU_RING_COPY_DTOD,
					.argument = { destination, source, bytes, stream } };
}

enum vgpu_result vgpu_channel_copy_on_device(struct vgpu_channel *channel, vgpu_pointer destination,
					     vgpu_pointer source, uint64_t bytes)
{
	const struct vgpu_operation operation = on_device(destination, source, bytes, 0);

	return call_and_synchronize(channel, &operation, 0, "copying on the device");
}

enum vgpu_result vgpu_channel_copy_on_device_async(struct vgpu_channel *channel,
						   vgpu_pointer destination, vgpu_pointer source,
						   uint64_t bytes, vgpu_stream stream)
{
	struct vgpu_operation operation = on_device(destination, source, bytes, stream);

	return channel_start(channel, &operation, "starting a copy on the device");
}
