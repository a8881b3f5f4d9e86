/* SPDX-License-Identifier: Apache-2.0 */
/* What the registers and the worker say of the vGPU. */
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "guest-agent/handle.h"
#include "guest-agent/last_error.h"

static uint32_t reg32(struct vgpu *vgpu, uint32_t offset)
{
	return vgpu->transport->ops->read(vgpu->transport, offset);
}

static uint64_t reg64(struct vgpu *vgpu, uint32_t offset)
{
	return reg32(vgpu, offset) | (uint64_t)reg32(vgpu, offset + 4) << 32;
}

static void reg_bytes(struct vgpu *vgpu, uint32_t offset, void *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 4)
		vgpu_store32((uint8_t *)bytes + i, reg32(vgpu, offset + i));
}

/* A name's last byte is a terminator, whatever the device says. */
static void reg_name(struct vgpu *vgpu, uint32_t offset, char *name, uint32_t size)
{
	reg_bytes(vgpu, offset, name, size);
	name[size - 1] = '\0';
}

static void read_quotas(struct vgpu *vgpu, struct vgpu_info_quotas *quotas)
{
	quotas->gpu_memory_bytes = reg64(vgpu, VGPU_REG_QUOTA_MEMORY);
	quotas->window_bytes = reg64(vgpu, VGPU_REG_QUOTA_WINDOW);
	quotas->gpu_time_guaranteed_percent = reg32(vgpu, VGPU_REG_QUOTA_TIME_GUARANTEED);
	quotas->gpu_time_max_percent = reg32(vgpu, VGPU_REG_QUOTA_TIME_MAX);
	quotas->requests_per_second = reg32(vgpu, VGPU_REG_QUOTA_REQUESTS_PER_SEC);
	quotas->burst = reg32(vgpu, VGPU_REG_QUOTA_BURST);
	quotas->queue_depth = reg32(vgpu, VGPU_REG_QUOTA_QUEUE_DEPTH);
	quotas->channels = reg32(vgpu, VGPU_REG_QUOTA_CHANNELS);
	quotas->longest_job_ms = reg32(vgpu, VGPU_REG_QUOTA_LONGEST_JOB);
}

static void read_usage(struct vgpu *vgpu, struct vgpu_info_usage *usage)
{
	usage->gpu_memory_bytes = reg64(vgpu, VGPU_REG_USED_MEMORY);
	usage->window_bytes = reg64(vgpu, VGPU_REG_USED_WINDOW);
	usage->gpu_time_ns = reg64(vgpu, VGPU_REG_USED_TIME);
	usage->jobs_completed = reg64(vgpu, VGPU_REG_JOBS_COMPLETED);
	usage->jobs_failed = reg64(vgpu, VGPU_REG_JOBS_FAILED);
}

static void read_registers(struct vgpu *vgpu, struct vgpu_info *info)
{
	uint8_t uuid[16];

	info->pool_id = (char)reg32(vgpu, VGPU_REG_POOL_ID);
	info->priority = reg32(vgpu, VGPU_REG_PRIORITY);
	info->vm_id = reg32(vgpu, VGPU_REG_VM_ID);
	info->protocol_version = reg32(vgpu, VGPU_REG_PROTOCOL_VER);
	info->capabilities = reg32(vgpu, VGPU_REG_CAPABILITIES);
	info->link_state = reg32(vgpu, VGPU_REG_LINK_STATE);
	info->generation = reg32(vgpu, VGPU_REG_GENERATION);
	info->worker_state = reg32(vgpu, VGPU_REG_WORKER_STATE);
	info->channels = reg32(vgpu, VGPU_REG_CHANNELS);
	info->window_bytes = reg64(vgpu, VGPU_REG_WINDOW_SIZE_LO);
	info->quarantined = reg32(vgpu, VGPU_REG_QUARANTINED);
	read_quotas(vgpu, &info->quotas);
	read_usage(vgpu, &info->usage);
	reg_name(vgpu, VGPU_REG_GPU_NAME, info->gpu_name, sizeof(info->gpu_name));
	reg_name(vgpu, VGPU_REG_POOL_NAME, info->pool_name, sizeof(info->pool_name));
	reg_name(vgpu, VGPU_REG_VM_NAME, info->vm_name, sizeof(info->vm_name));
	reg_bytes(vgpu, VGPU_REG_VM_UUID, uuid, sizeof(uuid));
	vgpu_uuid_format(uuid, info->vm_uuid);
}

enum vgpu_result vgpu_get_info(struct vgpu *vgpu, struct vgpu_info *info)
{
	struct transport *transport = vgpu->transport;
	uint32_t before, after;
	int64_t deadline;

	HANDLE_LOCK(vgpu);

	memset(info, 0, sizeof(*info));
	snprintf(info->transport, sizeof(info->transport), "%s", transport->name);
	if (transport->ops->refresh)
		transport->ops->refresh(transport);
	deadline = vgpu_now_ns() + vgpu->timeout_ns;
	after = reg32(vgpu, VGPU_REG_CONFIG_SEQUENCE);
	/* The host tells changes at most some ten times a second, so this settles at once. */
	do {
		before = after;
		if (mailbox_device_gone(transport, before))
			return last_error_set(VGPU_E_GONE,
					      "the vGPU no longer answers: it was unplugged");
		if (vgpu_now_ns() >= deadline)
			return last_error_set(VGPU_E_TIMEOUT,
					      "the vGPU's registers did not settle within the "
					      "timeout");
		read_registers(vgpu, info);
		after = reg32(vgpu, VGPU_REG_CONFIG_SEQUENCE);
	} while (before != after);
	return VGPU_OK;
}

enum vgpu_result vgpu_device_info(struct vgpu *vgpu, struct vgpu_device_info *info)
{
	const struct mailbox_request request = { .opcode = VGPU_OP_GET_DEVICE_INFO };
	struct mailbox_response response;
	enum vgpu_result result;
	const uint32_t *words = response.results;
	size_t length;

	HANDLE_LOCK(vgpu);

	memset(info, 0, sizeof(*info));
	result = handle_call(vgpu, &request, &response);
	if (result == VGPU_OK)
		result = handle_expect(&response, VGPU_INFO_WORDS);
	if (result != VGPU_OK)
		return last_error_prefix(result, "asking for the GPU");
	info->backend = words[VGPU_INFO_BACKEND];
	info->multiprocessors = words[VGPU_INFO_MULTIPROCESSORS];
	info->memory_total_bytes =
		words[VGPU_INFO_MEMORY_TOTAL_LO] | (uint64_t)words[VGPU_INFO_MEMORY_TOTAL_HI] << 32;
	info->memory_free_bytes =
		words[VGPU_INFO_MEMORY_FREE_LO] | (uint64_t)words[VGPU_INFO_MEMORY_FREE_HI] << 32;
	info->max_threads_per_block = words[VGPU_INFO_MAX_THREADS_PER_BLOCK];
	info->compute_major = words[VGPU_INFO_COMPUTE_CAPABILITY] >> 16;
	info->compute_minor = words[VGPU_INFO_COMPUTE_CAPABILITY] & 0xffff;
	length = response.data_length < sizeof(info->name) ? response.data_length
							   : sizeof(info->name) - 1;
	memcpy(info->name, response.data, length);
	return VGPU_OK;
}
