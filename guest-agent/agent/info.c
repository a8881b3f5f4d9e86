/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest-agent/agent/agent.h"
#include "guest-agent/agent/json.h"

struct capability {
	uint32_t bit;
	const char *name;
};

static const struct capability capabilities[] = {
	{ VGPU_CAP_MAILBOX, "mailbox" },
	{ VGPU_CAP_INTERRUPT, "interrupt" },
	{ VGPU_CAP_WINDOW, "window" },
	{ VGPU_CAP_CHANNELS, "channels" },
};

#define CAPABILITY_COUNT (sizeof(capabilities) / sizeof(capabilities[0]))

/* Names come from the host: no control characters for this terminal. */
static void put_name(const char *name)
{
	for (; *name; name++)
		putchar((unsigned char)*name < ' ' || *name == 0x7f ? '?' : *name);
}

static void print_name(const char *label, const char *name)
{
	printf("%-18s ", label);
	put_name(*name ? name : "-");
	putchar('\n');
}

static void print_pool(const struct vgpu_info *info)
{
	printf("%-18s ", "pool");
	put_name(*info->pool_name ? info->pool_name : "-");
	printf(" (id %c)\n", info->pool_id > ' ' && info->pool_id < 0x7f ? info->pool_id : '?');
}

static void format_bytes(uint64_t bytes, char *text, size_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (unit < 4 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, size, "%" PRIu64 " %s", bytes, units[unit]);
}

/* "4 KiB of 1 GiB", or "4 KiB, no limit". */
static void print_use(const char *label, uint64_t used, uint64_t quota)
{
	char use[32], limit[32];

	format_bytes(used, use, sizeof(use));
	format_bytes(quota, limit, sizeof(limit));
	if (quota)
		printf("%-18s %s of %s\n", label, use, limit);
	else
		printf("%-18s %s, no limit\n", label, use);
}

static void print_limit(const char *label, uint32_t value, const char *unit)
{
	if (value)
		printf("%-18s %" PRIu32 "%s\n", label, value, unit);
	else
		printf("%-18s no limit\n", label);
}

static const char *link_remark(uint32_t link_state)
{
	switch (link_state) {
	case VGPU_LINK_UP:
		return "";
	case VGPU_LINK_REFUSED:
		return ": the host's mediator refuses this device, its log says why; what follows "
		       "may be out of date";
	default:
		return ": the host's mediator does not answer; what follows may be out of date";
	}
}

static void print_table(const struct vgpu_info *info)
{
	const struct vgpu_info_quotas *quotas = &info->quotas;
	const struct vgpu_info_usage *usage = &info->usage;

	printf("%-18s %s\n", "device", info->transport);
	printf("%-18s %s%s\n", "link", vgpu_link_state_name(info->link_state),
	       link_remark(info->link_state));
	print_name("VM name", info->vm_name);
	printf("%-18s %s\n", "VM uuid", info->vm_uuid);
	printf("%-18s %" PRIu32 "\n", "VM id", info->vm_id);
	print_pool(info);
	printf("%-18s %s\n", "priority", vgpu_priority_name(info->priority));
	printf("%-18s %s\n", "worker", vgpu_worker_state_name(info->worker_state));
	printf("%-18s %s\n", "quarantine",
	       info->quarantined ? "yes: all requests are refused, until its time is over or the "
				   "host's operator releases the VM"
				 : "no");
	print_name("GPU", info->gpu_name);
	printf("%-18s %" PRIu32 "\n", "generation", info->generation);
	print_use("GPU memory", usage->gpu_memory_bytes, quotas->gpu_memory_bytes);
	print_use("window", usage->window_bytes, quotas->window_bytes);
	printf("%-18s %.3f ms used, %" PRIu32 " %% guaranteed\n", "GPU time",
	       (double)usage->gpu_time_ns / 1e6, quotas->gpu_time_guaranteed_percent);
	print_limit("GPU time at most", quotas->gpu_time_max_percent, " %");
	print_limit("request rate", quotas->requests_per_second, " a second");
	/* What comes at once is one second's worth where nothing else is said. */
	print_limit("burst", quotas->burst ? quotas->burst : quotas->requests_per_second,
		    " requests");
	print_limit("queue depth", quotas->queue_depth, " requests");
	print_limit("channels", quotas->channels, " open");
	print_limit("longest job", quotas->longest_job_ms, " ms");
	printf("%-18s %" PRIu64 " completed, %" PRIu64 " failed\n", "jobs", usage->jobs_completed,
	       usage->jobs_failed);
	printf("%-18s %" PRIu32 ".%" PRIu32 ":", "protocol", info->protocol_version >> 16,
	       info->protocol_version & 0xffff);
	for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
		if (info->capabilities & capabilities[i].bit)
			printf(" %s", capabilities[i].name);
	}
	putchar('\n');
}

static void print_json(const struct vgpu_info *info)
{
	const struct vgpu_info_quotas *quotas = &info->quotas;
	const struct vgpu_info_usage *usage = &info->usage;
	const char pool_id[2] = { info->pool_id, '\0' };
	struct json json = { .stream = stdout };

	json_begin(&json, NULL);
	json_text(&json, "device", info->transport);
	json_text(&json, "link", vgpu_link_state_name(info->link_state));
	json_text(&json, "name", info->vm_name);
	json_text(&json, "uuid", info->vm_uuid);
	json_unsigned(&json, "vm_id", info->vm_id);
	json_text(&json, "pool_id", pool_id);
	json_text(&json, "pool", info->pool_name);
	json_text(&json, "priority", vgpu_priority_name(info->priority));
	json_text(&json, "worker", vgpu_worker_state_name(info->worker_state));
	json_bool(&json, "quarantined", info->quarantined);
	json_text(&json, "gpu", info->gpu_name);
	json_unsigned(&json, "generation", info->generation);
	json_unsigned(&json, "window_bytes", info->window_bytes);
	json_begin(&json, "quotas");
	json_unsigned(&json, "gpu_memory_bytes", quotas->gpu_memory_bytes);
	json_unsigned(&json, "window_bytes", quotas->window_bytes);
	json_unsigned(&json, "gpu_time_guaranteed_percent", quotas->gpu_time_guaranteed_percent);
	json_unsigned(&json, "gpu_time_max_percent", quotas->gpu_time_max_percent);
	json_unsigned(&json, "requests_per_second", quotas->requests_per_second);
	json_unsigned(&json, "burst", quotas->burst);
	json_unsigned(&json, "queue_depth", quotas->queue_depth);
	json_unsigned(&json, "channels", quotas->channels);
	json_unsigned(&json, "longest_job_ms", quotas->longest_job_ms);
	json_end(&json);
	json_begin(&json, "usage");
	json_unsigned(&json, "gpu_memory_bytes", usage->gpu_memory_bytes);
	json_unsigned(&json, "window_bytes", usage->window_bytes);
	json_unsigned(&json, "gpu_time_ns", usage->gpu_time_ns);
	json_unsigned(&json, "jobs_completed", usage->jobs_completed);
	json_unsigned(&json, "jobs_failed", usage->jobs_failed);
	json_end(&json);
	json_begin(&json, "capabilities");
	for (size_t i = 0; i < CAPABILITY_COUNT; i++)
		json_bool(&json, capabilities[i].name, info->capabilities & capabilities[i].bit);
	json_end(&json);
	json_finish(&json);
}

static int info_run(struct agent *agent, int argc, char **argv)
{
	AGENT_AUTO_CLOSE struct vgpu *vgpu = NULL;
	enum vgpu_result result;
	struct vgpu_info info;
	bool done = false;
	int status = agent_options(agent, argc, argv, &command_info, &done);

	if (done)
		return status;
	if (optind < argc)
		return agent_fail(agent, EX_USAGE, "info: '%s' is one argument too many",
				  argv[optind]);
	result = agent_open(agent, VGPU_OPEN_OBSERVE, &vgpu);
	if (result == VGPU_OK)
		result = vgpu_get_info(vgpu, &info);
	if (result != VGPU_OK)
		return agent_fail_result(agent, result);
	if (strncmp(info.transport, "file:", 5) == 0)
		return agent_fail(agent, EX_UNAVAILABLE,
				  "info: %s is no device, and tells nothing of the VM",
				  info.transport);
	if (agent->json)
		print_json(&info);
	else
		print_table(&info);
	return EX_OK;
}

const struct command command_info = {
	.name = "info",
	.summary = "show the vGPU: its VM, pool, priority, link, quotas and use",
	.usage = "Usage: vgpu-agent info\n"
		 "Shows what the vGPU says of itself and of its VM: name, pool and priority, the\n"
		 "state of the link to the host's mediator, the GPU, quotas and use. This submits\n"
		 "nothing, and works while the link is down.\n",
	.run = info_run,
};
