/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "common/clock.h"
#include "guest-agent/agent/agent.h"
#include "guest-agent/agent/json.h"

static void report(const struct agent *agent, long long count, int64_t elapsed_ns)
{
	double us = (double)elapsed_ns / (double)VGPU_NS_PER_US;
	struct json json = { .stream = stdout };

	if (!agent->json) {
		printf("%lld no-op%s answered in %.1f us\n", count, count == 1 ? "" : "s", us);
		return;
	}
	json_begin(&json, NULL);
	json_unsigned(&json, "count", (uint64_t)count);
	json_decimal(&json, "elapsed_us", us, 1);
	json_finish(&json);
}

static int nop_run(struct agent *agent, int argc, char **argv)
{
	static const struct option options[] = {
		AGENT_LONG_OPTIONS,
		{ "count", required_argument, NULL, 'n' },
		{ 0 },
	};
	AGENT_AUTO_CLOSE struct vgpu *vgpu = NULL;
	enum vgpu_result result;
	long long count = 1;
	bool done = false;
	int64_t start;
	int option;

	while ((option = getopt_long(argc, argv, AGENT_SHORT_OPTIONS "n:", options, NULL)) != -1) {
		int status = 0;

		if (option != 'n')
			status = agent_option(agent, option, &command_nop, &done);
		else if ((count = agent_number(optarg, 1, 1000000000)) < 0)
			return agent_fail(agent, EX_USAGE,
					  "nop: --count: '%s' is not a number from 1 to 1000000000",
					  optarg);
		if (done)
			return status;
	}
	if (optind < argc)
		return agent_fail(agent, EX_USAGE, "nop: '%s' is one argument too many",
				  argv[optind]);
	result = agent_open(agent, VGPU_OPEN_OBSERVE, &vgpu);
	start = vgpu_now_ns();
	for (long long i = 0; result == VGPU_OK && i < count; i++)
		result = vgpu_nop(vgpu);
	if (result != VGPU_OK)
		return agent_fail_result(agent, result);
	report(agent, count, vgpu_now_ns() - start);
	return EX_OK;
}

const struct command command_nop = {
	.name = "nop",
	.summary = "submit requests that do nothing",
	.usage =
		"Usage: vgpu-agent nop [-n COUNT]\n"
		"Submits requests that do nothing, one after the other, to see that the vGPU, the\n"
		"host's mediator and the VM's worker answer.\n"
		"\n"
		"  -n, --count=COUNT          how many (default: 1)\n",
	.run = nop_run,
};
