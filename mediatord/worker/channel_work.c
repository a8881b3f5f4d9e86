/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/channel_work.h"

#include <string.h>

#include "common/clock.h"

/* Over all blocks; those that do not fit in 64 bits are of one magnitude. */
static uint64_t threads_of(const struct vgpu_launch *launch)
{
	uint64_t threads = 1;

	for (int i = 0; i < 3; i++)
		if (__builtin_mul_overflow(threads, launch->grid[i], &threads) ||
		    __builtin_mul_overflow(threads, launch->block[i], &threads))
			return UINT64_MAX;
	return threads;
}

/* What a request is to the GPU; of copies and sets, all that is left of it. */
static struct inflight_work work_of(const struct channel_request *request)
{
	struct inflight_work work = { .kind = INFLIGHT_MARK, .bytes = request->bytes };

	switch (request->opcode) {
	case VGPU_RING_COPY_HTOD:
		work.kind = INFLIGHT_HTOD;
		break;
	case VGPU_RING_COPY_DTOH:
		work.kind = INFLIGHT_DTOH;
		break;
	case VGPU_RING_COPY_DTOD:
		work.kind = INFLIGHT_DTOD;
		break;
	case VGPU_RING_MEM_SET:
		work.kind = INFLIGHT_SET;
		break;
	case VGPU_RING_MEM_ALLOC:
		work.kind = INFLIGHT_BLOCKS;
		break;
	case VGPU_RING_LAUNCH:
		work.kind = INFLIGHT_LAUNCH;
		work.function = request->number;
		work.threads = threads_of(&request->launch);
		break;
	default: /* EVENT_RECORD, STREAM_WAIT_EVENT */
		break;
	}
	return work;
}

/* Piece by piece, a copy onto itself would read what an earlier piece wrote. */
static bool divisible(const struct channel_request *request)
{
	uint64_t apart = request->pointer > request->source ? request->pointer - request->source
							    : request->source - request->pointer;

	return request->opcode != VGPU_RING_COPY_DTOD || apart >= request->bytes;
}

bool channel_admits(const struct channel *channel, struct channel_request *request, int64_t now_ns)
{
	const struct jobs *jobs = &channel->jobs;

	request->next = work_of(request);
	if (divisible(request))
		request->next.bytes = inflight_piece(
			&jobs->inflight, &request->next,
			__atomic_load_n(&channel->grant->inflight_ns, __ATOMIC_RELAXED));
	return jobs_admit(jobs, &request->next, now_ns);
}

static cuda_error start_kernel(struct channel *channel, const struct channel_request *request)
{
	struct backend *backend = channel->backend;
	uint8_t parameters[VGPU_PARAMETERS_MAX];
	struct backend_launch launch = {
		.shared_bytes = request->launch.shared_bytes,
		.arguments = parameters,
		.argument_bytes = request->launch.parameter_bytes,
	};

	memcpy(parameters, request->window, request->bytes);
	for (int i = 0; i < 3; i++) {
		launch.grid[i] = request->launch.grid[i];
		launch.block[i] = request->launch.block[i];
	}
	return backend->ops->start_kernel(backend, request->object, request->stream, &launch);
}

cuda_error channel_start(struct channel *channel, const struct channel_request *request)
{
	struct backend *backend = channel->backend;
	const struct backend_ops *ops = backend->ops;
	uint64_t bytes = request->next.bytes;

	switch (request->opcode) {
	case VGPU_RING_MEM_SET:
		return ops->mem_set(backend, request->pointer, request->set_value,
				    bytes / request->width, request->width, request->stream);
	case VGPU_RING_COPY_HTOD:
		jobs_count(&channel->grant->bytes_in, bytes);
		return ops->start_htod(backend, request->pointer, request->window, bytes,
				       request->stream);
	case VGPU_RING_COPY_DTOH:
		jobs_count(&channel->grant->bytes_out, bytes);
		return ops->start_dtoh(backend, request->window, request->pointer, bytes,
				       request->stream);
	case VGPU_RING_COPY_DTOD:
		return ops->start_dtod(backend, request->pointer, request->source, bytes,
				       request->stream);
	default: /* LAUNCH */
		return start_kernel(channel, request);
	}
}

bool channel_started(struct channel *channel, struct channel_request *request, int64_t now_ns)
{
	uint64_t bytes = request->next.bytes;
	bool last = bytes == request->bytes;

	jobs_started(&channel->jobs, &request->next, last, now_ns);
	if (channel->backend->info.immediate)
		jobs_idle(&channel->jobs, vgpu_now_ns());
	else if (request->next.kind == INFLIGHT_BLOCKS)
		channel_settle(channel);
	if (last)
		return false;
	request->bytes -= bytes;
	request->pointer += bytes;
	if (request->opcode == VGPU_RING_COPY_DTOD)
		request->source += bytes;
	else if (request->opcode != VGPU_RING_MEM_SET)
		request->window += bytes;
	return true;
}

bool channel_settle(struct channel *channel)
{
	struct backend *backend = channel->backend;

	if (!jobs_on_gpu(&channel->jobs))
		return false;
	if (backend->ops->context_query(backend) == CUDA_ERROR_NOT_READY)
		return true;
	jobs_idle(&channel->jobs, vgpu_now_ns());
	return false;
}
