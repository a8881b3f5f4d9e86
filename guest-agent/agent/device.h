/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory and kernels, by a channel where the vGPU has them, else by the mailbox. */
#ifndef VGPU_AGENT_DEVICE_H
#define VGPU_AGENT_DEVICE_H

#include "guest-agent/agent/agent.h"

struct device {
	struct vgpu *vgpu;
	struct vgpu_channel *channel; /* NULL: the mailbox */
	vgpu_module builtin;
};

/* mailbox: even where there are channels. What fails is closed with device_close(), too. */
enum vgpu_result device_open(struct device *device, const struct agent *agent, bool mailbox);

/* Frees all that was allocated. Fine to call twice. */
void device_close(struct device *device);
#define DEVICE_AUTO VGPU_CLEANUP(device_close)

enum vgpu_result device_info(struct device *device, struct vgpu_device_info *info);
enum vgpu_result device_alloc(struct device *device, size_t bytes, vgpu_pointer *pointer);

/* VGPU_OK with agent_caught set, and the copy not done, where a signal came: the caller looks. */
enum vgpu_result device_copy_in(struct device *device, vgpu_pointer to, const void *from,
				size_t bytes);
enum vgpu_result device_copy_out(struct device *device, void *to, vgpu_pointer from, size_t bytes);

/* Runs a built-in kernel of one dimension, and waits for it. */
enum vgpu_result device_run(struct device *device, const char *kernel, uint32_t blocks,
			    uint32_t threads, const void *arguments, size_t argument_bytes);

#endif
