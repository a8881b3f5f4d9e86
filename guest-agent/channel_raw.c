/* SPDX-License-Identifier: Apache-2.0 */
/* The ring as it is, for programs that batch operations themselves. */
#include "common/ring.h"

/* vgpu_channel.h stands alone, and so repeats these: below it is seen that they agree. */
#define REPEATED(each)                                                                             \
	each(RING_NOP);                                                                            \
	each(RING_DEVICE_INFO);                                                                    \
	each(RING_DEVICE_ATTRIBUTE);                                                               \
	each(RING_MEM_ALLOC);                                                                      \
	each(RING_MEM_FREE);                                                                       \
	each(RING_MEM_INFO);                                                                       \
	each(RING_MEM_SET);                                                                        \
	each(RING_COPY_HTOD);                                                                      \
	each(RING_COPY_DTOH);                                                                      \
	each(RING_COPY_DTOD);                                                                      \
	each(RING_MODULE_LOAD);                                                                    \
	each(RING_MODULE_BUILTIN);                                                                 \
	each(RING_MODULE_UNLOAD);                                                                  \
	each(RING_MODULE_FUNCTION);                                                                \
	each(RING_MODULE_GLOBAL);                                                                  \
	each(RING_FUNCTION_ATTRIBUTE);                                                             \
	each(RING_FUNCTION_SET_ATTRIBUTE);                                                         \
	each(RING_FUNCTION_PARAMETER);                                                             \
	each(RING_LAUNCH);                                                                         \
	each(RING_STREAM_CREATE);                                                                  \
	each(RING_STREAM_DESTROY);                                                                 \
	each(RING_STREAM_QUERY);                                                                   \
	each(RING_STREAM_SYNCHRONIZE);                                                             \
	each(RING_STREAM_WAIT_EVENT);                                                              \
	each(RING_EVENT_CREATE);                                                                   \
	each(RING_EVENT_DESTROY);                                                                  \
	each(RING_EVENT_RECORD);                                                                   \
	each(RING_EVENT_QUERY);                                                                    \
	each(RING_EVENT_SYNCHRONIZE);                                                              \
	each(RING_EVENT_ELAPSED);                                                                  \
	each(RING_CONTEXT_SYNCHRONIZE);                                                            \
	each(SUBMIT_NO_REPLY);                                                                     \
	each(MEMORY_QUOTA)
#define REMEMBER(name)                                                                             \
	enum {                                                                                     \
		HOST_##name = VGPU_##name                                                          \
	}
REPEATED(REMEMBER);

#include "guest-agent/channel.h"
#include "guest-agent/last_error.h"

#define AGREE(name) VGPU_STATIC_ASSERT(HOST_##name == VGPU_##name, "ring.h has another " #name)
REPEATED(AGREE);

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
			return channel_operation_error(&operations[i], "an operation");
	}
	return VGPU_OK;
}
