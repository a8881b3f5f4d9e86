/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, events, and waiting for them. */
#include <string.h>

#include "guest-agent/channel.h"

#define CUDA_ERROR_NOT_READY 600u

/* NOT_READY is an answer here, not an error. */
static enum vgpu_result query(struct vgpu_channel *channel, struct vgpu_operation *operation,
			      const char *what, int *done)
{
	enum vgpu_result result = channel_call(channel, operation, what);

	*done = result == VGPU_OK;
	return result == VGPU_E_CUDA && operation->status == CUDA_ERROR_NOT_READY ? VGPU_OK
										  : result;
}

enum vgpu_result vgpu_channel_stream_create(struct vgpu_channel *channel, uint32_t flags,
					    int32_t priority, vgpu_stream *stream)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_STREAM_CREATE,
					    .argument = { flags, (uint64_t)(int64_t)priority } };
	enum vgpu_result result = channel_call(channel, &operation, "creating a stream");

	*stream = result == VGPU_OK ? (vgpu_stream)operation.result[0] : 0;
	if (result == VGPU_OK)
		channel_object_made(channel);
	return result;
}

enum vgpu_result vgpu_channel_stream_destroy(struct vgpu_channel *channel, vgpu_stream stream)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_STREAM_DESTROY,
					    .argument = { stream } };

	return channel_destroy(channel, &operation, "destroying a stream");
}

enum vgpu_result vgpu_channel_stream_query(struct vgpu_channel *channel, vgpu_stream stream,
					   int *done)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_STREAM_QUERY,
					    .argument = { stream } };

	return query(channel, &operation, "asking for a stream", done);
}

enum vgpu_result vgpu_channel_stream_synchronize(struct vgpu_channel *channel, vgpu_stream stream)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_STREAM_SYNCHRONIZE,
					    .argument = { stream } };

	return channel_call_wait(channel, &operation, "waiting for a stream");
}

enum vgpu_result vgpu_channel_stream_wait_event(struct vgpu_channel *channel, vgpu_stream stream,
						vgpu_event event)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_STREAM_WAIT_EVENT,
					    .argument = { stream, event } };

	return channel_start(channel, &operation, "having a stream wait for an event");
}

enum vgpu_result vgpu_channel_event_create(struct vgpu_channel *channel, uint32_t flags,
					   vgpu_event *event)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_EVENT_CREATE,
					    .argument = { flags } };
	enum vgpu_result result = channel_call(channel, &operation, "creating an event");

	*event = result == VGPU_OK ? (vgpu_event)operation.result[0] : 0;
	if (result == VGPU_OK)
		channel_object_made(channel);
	return result;
}

enum vgpu_result vgpu_channel_event_destroy(struct vgpu_channel *channel, vgpu_event event)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_EVENT_DESTROY,
					    .argument = { event } };

	return channel_destroy(channel, &operation, "destroying an event");
}

enum vgpu_result vgpu_channel_event_record(struct vgpu_channel *channel, vgpu_event event,
					   vgpu_stream stream)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_EVENT_RECORD,
					    .argument = { event, stream } };

	return channel_start(channel, &operation, "recording an event");
}

enum vgpu_result vgpu_channel_event_query(struct vgpu_channel *channel, vgpu_event event, int *done)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_EVENT_QUERY,
					    .argument = { event } };

	return query(channel, &operation, "asking for an event", done);
}

enum vgpu_result vgpu_channel_event_synchronize(struct vgpu_channel *channel, vgpu_event event)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_EVENT_SYNCHRONIZE,
					    .argument = { event } };

	return channel_call_wait(channel, &operation, "waiting for an event");
}

enum vgpu_result vgpu_channel_event_elapsed(struct vgpu_channel *channel, vgpu_event start,
					    vgpu_event end, float *milliseconds)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_EVENT_ELAPSED,
					    .argument = { start, end } };
	enum vgpu_result result = channel_call(channel, &operation, "measuring between events");
	uint32_t bits = result == VGPU_OK ? (uint32_t)operation.result[0] : 0;

	memcpy(milliseconds, &bits, sizeof(bits));
	return result;
}

enum vgpu_result vgpu_channel_synchronize(struct vgpu_channel *channel)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_CONTEXT_SYNCHRONIZE };

	return channel_call_wait(channel, &operation, "waiting for the GPU");
}
