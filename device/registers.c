/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* BAR0: which word of the device's state stands at which offset, and what a write to it does. */
#include "device/core_private.h"

#include "common/bytes.h"

static bool access_ok(uint64_t offset, unsigned int size)
{
	return size == 4 && offset % 4 == 0;
}

static bool within(uint64_t offset, uint64_t start, uint64_t bytes)
{
	return offset >= start && offset - start < bytes;
}

/* The word of a 64-bit register that an offset names: LO first. */
static uint32_t half(uint64_t value, uint64_t offset, uint64_t start)
{
	return (uint32_t)(offset == start ? value : value >> 32);
}

static uint32_t capabilities(const struct vgpu_core *core)
{
	return VGPU_CAP_MAILBOX | VGPU_CAP_WINDOW | VGPU_CAP_CHANNELS |
	       (core->vectors > VGPU_MSIX_MAILBOX ? VGPU_CAP_INTERRUPT : 0);
}

static uint32_t read_mailbox(const struct vgpu_core *core, uint64_t offset)
{
	const struct mailbox *mailbox = &core->mailbox;

	if (within(offset, VGPU_REG_REQUEST_BUF, VGPU_MAILBOX_BYTES))
		return vgpu_load32(mailbox->request + (offset - VGPU_REG_REQUEST_BUF));
	if (within(offset, VGPU_REG_RESPONSE_BUF, VGPU_MAILBOX_BYTES))
		return vgpu_load32(mailbox->response + (offset - VGPU_REG_RESPONSE_BUF));
	switch (offset) {
	case VGPU_REG_STATUS:
		return mailbox->status;
	case VGPU_REG_POOL_ID:
		return core->report.config.pool_id;
	case VGPU_REG_PRIORITY:
		return core->report.config.priority;
	case VGPU_REG_VM_ID:
		return core->report.config.vm_id;
	case VGPU_REG_ERROR_CODE:
		return mailbox->error_code;
	case VGPU_REG_REQUEST_LEN:
		return mailbox->request_len;
	case VGPU_REG_RESPONSE_LEN:
		return mailbox->response_len;
	case VGPU_REG_PROTOCOL_VER:
		return VGPU_PROTOCOL_VERSION;
	case VGPU_REG_CAPABILITIES:
		return capabilities(core);
	case VGPU_REG_INTERRUPT_CTRL:
		return mailbox->interrupt_ctrl;
	case VGPU_REG_INTERRUPT_STATUS:
		return mailbox->interrupt_status;
	case VGPU_REG_REQUEST_ID:
		return mailbox->request_id;
	case VGPU_REG_TIMESTAMP_LO:
	case VGPU_REG_TIMESTAMP_HI:
		return half(mailbox->timestamp_ns, offset, VGPU_REG_TIMESTAMP_LO);
	case VGPU_REG_SCRATCH:
		return mailbox->scratch;
	default:
		return 0;
	}
}

static uint32_t read_quota(const struct vgpu_link_quotas *quotas, uint64_t offset)
{
	switch (offset) {
	case VGPU_REG_QUOTA_MEMORY:
	case VGPU_REG_QUOTA_MEMORY + 4:
		return half(quotas->memory_bytes, offset, VGPU_REG_QUOTA_MEMORY);
	case VGPU_REG_QUOTA_WINDOW:
	case VGPU_REG_QUOTA_WINDOW + 4:
		return half(quotas->window_bytes, offset, VGPU_REG_QUOTA_WINDOW);
	case VGPU_REG_QUOTA_TIME_GUARANTEED:
		return quotas->time_guaranteed_percent;
	case VGPU_REG_QUOTA_TIME_MAX:
		return quotas->time_max_percent;
	case VGPU_REG_QUOTA_REQUESTS_PER_SEC:
		return quotas->requests_per_second;
	case VGPU_REG_QUOTA_BURST:
		return quotas->burst;
	case VGPU_REG_QUOTA_QUEUE_DEPTH:
		return quotas->queue_depth;
	case VGPU_REG_QUOTA_CHANNELS:
		return quotas->channels;
	case VGPU_REG_QUOTA_LONGEST_JOB:
		return quotas->longest_job_ms;
	case VGPU_REG_QUARANTINED:
		return quotas->quarantined;
	default:
		return 0;
	}
}

static uint32_t read_usage(const struct vgpu_link_usage *usage, uint64_t offset)
{
	switch (offset) {
	case VGPU_REG_USED_MEMORY:
	case VGPU_REG_USED_MEMORY + 4:
		return half(usage->memory_bytes, offset, VGPU_REG_USED_MEMORY);
	case VGPU_REG_USED_WINDOW:
	case VGPU_REG_USED_WINDOW + 4:
		return half(usage->window_bytes, offset, VGPU_REG_USED_WINDOW);
	case VGPU_REG_USED_TIME:
	case VGPU_REG_USED_TIME + 4:
		return half(usage->time_ns, offset, VGPU_REG_USED_TIME);
	case VGPU_REG_JOBS_COMPLETED:
	case VGPU_REG_JOBS_COMPLETED + 4:
		return half(usage->jobs_completed, offset, VGPU_REG_JOBS_COMPLETED);
	case VGPU_REG_JOBS_FAILED:
	case VGPU_REG_JOBS_FAILED + 4:
		return half(usage->jobs_failed, offset, VGPU_REG_JOBS_FAILED);
	default:
		return 0;
	}
}

static uint32_t read_names(const struct vgpu_link_config *config, uint64_t offset)
{
	if (within(offset, VGPU_REG_GPU_NAME, VGPU_GPU_NAME_BYTES))
		return vgpu_load32(config->gpu_name + (offset - VGPU_REG_GPU_NAME));
	if (within(offset, VGPU_REG_POOL_NAME, VGPU_POOL_NAME_BYTES))
		return vgpu_load32(config->pool_name + (offset - VGPU_REG_POOL_NAME));
	if (within(offset, VGPU_REG_VM_NAME, VGPU_VM_NAME_BYTES))
		return vgpu_load32(config->vm_name + (offset - VGPU_REG_VM_NAME));
	if (within(offset, VGPU_REG_VM_UUID, sizeof(config->uuid)))
		return vgpu_load32(config->uuid + (offset - VGPU_REG_VM_UUID));
	return 0;
}

static uint32_t read_extension(const struct vgpu_core *core, uint64_t offset)
{
	const struct report *report = &core->report;

	switch (offset) {
	case VGPU_REG_EXT_VERSION:
		return VGPU_EXT_VERSION;
	case VGPU_REG_LINK_STATE:
		return link_state(&core->link);
	case VGPU_REG_GENERATION:
		return report->generation;
	case VGPU_REG_WORKER_STATE:
		return report->config.worker_state;
	case VGPU_REG_CONFIG_SEQUENCE:
		return report->sequence;
	case VGPU_REG_CHANNELS:
		return VGPU_CHANNELS_MAX;
	case VGPU_REG_WINDOW_SIZE_LO:
	case VGPU_REG_WINDOW_SIZE_HI:
		return half(core->window_bytes, offset, VGPU_REG_WINDOW_SIZE_LO);
	default:
		break;
	}
	if (within(offset, VGPU_REG_QUOTA_MEMORY, VGPU_REG_USED_MEMORY - VGPU_REG_QUOTA_MEMORY))
		return read_quota(&report->config.quotas, offset);
	if (within(offset, VGPU_REG_USED_MEMORY, VGPU_REG_GPU_NAME - VGPU_REG_USED_MEMORY))
		return read_usage(&report->usage, offset);
	return read_names(&report->config, offset);
}

uint64_t vgpu_core_read(struct vgpu_core *core, uint64_t offset, unsigned int size)
{
	if (!access_ok(offset, size))
		return 0;
	if (offset < VGPU_REG_EXT_VERSION)
		return read_mailbox(core, offset);
	if (offset >= VGPU_REG_CHANNEL_BLOCK(0))
		return channels_read(core, offset);
	return read_extension(core, offset);
}

void vgpu_core_write(struct vgpu_core *core, uint64_t offset, uint64_t value64, unsigned int size)
{
	struct mailbox *mailbox = &core->mailbox;
	uint32_t value = (uint32_t)value64;

	if (!access_ok(offset, size))
		return;
	if (within(offset, VGPU_REG_REQUEST_BUF, VGPU_MAILBOX_BYTES)) {
		vgpu_store32(mailbox->request + (offset - VGPU_REG_REQUEST_BUF), value);
		return;
	}
	if (offset >= VGPU_REG_CHANNEL_BLOCK(0)) {
		channels_write(core, offset, value);
		return;
	}
	switch (offset) {
	case VGPU_REG_DOORBELL:
		mailbox_doorbell(core, value);
		break;
	case VGPU_REG_REQUEST_LEN:
		mailbox->request_len = value;
		break;
	case VGPU_REG_INTERRUPT_CTRL:
		mailbox->interrupt_ctrl = value & 1;
		break;
	case VGPU_REG_INTERRUPT_STATUS:
		mailbox->interrupt_status &= ~value;
		break;
	case VGPU_REG_REQUEST_ID:
		mailbox->request_id = value;
		break;
	case VGPU_REG_SCRATCH:
		mailbox->scratch = value;
		break;
	default: /* read-only or unassigned */
		break;
	}
}
