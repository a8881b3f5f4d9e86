/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory: allocating, freeing, copying. */
#include <string.h>

#include "guest-agent/handle.h"
#include "guest-agent/last_error.h"

/* The most that one request carries to the device, and one response from it; whole words. */
#define CHUNK_TO_DEVICE	  VGPU_MAILBOX_DATA_MAX(VGPU_PARAMS_COPY_HTOD)
#define CHUNK_FROM_DEVICE VGPU_MAILBOX_DATA_MAX(0)

static uint32_t low(uint64_t value)
{
	return (uint32_t)value;
}

static uint32_t high(uint64_t value)
{
	return (uint32_t)(value >> 32);
}

enum vgpu_result vgpu_mem_alloc(struct vgpu *vgpu, uint64_t bytes, vgpu_pointer *pointer)
{
	const uint32_t params[VGPU_PARAMS_MEMORY_ALLOC] = { low(bytes), high(bytes) };
	const struct mailbox_request request = { .opcode = VGPU_OP_MEMORY_ALLOC,
						 .params = params,
						 .param_count = VGPU_PARAMS_MEMORY_ALLOC };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(vgpu);

	*pointer = 0;
	result = handle_reserve(vgpu);
	if (result == VGPU_OK)
		result = handle_call_memory(vgpu, &request, &response);
	if (result == VGPU_OK)
		result = handle_expect(&response, 2);
	if (result != VGPU_OK)
		return last_error_prefix(result, "allocating %llu bytes of device memory",
					 (unsigned long long)bytes);
	*pointer = response.results[0] | (uint64_t)response.results[1] << 32;
	handle_remember(vgpu, *pointer);
	return VGPU_OK;
}

enum vgpu_result vgpu_mem_free(struct vgpu *vgpu, vgpu_pointer pointer)
{
	const uint32_t params[VGPU_PARAMS_MEMORY_FREE] = { low(pointer), high(pointer) };
	const struct mailbox_request request = { .opcode = VGPU_OP_MEMORY_FREE,
						 .params = params,
						 .param_count = VGPU_PARAMS_MEMORY_FREE };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(vgpu);

	if (!pointer)
		return VGPU_OK;
	result = handle_call_memory(vgpu, &request, &response);
	if (result != VGPU_OK)
		return last_error_prefix(result, "freeing device memory");
	handle_forget(vgpu, pointer);
	return VGPU_OK;
}

static enum vgpu_result copy_chunk_to(struct vgpu *vgpu, vgpu_pointer destination,
				      const void *source, uint32_t bytes)
{
	const uint32_t params[VGPU_PARAMS_COPY_HTOD] = { VGPU_COPY_HOST_TO_DEVICE, low(destination),
							 high(destination) };
	const struct mailbox_request request = { .opcode = VGPU_OP_MEMORY_COPY,
						 .params = params,
						 .param_count = VGPU_PARAMS_COPY_HTOD,
						 .data = source,
						 .data_length = bytes };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(vgpu);

	result = handle_call_memory(vgpu, &request, &response);
	return result == VGPU_OK ? VGPU_OK : last_error_prefix(result, "copying to the device");
}

static enum vgpu_result copy_chunk_from(struct vgpu *vgpu, void *destination, vgpu_pointer source,
					uint32_t bytes)
{
	const uint32_t params[VGPU_PARAMS_COPY_DTOH] = { VGPU_COPY_DEVICE_TO_HOST, low(source),
							 high(source), bytes };
	const struct mailbox_request request = { .opcode = VGPU_OP_MEMORY_COPY,
						 .params = params,
						 .param_count = VGPU_PARAMS_COPY_DTOH };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(vgpu);

	result = handle_call_memory(vgpu, &request, &response);
	if (result == VGPU_OK && response.data_length != bytes)
		result = last_error_set(VGPU_E_PROTOCOL, "the vGPU answered %u bytes, not %u",
					response.data_length, bytes);
	if (result != VGPU_OK)
		return last_error_prefix(result, "copying from the device");
	memcpy(destination, response.data, bytes);
	return VGPU_OK;
}

enum vgpu_result vgpu_copy_to_device(struct vgpu *vgpu, vgpu_pointer destination,
				     const void *source, size_t bytes)
{
	const char *from = source;

	while (bytes) {
		uint32_t chunk = bytes < CHUNK_TO_DEVICE ? (uint32_t)bytes : CHUNK_TO_DEVICE;
		enum vgpu_result result = copy_chunk_to(vgpu, destination, from, chunk);

		if (result != VGPU_OK)
			return result;
		destination += chunk;
		from += chunk;
		bytes -= chunk;
	}
	return VGPU_OK;
}

enum vgpu_result vgpu_copy_from_device(struct vgpu *vgpu, void *destination, vgpu_pointer source,
				       size_t bytes)
{
	char *to = destination;

	while (bytes) {
		uint32_t chunk = bytes < CHUNK_FROM_DEVICE ? (uint32_t)bytes : CHUNK_FROM_DEVICE;
		enum vgpu_result result = copy_chunk_from(vgpu, to, source, chunk);

		if (result != VGPU_OK)
			return result;
		source += chunk;
		to += chunk;
		bytes -= chunk;
	}
	return VGPU_OK;
}

enum vgpu_result vgpu_copy_on_device(struct vgpu *vgpu, vgpu_pointer destination,
				     vgpu_pointer source, uint64_t bytes)
{
	const uint32_t params[VGPU_PARAMS_COPY_DTOD] = { VGPU_COPY_DEVICE_TO_DEVICE,
							 low(destination),
							 high(destination),
							 low(source),
							 high(source),
							 low(bytes),
							 high(bytes) };
	const struct mailbox_request request = { .opcode = VGPU_OP_MEMORY_COPY,
						 .params = params,
						 .param_count = VGPU_PARAMS_COPY_DTOD };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(vgpu);

	if (!bytes)
		return VGPU_OK;
	result = handle_call_memory(vgpu, &request, &response);
	return result == VGPU_OK ? VGPU_OK : last_error_prefix(result, "copying on the device");
}
