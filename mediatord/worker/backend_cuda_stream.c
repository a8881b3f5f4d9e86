/* SPDX-License-Identifier: Apache-2.0 */
/* The cuda backend's streams and events. */
#include "common/clock.h"
#include "mediatord/worker/backend_cuda.h"

/* How long a wait polls before it sleeps. */
#define POLL_NS (100 * VGPU_NS_PER_US)

/*
 * What a block of 2 MiB holds at least of streams and of events: tests/gpu measures it. An H100
 * takes one for 3 or 4 streams, 560 MiB for 1024, and far less for events. The first blocks are
 * part of what a context costs.
 */
#define STREAMS_PER_BLOCK 3u
#define EVENTS_PER_BLOCK  512u

/* Destroyed streams that may still have work; with more, destroying waits. */
#define ENDED_MAX 64u

/*
 * Room for one more object, charged before the driver makes it. What it took for those that are
 * gone it keeps for the next; so the charge stays until the context ends, too.
 */
static cuda_error supply(struct backend_cuda *cuda, struct cuda_supply *supply, uint32_t per_block,
			 const char *what)
{
	cuda_error error;

	if (supply->made < (supply->blocks + 1) * per_block)
		return CUDA_ERROR_NONE;
	error = cuda_charge(cuda, CUDA_BLOCK_BYTES, what);
	if (!error)
		supply->blocks++;
	return error;
}

void cuda_supplies_forget(struct backend_cuda *cuda)
{
	cuda_refund(cuda,
		    (cuda->stream_supply.blocks + cuda->event_supply.blocks) * CUDA_BLOCK_BYTES);
	cuda->stream_supply = (struct cuda_supply){ 0 };
	cuda->event_supply = (struct cuda_supply){ 0 };
}

cuda_stream cuda_stream_of(uint64_t stream)
{
	return stream ? ((const struct cuda_made_stream *)(uintptr_t)stream)->stream : NULL;
}

cuda_error cuda_wait_stream(struct backend_cuda *cuda, cuda_stream stream)
{
	int64_t until_ns = vgpu_now_ns() + POLL_NS;
	cuda_error error;

	do
		error = cuda->api.stream_query(stream);
	while (error == CUDA_ERROR_NOT_READY && vgpu_now_ns() < until_ns);
	if (error == CUDA_ERROR_NOT_READY)
		error = cuda->api.stream_synchronize(stream);
	return cuda_failed(cuda, "cuStreamSynchronize", error);
}

cuda_error cuda_wait(struct backend_cuda *cuda)
{
	int64_t until_ns = vgpu_now_ns() + POLL_NS;
	cuda_error error;

	do
		error = cuda_context_query(&cuda->backend);
	while (error == CUDA_ERROR_NOT_READY && vgpu_now_ns() < until_ns);
	if (error == CUDA_ERROR_NOT_READY)
		error = cuda_failed(cuda, "cuCtxSynchronize", cuda->api.context_synchronize());
	return error;
}

/*
 * Destroying a stream neither waits for its work nor lets it be asked about afterwards; so one with
 * work stays until that is done, for cuda_context_query().
 */
static cuda_error reap(struct backend_cuda *cuda)
{
	struct cuda_made_stream **link = &cuda->ended;
	cuda_error answer = CUDA_ERROR_NONE;

	while (*link) {
		struct cuda_made_stream *ended = *link;
		cuda_error error = cuda->api.stream_query(ended->stream);

		if (error) {
			if (!answer || answer == CUDA_ERROR_NOT_READY)
				answer = error;
			link = &ended->next;
			continue;
		}
		cuda->api.stream_destroy(ended->stream);
		*link = ended->next;
		cuda->ended_count--;
		cuda->stream_supply.made--;
		free(ended);
	}
	return answer;
}

cuda_error cuda_stream_create(struct backend *backend, uint32_t flags, int32_t priority,
			      uint64_t *stream)
{
	struct backend_cuda *cuda = cuda_of(backend);
	struct cuda_made_stream *made = calloc(1, sizeof(*made));
	cuda_error error;

	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	error = supply(cuda, &cuda->stream_supply, STREAMS_PER_BLOCK, "a stream");
	if (!error)
		error = cuda_failed(cuda, "cuStreamCreateWithPriority",
				    cuda->api.stream_create(&made->stream, flags, priority));
	if (error) {
		free(made);
		return error;
	}
	cuda->stream_supply.made++;
	made->non_blocking = flags & CUDA_STREAM_NON_BLOCKING;
	made->next = cuda->streams;
	cuda->streams = made;
	*stream = (uintptr_t)made;
	return CUDA_ERROR_NONE;
}

cuda_error cuda_stream_destroy(struct backend *backend, uint64_t stream)
{
	struct backend_cuda *cuda = cuda_of(backend);
	struct cuda_made_stream *destroyed = (struct cuda_made_stream *)(uintptr_t)stream;
	struct cuda_made_stream **link = &cuda->streams;
	cuda_error error;

	reap(cuda);
	error = cuda->api.stream_query(destroyed->stream);
	if (error == CUDA_ERROR_NOT_READY && cuda->ended_count >= ENDED_MAX)
		error = cuda_wait_stream(cuda, destroyed->stream);
	if (error && error != CUDA_ERROR_NOT_READY)
		return cuda_failed(cuda, "cuStreamQuery", error);
	while (*link != destroyed)
		link = &(*link)->next;
	if (!error) {
		error = cuda->api.stream_destroy(destroyed->stream);
		if (error)
			return cuda_failed(cuda, "cuStreamDestroy", error);
		cuda->stream_supply.made--;
		*link = destroyed->next;
		free(destroyed);
		return CUDA_ERROR_NONE;
	}
	*link = destroyed->next;
	destroyed->next = cuda->ended;
	cuda->ended = destroyed;
	cuda->ended_count++;
	return CUDA_ERROR_NONE;
}

static void free_streams(struct cuda_made_stream **list)
{
	while (*list) {
		struct cuda_made_stream *stream = *list;

		*list = stream->next;
		free(stream);
	}
}

void cuda_streams_forget(struct backend_cuda *cuda)
{
	free_streams(&cuda->streams);
	free_streams(&cuda->ended);
	cuda->ended_count = 0;
}

/* A query's answer; that work is not done is none that needs a text. */
static cuda_error queried(struct backend_cuda *cuda, const char *call, cuda_error error)
{
	return error == CUDA_ERROR_NOT_READY ? error : cuda_failed(cuda, call, error);
}

cuda_error cuda_stream_query(struct backend *backend, uint64_t stream)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return queried(cuda, "cuStreamQuery", cuda->api.stream_query(cuda_stream_of(stream)));
}

cuda_error cuda_context_query(struct backend *backend)
{
	struct backend_cuda *cuda = cuda_of(backend);
	/* The default stream comes after all that block; an H100 said so of its query too. */
	cuda_error answer = cuda->api.stream_query(NULL);
	cuda_error ended = cuda->ended ? reap(cuda) : CUDA_ERROR_NONE;

	if (ended && (!answer || answer == CUDA_ERROR_NOT_READY))
		answer = ended;
	for (const struct cuda_made_stream *stream = cuda->streams;
	     stream && (!answer || answer == CUDA_ERROR_NOT_READY); stream = stream->next) {
		cuda_error error;

		if (!stream->non_blocking)
			continue;
		error = cuda->api.stream_query(stream->stream);
		if (error)
			answer = error;
	}
	return queried(cuda, "cuStreamQuery", answer);
}

cuda_error cuda_stream_wait_event(struct backend *backend, uint64_t stream, uint64_t event)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return cuda_failed(cuda, "cuStreamWaitEvent",
			   cuda->api.stream_wait_event(cuda_stream_of(stream),
						       (cuda_event)(uintptr_t)event, 0));
}

cuda_error cuda_event_create(struct backend *backend, uint32_t flags, uint64_t *event)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_event made;
	cuda_error error;

	if (flags & CUDA_EVENT_INTERPROCESS) {
		backend_explain(backend, "events are not shared between processes");
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	error = supply(cuda, &cuda->event_supply, EVENTS_PER_BLOCK, "an event");
	if (!error)
		error = cuda_failed(cuda, "cuEventCreate", cuda->api.event_create(&made, flags));
	if (error)
		return error;
	cuda->event_supply.made++;
	*event = (uintptr_t)made;
	return CUDA_ERROR_NONE;
}

cuda_error cuda_event_destroy(struct backend *backend, uint64_t event)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_error error = cuda_failed(cuda, "cuEventDestroy",
				       cuda->api.event_destroy((cuda_event)(uintptr_t)event));

	if (!error)
		cuda->event_supply.made--;
	return error;
}

cuda_error cuda_event_record(struct backend *backend, uint64_t event, uint64_t stream)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return cuda_failed(
		cuda, "cuEventRecord",
		cuda->api.event_record((cuda_event)(uintptr_t)event, cuda_stream_of(stream)));
}

cuda_error cuda_event_query(struct backend *backend, uint64_t event)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return queried(cuda, "cuEventQuery", cuda->api.event_query((cuda_event)(uintptr_t)event));
}

cuda_error cuda_event_elapsed(struct backend *backend, uint64_t start, uint64_t end,
			      float *milliseconds)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return queried(cuda, "cuEventElapsedTime",
		       cuda->api.event_elapsed(milliseconds, (cuda_event)(uintptr_t)start,
					       (cuda_event)(uintptr_t)end));
}
