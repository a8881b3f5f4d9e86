/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context takes hundreds of MiB of a GPU, which a channel that holds nothing there leaves to
 * others: it gives its context back after a while, and takes one again for the first operation that
 * needs it. Nothing is carried over: what a tenant had was gone before, and memory of the next
 * context reads zero as all does.
 */
#include "common/clock.h"
#include "common/log.h"
#include "mediatord/worker/channel.h"

/* Context and window. */
static cuda_error take(struct channel *channel)
{
	struct backend *backend = channel->backend;
	cuda_error error = backend->ops->context_take(backend);

	if (error)
		return error;
	error = backend->ops->window_register(backend, channel->window, channel->window_bytes);
	if (error)
		backend->ops->context_give_back(backend);
	return error;
}

cuda_error channel_context_first(struct channel *channel)
{
	cuda_error error = take(channel);

	channel->context = !error;
	return error;
}

/*
 * What makes something on the GPU. Every other operation is on what is there already, and refused
 * where there is nothing; or it asks whether work is done, which it is.
 */
static bool needs_context(uint16_t opcode)
{
	return opcode == VGPU_RING_MEM_ALLOC || opcode == VGPU_RING_MODULE_LOAD ||
	       opcode == VGPU_RING_MODULE_BUILTIN || opcode == VGPU_RING_STREAM_CREATE ||
	       opcode == VGPU_RING_EVENT_CREATE;
}

int channel_take_context(struct channel *channel, uint16_t opcode, cuda_error *error,
			 struct vgpu_error **err)
{
	const struct memory_ledger *mediator = channel->mediator;
	int granted;

	*error = CUDA_ERROR_NONE;
	if (channel->context || !needs_context(opcode))
		return 0;
	granted = mediator->take_context(mediator->opaque, err);
	if (granted < 0)
		return -1;
	if (!granted) {
		*error = CUDA_ERROR_OUT_OF_MEMORY;
		return 0;
	}
	*error = take(channel);
	if (*error) {
		vgpu_log_warning("cannot make a context on the GPU: %s: %s",
				 channel->backend->detail, cuda_error_name(*error));
		return mediator->give_context_back(mediator->opaque, err);
	}
	channel->context = true;
	return 0;
}

static bool holds_nothing(const struct channel *channel)
{
	static const enum handle_kind kinds[] = { HANDLE_MODULE, HANDLE_STREAM, HANDLE_EVENT };

	if (jobs_on_gpu(&channel->jobs) || channel->allocations.count)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (channel->handles[kinds[i]].count)
			return false;
	return true;
}

int channel_idle_due(struct channel *channel, int64_t now_ns, int64_t *due_ns,
		     struct vgpu_error **err)
{
	const struct memory_ledger *mediator = channel->mediator;
	cuda_error error;

	*due_ns = 0;
	if (!channel->context || !channel->idle_ms || !holds_nothing(channel)) {
		channel->nothing_since_ns = 0;
		return 0;
	}
	if (!channel->nothing_since_ns)
		channel->nothing_since_ns = now_ns;
	*due_ns = channel->nothing_since_ns + channel->idle_ms * VGPU_NS_PER_MS;
	if (now_ns < *due_ns)
		return 0;
	*due_ns = 0;
	channel->nothing_since_ns = 0;
	error = channel->backend->ops->context_give_back(channel->backend);
	if (error) {
		/* A fault that stays: such a context goes with its process. */
		vgpu_log_warning("cannot give the context back: %s", cuda_error_name(error));
		channel->idle_ms = 0;
		return 0;
	}
	channel->context = false;
	return mediator->give_context_back(mediator->opaque, err);
}
