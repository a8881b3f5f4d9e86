/* SPDX-License-Identifier: Apache-2.0 */
/* What the GPU is, and its memory. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "guest-agent/channel.h"
#include "guest-agent/last_error.h"

enum vgpu_result vgpu_channel_nop(struct vgpu_channel *channel)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_NOP };

	return channel_call(channel, &operation, "no-op");
}

static void read_record(const struct vgpu_device_record *record, struct vgpu_device_info *info)
{
	uint32_t capability = le32toh(record->compute_capability);

	info->backend = le32toh(record->backend);
	info->multiprocessors = le32toh(record->multiprocessors);
	info->max_threads_per_block = le32toh(record->max_threads_per_block);
	info->compute_major = capability >> 16;
	info->compute_minor = capability & 0xffff;
	info->memory_total_bytes = le64toh(record->memory_bytes);
	info->memory_free_bytes = le64toh(record->memory_free);
	memcpy(info->name, record->name, sizeof(info->name));
	info->name[sizeof(info->name) - 1] = '\0';
}

enum vgpu_result vgpu_channel_device_info(struct vgpu_channel *channel,
					  struct vgpu_device_info *info)
{
	struct vgpu_device_record record;
	struct channel_chunk *chunk;
	enum vgpu_result result;

	memset(info, 0, sizeof(*info));
	result = channel_chunk_take(channel, &chunk, channel_timeout(channel));
	if (result != VGPU_OK)
		return result;
	chunk->operations[CHUNK_FENCE] = (struct vgpu_operation){
		.opcode = VGPU_RING_DEVICE_INFO,
		.argument = { chunk->offset, sizeof(record) },
	};
	result = channel_chunk_call(channel, chunk, "asking for the GPU");
	if (result == VGPU_OK) {
		channel_read(channel, &record, chunk->offset, sizeof(record));
		read_record(&record, info);
	}
	channel_chunk_done(channel, chunk);
	return result;
}

enum vgpu_result vgpu_channel_device_attribute(struct vgpu_channel *channel, uint32_t attribute,
					       int32_t *value)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_DEVICE_ATTRIBUTE,
					    .argument = { attribute } };
	enum vgpu_result result = channel_call(channel, &operation, "asking for an attribute");

	*value = result == VGPU_OK ? (int32_t)operation.result[0] : 0;
	return result;
}

enum vgpu_result vgpu_channel_mem_alloc(struct vgpu_channel *channel, uint64_t bytes,
					vgpu_pointer *pointer)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_MEM_ALLOC, .argument = { bytes } };
	enum vgpu_result result;
	char what[64];

	result = channel_call(channel, &operation, "allocating");
	*pointer = result == VGPU_OK ? operation.result[0] : 0;
	if (result == VGPU_OK)
		channel_object_made(channel);
	if (result == VGPU_E_CUDA) {
		snprintf(what, sizeof(what), "allocating %" PRIu64 " bytes of device memory",
			 bytes);
		return channel_operation_error(&operation, what);
	}
	return result;
}

enum vgpu_result vgpu_channel_mem_free(struct vgpu_channel *channel, vgpu_pointer pointer)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_MEM_FREE, .argument = { pointer } };

	enum vgpu_result result;

	if (!pointer)
		return VGPU_OK;
	result = channel_call_wait(channel, &operation, "freeing device memory");
	/* It is, also where an earlier operation's error is told here. */
	if ((result == VGPU_OK || result == VGPU_E_CUDA) && !operation.status)
		channel_object_gone(channel);
	return result;
}

enum vgpu_result vgpu_channel_mem_info(struct vgpu_channel *channel, uint64_t *free_bytes,
				       uint64_t *total_bytes)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_MEM_INFO };
	enum vgpu_result result = channel_call(channel, &operation, "asking for device memory");

	*free_bytes = result == VGPU_OK ? operation.result[0] : 0;
	*total_bytes = result == VGPU_OK ? operation.result[1] : 0;
	return result;
}

enum vgpu_result vgpu_channel_mem_set(struct vgpu_channel *channel, vgpu_pointer pointer,
				      uint32_t value, uint32_t width, uint64_t count,
				      vgpu_stream stream)
{
	struct vgpu_operation operation = {
		.opcode = VGPU_RING_MEM_SET,
		.argument = { pointer, value, count, width, stream },
	};

	if (width != 1 && width != 2 && width != 4)
		return last_error_set(VGPU_E_ARGUMENT,
				      "vgpu_channel_mem_set: a width of %u: not 1, 2 or 4", width);
	/* As CUDA's: what is above the width is not looked at. */
	if (width < 4)
		operation.argument[1] &= (1u << (8 * width)) - 1;
	return channel_start(channel, &operation, "setting device memory");
}
