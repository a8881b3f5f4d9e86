/* SPDX-License-Identifier: Apache-2.0 */
/* Modules, functions, and launching them. */
#include <inttypes.h>
#include <string.h>

#include "guest-agent/channel.h"
#include "guest-agent/last_error.h"

/*
 * Runs an operation whose argument[at] and [at + 1] are a text or image in the window: through a
 * chunk, or through the program's part of the window where it is larger.
 */
static enum vgpu_result call_with(struct vgpu_channel *channel, struct vgpu_operation *operation,
				  unsigned int at, const void *bytes, uint64_t length,
				  const char *what)
{
	struct channel_chunk *chunk;
	enum vgpu_result result;

	operation->argument[at + 1] = length;
	if (length > channel->chunk_bytes) {
		void *memory;

		result = vgpu_host_alloc(channel, length, &memory);
		if (result != VGPU_OK)
			return last_error_prefix(result, "%s", what);
		operation->argument[at] = (uint64_t)((uint8_t *)memory - channel->window);
		channel_write(channel, operation->argument[at], bytes, length);
		result = channel_call(channel, operation, what);
		/* After a time-out the worker may still read it: it stays taken. */
		if (result != VGPU_E_TIMEOUT)
			vgpu_host_free(channel, memory);
		return result;
	}
	result = channel_chunk_take(channel, &chunk, channel_timeout(channel));
	if (result != VGPU_OK)
		return last_error_prefix(result, "%s", what);
	operation->argument[at] = chunk->offset;
	channel_write(channel, chunk->offset, bytes, length);
	chunk->operations[CHUNK_FENCE] = *operation;
	result = channel_chunk_call(channel, chunk, what);
	memcpy(operation->result, chunk->operations[CHUNK_FENCE].result, sizeof(operation->result));
	channel_chunk_done(channel, chunk);
	return result;
}

enum vgpu_result vgpu_channel_module_load(struct vgpu_channel *channel, const void *image,
					  uint64_t bytes, vgpu_module *module)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_MODULE_LOAD };
	enum vgpu_result result;

	*module = 0;
	result = call_with(channel, &operation, 0, image, bytes, "loading a module");
	if (result == VGPU_OK) {
		*module = (vgpu_module)operation.result[0];
		channel_object_made(channel);
	}
	return result;
}

enum vgpu_result vgpu_channel_module_builtin(struct vgpu_channel *channel, vgpu_module *module)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_MODULE_BUILTIN };
	enum vgpu_result result = channel_call(channel, &operation, "loading the built-in kernels");

	*module = result == VGPU_OK ? (vgpu_module)operation.result[0] : 0;
	if (result == VGPU_OK)
		channel_object_made(channel);
	return result;
}

enum vgpu_result vgpu_channel_module_unload(struct vgpu_channel *channel, vgpu_module module)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_MODULE_UNLOAD,
					    .argument = { module } };

	return channel_destroy(channel, &operation, "unloading a module");
}

enum vgpu_result vgpu_channel_module_function(struct vgpu_channel *channel, vgpu_module module,
					      const char *name, vgpu_function *function)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_MODULE_FUNCTION,
					    .argument = { module } };
	enum vgpu_result result;

	*function = 0;
	result = call_with(channel, &operation, 1, name, strlen(name), "looking up a kernel");
	if (result != VGPU_OK)
		return last_error_prefix(result, "%.100s", name);
	*function = (vgpu_function)operation.result[0];
	return VGPU_OK;
}

enum vgpu_result vgpu_channel_module_global(struct vgpu_channel *channel, vgpu_module module,
					    const char *name, vgpu_pointer *pointer,
					    uint64_t *bytes)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_MODULE_GLOBAL,
					    .argument = { module } };
	enum vgpu_result result;

	*pointer = 0;
	*bytes = 0;
	result = call_with(channel, &operation, 1, name, strlen(name), "looking up a variable");
	if (result != VGPU_OK)
		return last_error_prefix(result, "%.100s", name);
	*pointer = operation.result[0];
	*bytes = operation.result[1];
	return VGPU_OK;
}

enum vgpu_result vgpu_channel_function_attribute(struct vgpu_channel *channel,
						 vgpu_function function, uint32_t attribute,
						 int32_t *value)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_FUNCTION_ATTRIBUTE,
					    .argument = { function, attribute } };
	enum vgpu_result result =
		channel_call(channel, &operation, "asking for a kernel's attribute");

	*value = result == VGPU_OK ? (int32_t)operation.result[0] : 0;
	return result;
}

enum vgpu_result vgpu_channel_function_set_attribute(struct vgpu_channel *channel,
						     vgpu_function function, uint32_t attribute,
						     int32_t value)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_FUNCTION_SET_ATTRIBUTE,
					    .argument = { function, attribute,
							  (uint64_t)(int64_t)value } };

	return channel_call(channel, &operation, "setting a kernel's attribute");
}

enum vgpu_result vgpu_channel_function_parameter(struct vgpu_channel *channel,
						 vgpu_function function, uint32_t index,
						 uint64_t *offset, uint64_t *bytes)
{
	struct vgpu_operation operation = { .opcode = VGPU_RING_FUNCTION_PARAMETER,
					    .argument = { function, index } };
	enum vgpu_result result =
		channel_call(channel, &operation, "asking for a kernel's parameter");

	*offset = result == VGPU_OK ? operation.result[0] : 0;
	*bytes = result == VGPU_OK ? operation.result[1] : 0;
	return result;
}

enum vgpu_result vgpu_channel_launch(struct vgpu_channel *channel, vgpu_function function,
				     const uint32_t grid[3], const uint32_t block[3],
				     uint32_t shared_bytes, vgpu_stream stream,
				     const void *parameters, size_t parameter_bytes)
{
	struct vgpu_launch launch = {
		.function = function,
		.stream = stream,
		.grid = { grid[0], grid[1], grid[2] },
		.block = { (uint16_t)block[0], (uint16_t)block[1], (uint16_t)block[2] },
		.parameter_bytes = (uint16_t)parameter_bytes,
		.shared_bytes = shared_bytes,
	};
	struct vgpu_operation operation = {
		.opcode = VGPU_RING_LAUNCH,
		.flags = channel->check ? 0 : VGPU_SUBMIT_NO_REPLY,
	};
	int64_t timeout_ns = channel_timeout(channel);
	enum vgpu_result result;

	/* What has no place in the ring. */
	if (parameter_bytes > VGPU_PARAMETERS_MAX)
		return last_error_set(VGPU_E_ARGUMENT,
				      "vgpu_channel_launch: %zu bytes of parameters, and %u fit",
				      parameter_bytes, VGPU_PARAMETERS_MAX);
	for (int i = 0; i < 3; i++) {
		if (block[i] > UINT16_MAX)
			return channel_cuda_error(1, "launching a kernel");
	}
	result = channel_submit_launch(channel, &operation, &launch, parameters, timeout_ns);
	if (result == VGPU_OK)
		result = channel_wait(channel, &operation, timeout_ns);
	if (result != VGPU_OK) {
		channel_detach(channel, &operation);
		return last_error_prefix(result, "launching a kernel");
	}
	return operation.status ? channel_operation_error(&operation, "launching a kernel")
				: VGPU_OK;
}
