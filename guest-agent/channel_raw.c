/* SPDX-License-Identifier: Apache-2.0 */
/* The ring as it is, for programs that batch operations themselves. */
#include "guest-agent/channel.h"
#include "guest-agent/last_error.h"

enum vgpu_result vgpu_channel_submit(struct vgpu_channel *channel,
				     struct vgpu_operation *operations, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (operations[i].flags & ~VGPU_SUBMIT_NO_REPLY || operations[i].reserved)
			return last_error_set(VGPU_E_ARGUMENT,
					      "vgpu_channel_submit: operation %zu: unknown flags "
					      "0x%x, or a reserved field that is not 0",
					      i, operations[i].flags);
	}
	return channel_submit(channel, operations, count, channel_timeout(channel));
}

enum vgpu_result vgpu_channel_wait(struct vgpu_channel *channel, struct vgpu_operation *operations,
				   size_t count)
{
	enum vgpu_result result = VGPU_OK;

	for (size_t i = 0; i < count && result == VGPU_OK; i++)
		result = channel_wait(channel, &operations[i], channel_timeout(channel));
	if (result != VGPU_OK) {
		for (size_t i = 0; i < count; i++)
			channel_detach(channel, &operations[i]);
		return result;
	}
	for (size_t i = 0; i < count; i++) {
		if (!(operations[i].flags & VGPU_SUBMIT_NO_REPLY) && operations[i].status)
			return channel_cuda_error(operations[i].status, "an operation");
	}
	return VGPU_OK;
}
