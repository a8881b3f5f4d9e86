/* SPDX-License-Identifier: Apache-2.0 */
/* One operation at a time, and CUDA's errors. */
#include "guest-agent/channel.h"
#include "guest-agent/last_error.h"

#define CUDA_ERROR_OUT_OF_MEMORY 2u

static enum vgpu_result cuda_error(uint32_t status, const char *what, const char *limit)
{
	last_error_set(VGPU_E_CUDA, "%s: %s (%u): %s%s", what, vgpu_cuda_error_name(status), status,
		       vgpu_cuda_error_text(status), limit);
	last_error_numbers(VGPU_ERR_CUDA, status);
	return VGPU_E_CUDA;
}

enum vgpu_result channel_cuda_error(uint32_t status, const char *what)
{
	return cuda_error(status, what, "");
}

enum vgpu_result channel_operation_error(const struct vgpu_operation *operation, const char *what)
{
	bool quota = operation->status == CUDA_ERROR_OUT_OF_MEMORY &&
		     operation->result[0] == VGPU_MEMORY_QUOTA;

	return cuda_error(operation->status, what,
			  quota ? ": the VM's quota of GPU memory does not allow it" : "");
}

static enum vgpu_result call(struct vgpu_channel *channel, struct vgpu_operation *operation,
			     const char *what)
{
	int64_t timeout_ns = channel_timeout(channel);
	enum vgpu_result result = channel_submit(channel, operation, 1, timeout_ns);

	if (result == VGPU_OK)
		result = channel_wait(channel, operation, timeout_ns);
	if (result != VGPU_OK) {
		channel_detach(channel, operation);
		return last_error_prefix(result, "%s", what);
	}
	return VGPU_OK;
}

enum vgpu_result channel_call(struct vgpu_channel *channel, struct vgpu_operation *operation,
			      const char *what)
{
	enum vgpu_result result = call(channel, operation, what);

	if (result == VGPU_OK && operation->status)
		result = channel_operation_error(operation, what);
	return result;
}

void channel_keep(struct vgpu_channel *channel, uint32_t status)
{
	uint32_t none = 0;

	if (status)
		__atomic_compare_exchange_n(&channel->kept, &none, status, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

uint32_t channel_kept(struct vgpu_channel *channel)
{
	channel_chunk_collect(channel);
	/* Almost always 0, which is read without taking the line from others. */
	if (__atomic_load_n(&channel->kept, __ATOMIC_RELAXED) == 0)
		return 0;
	return __atomic_exchange_n(&channel->kept, 0, __ATOMIC_RELAXED);
}

enum vgpu_result channel_call_wait(struct vgpu_channel *channel, struct vgpu_operation *operation,
				   const char *what)
{
	enum vgpu_result result = call(channel, operation, what);
	uint32_t kept;

	if (result != VGPU_OK)
		return result;
	kept = channel_kept(channel);
	if (kept)
		return channel_cuda_error(kept, what);
	return operation->status ? channel_operation_error(operation, what) : VGPU_OK;
}

enum vgpu_result channel_destroy(struct vgpu_channel *channel, struct vgpu_operation *operation,
				 const char *what)
{
	enum vgpu_result result = channel_call(channel, operation, what);

	if (result == VGPU_OK)
		channel_object_gone(channel);
	return result;
}

enum vgpu_result channel_start(struct vgpu_channel *channel, struct vgpu_operation *operation,
			       const char *what)
{
	enum vgpu_result result;

	if (channel->check)
		return channel_call(channel, operation, what);
	operation->flags |= VGPU_SUBMIT_NO_REPLY;
	result = channel_submit(channel, operation, 1, channel_timeout(channel));
	return result == VGPU_OK ? VGPU_OK : last_error_prefix(result, "%s", what);
}
