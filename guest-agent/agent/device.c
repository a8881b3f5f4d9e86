/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/device.h"

/* Copied between two looks at whether a signal came. */
#define MAILBOX_AT_ONCE ((size_t)256 << 10)
#define CHANNEL_AT_ONCE ((size_t)64 << 20)

/* The agent's own buffers are not in it: it only sets the size of the chunks that they go through.
 */
#define WINDOW_BYTES ((uint64_t)8 << 20)

enum vgpu_result device_open(struct device *device, const struct agent *agent, bool mailbox)
{
	struct vgpu_info info;
	enum vgpu_result result;

	*device = (struct device){ 0 };
	result = agent_open(agent, 0, &device->vgpu);
	if (result == VGPU_OK)
		result = vgpu_get_info(device->vgpu, &info);
	if (result == VGPU_OK && !mailbox && info.capabilities & VGPU_CAP_CHANNELS)
		result = vgpu_channel_open(device->vgpu, 0, WINDOW_BYTES, 0, &device->channel);
	return result;
}

void device_close(struct device *device)
{
	vgpu_channel_close(device->channel);
	vgpu_close(device->vgpu);
	*device = (struct device){ 0 };
}

enum vgpu_result device_info(struct device *device, struct vgpu_device_info *info)
{
	return device->channel ? vgpu_channel_device_info(device->channel, info)
			       : vgpu_device_info(device->vgpu, info);
}

enum vgpu_result device_alloc(struct device *device, size_t bytes, vgpu_pointer *pointer)
{
	return device->channel ? vgpu_channel_mem_alloc(device->channel, bytes, pointer)
			       : vgpu_mem_alloc(device->vgpu, bytes, pointer);
}

static size_t at_once(const struct device *device, size_t left)
{
	size_t most = device->channel ? CHANNEL_AT_ONCE : MAILBOX_AT_ONCE;

	return left < most ? left : most;
}

enum vgpu_result device_copy_in(struct device *device, vgpu_pointer to, const void *from,
				size_t bytes)
{
	enum vgpu_result result = VGPU_OK;

	for (size_t at = 0; at < bytes && !agent_caught && result == VGPU_OK;) {
		size_t count = at_once(device, bytes - at);
		const char *source = (const char *)from + at;

		result = device->channel
				 ? vgpu_channel_copy_to_device(device->channel, to + at, source,
							       count)
				 : vgpu_copy_to_device(device->vgpu, to + at, source, count);
		at += count;
	}
	return result;
}

enum vgpu_result device_copy_out(struct device *device, void *to, vgpu_pointer from, size_t bytes)
{
	enum vgpu_result result = VGPU_OK;

	for (size_t at = 0; at < bytes && !agent_caught && result == VGPU_OK;) {
		size_t count = at_once(device, bytes - at);
		char *target = (char *)to + at;

		result = device->channel
				 ? vgpu_channel_copy_from_device(device->channel, target, from + at,
								 count)
				 : vgpu_copy_from_device(device->vgpu, target, from + at, count);
		at += count;
	}
	return result;
}

static enum vgpu_result run_on_channel(struct device *device, const char *kernel,
				       const uint32_t grid[3], const uint32_t block[3],
				       const void *arguments, size_t argument_bytes)
{
	enum vgpu_result result = VGPU_OK;
	vgpu_function function;

	if (!device->builtin)
		result = vgpu_channel_module_builtin(device->channel, &device->builtin);
	if (result == VGPU_OK)
		result = vgpu_channel_module_function(device->channel, device->builtin, kernel,
						      &function);
	if (result == VGPU_OK)
		result = vgpu_channel_launch(device->channel, function, grid, block, 0, 0,
					     arguments, argument_bytes);
	return result == VGPU_OK ? vgpu_channel_synchronize(device->channel) : result;
}

enum vgpu_result device_run(struct device *device, const char *kernel, uint32_t blocks,
			    uint32_t threads, const void *arguments, size_t argument_bytes)
{
	const uint32_t grid[3] = { blocks, 1, 1 }, block[3] = { threads, 1, 1 };

	if (device->channel)
		return run_on_channel(device, kernel, grid, block, arguments, argument_bytes);
	return vgpu_launch(device->vgpu, kernel, grid, block, 0, arguments, argument_bytes, 0);
}
