/* SPDX-License-Identifier: Apache-2.0 */
/* Words for the numbers of vgpu.h and of the device. */
#include "guest-agent/public.h"

#include "config.h"

static const struct result_text {
	enum vgpu_result result;
	const char *name;
	const char *text;
} results[] = {
	{ VGPU_OK, "ok", "no error" },
	{ VGPU_E_ARGUMENT, "argument", "an argument is not valid" },
	{ VGPU_E_NO_MEMORY, "no-memory", "out of memory" },
	{ VGPU_E_NO_DEVICE, "no-device", "no such vGPU" },
	{ VGPU_E_PERMISSION, "permission", "permission denied" },
	{ VGPU_E_INCOMPATIBLE, "incompatible", "not a vGPU that this library can use" },
	{ VGPU_E_IO, "io", "input/output error" },
	{ VGPU_E_GONE, "gone", "the vGPU was unplugged" },
	{ VGPU_E_TIMEOUT, "timeout", "no answer in time" },
	{ VGPU_E_PROTOCOL, "protocol", "the vGPU's answer makes no sense" },
	{ VGPU_E_INVALID_REQUEST, "invalid-request", "invalid request" },
	{ VGPU_E_TOO_LARGE, "too-large", "the request is too large" },
	{ VGPU_E_UNAVAILABLE, "unavailable", "the host's mediator does not answer" },
	{ VGPU_E_JOB_TIMEOUT, "job-timeout", "the job ran longer than its quota allows" },
	{ VGPU_E_CUDA, "cuda", "CUDA error" },
	{ VGPU_E_INVALID_POOL, "invalid-pool", "the VM's pool has no GPU" },
	{ VGPU_E_QUEUE_FULL, "queue-full", "the VM's queue is full" },
	{ VGPU_E_UNSUPPORTED, "unsupported", "unsupported operation" },
	{ VGPU_E_ZERO_LENGTH, "zero-length", "the request has no length" },
	{ VGPU_E_RATE_LIMITED, "rate-limited", "more requests than the VM's rate limit allows" },
	{ VGPU_E_QUARANTINED, "quarantined",
	  "the VM is in quarantine, for its faults or by its operator" },
	{ VGPU_E_CHANNEL_LIMIT, "channel-limit", "no more channels are free or allowed" },
	{ VGPU_E_WINDOW_LIMIT, "window-limit", "no more window memory is free or allowed" },
	{ VGPU_E_CONTEXT_LOST, "context-lost", "the VM's device memory was lost" },
};

static const struct result_text *find_result(enum vgpu_result result)
{
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i].result == result)
			return &results[i];
	}
	return NULL;
}

const char *vgpu_result_name(enum vgpu_result result)
{
	const struct result_text *found = find_result(result);

	return found ? found->name : "unknown";
}

const char *vgpu_strerror(enum vgpu_result result)
{
	const struct result_text *found = find_result(result);

	return found ? found->text : "unknown error";
}

const char *vgpu_device_error_name(uint32_t device_error)
{
	if (device_error == VGPU_ERR_NONE)
		return "no error";
	if (device_error > 0xffu)
		return "unknown error";
	return vgpu_strerror((enum vgpu_result)(32 + device_error));
}

static const char *pick(const char *const *names, size_t count, uint32_t index)
{
	return index < count ? names[index] : "unknown";
}

#define PICK(names, index) pick(names, sizeof(names) / sizeof((names)[0]), index)

const char *vgpu_priority_name(uint32_t priority)
{
	static const char *const names[] = { "low", "medium", "high" };

	return PICK(names, priority);
}

const char *vgpu_link_state_name(uint32_t link_state)
{
	static const char *const names[] = { "down", "connecting", "up", "refused" };

	return PICK(names, link_state);
}

const char *vgpu_worker_state_name(uint32_t worker_state)
{
	static const char *const names[] = { "none", "starting", "ready", "failed" };

	return PICK(names, worker_state);
}

const char *vgpu_backend_name(uint32_t backend)
{
	static const char *const names[] = { "none", "cpu", "cuda" };

	return PICK(names, backend);
}

const char *vgpu_version(void)
{
	return PACKAGE_VERSION;
}
