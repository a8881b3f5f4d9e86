/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/daemon.h"

#include <string.h>

#include "common/log.h"
#include "guest-agent/agent/agent.h"
#include "guest-agent/transport.h"

/* *address: NULL for all vGPUs. Returns an exit status. */
static int parse_transport(const struct agent *agent, const char **address)
{
	const char *transport = agent->transport;

	*address = NULL;
	if (!transport || strcmp(transport, "pci") == 0)
		return EX_OK;
	if (strncmp(transport, "pci:", 4) == 0) {
		*address = transport + 4;
		return EX_OK;
	}
	if (strncmp(transport, "local:", 6) == 0)
		return agent_fail(agent, EX_USAGE,
				  "daemon: '%s': a local vGPU goes with its process, and needs no "
				  "watching",
				  transport);
	return agent_fail(agent, EX_USAGE, "daemon: '%s' is not a transport: pci or pci:ADDRESS",
			  transport);
}

static int daemon_run(struct agent *agent, int argc, char **argv)
{
	const char *address;
	bool done = false;
	int status = agent_options(agent, argc, argv, &command_daemon, &done);

	if (done)
		return status;
	if (optind < argc)
		return agent_fail(agent, EX_USAGE, "daemon: '%s' is one argument too many",
				  argv[optind]);
	status = parse_transport(agent, &address);
	if (status != EX_OK)
		return status;
	vgpu_log_init("vgpu-agent", VGPU_LOG_INFO);
	if (daemon_watch(TRANSPORT_SYSFS, address, agent->timeout_ms) != VGPU_OK) {
		struct vgpu_error_detail detail;

		vgpu_last_error_detail(&detail);
		return agent_fail_result(agent, detail.result);
	}
	return EX_OK;
}

const struct command command_daemon = {
	.name = "daemon",
	.summary = "close the channels of processes that ended",
	.usage = "Usage: vgpu-agent daemon\n"
		 "Watches the channels of this virtual machine's vGPUs, and closes those whose\n"
		 "processes ended without doing so, so that the host frees what they held there.\n"
		 "It stays in the foreground until a signal ends it, and says on standard error\n"
		 "what it does. With --transport=pci:ADDRESS it watches that vGPU alone.\n",
	.run = daemon_run,
};
