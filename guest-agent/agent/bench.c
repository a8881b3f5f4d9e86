/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "guest-agent/agent/agent.h"
#include "guest-agent/agent/json.h"
#include "guest-agent/agent/percentile.h"

/* The first requests start the worker and warm caches; they are not counted. */
#define WARM_UP 100

static const struct {
	const char *name;
	unsigned int per_mille;
} figures[] = {
	{ "min", 0 }, { "p50", 500 }, { "p99", 990 }, { "p99.9", 999 }, { "max", 1000 },
};

static enum vgpu_result measure(struct vgpu *vgpu, int64_t *times, size_t count)
{
	for (size_t i = 0; i < WARM_UP + count; i++) {
		int64_t start = vgpu_now_ns();
		enum vgpu_result result = vgpu_nop(vgpu);

		if (result != VGPU_OK)
			return result;
		if (i >= WARM_UP)
			times[i - WARM_UP] = vgpu_now_ns() - start;
	}
	return VGPU_OK;
}

static void report(const struct agent *agent, const int64_t *sorted, size_t count)
{
	struct json json = { .stream = stdout };

	if (agent->json) {
		json_begin(&json, NULL);
		json_text(&json, "benchmark", "mailbox no-op round trip");
		json_text(&json, "unit", "us");
		json_unsigned(&json, "count", count);
	} else {
		printf("mailbox no-op round trip, %zu requests\n", count);
	}
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		double us = (double)percentile_of(sorted, count, figures[i].per_mille) /
			    (double)VGPU_NS_PER_US;

		if (agent->json)
			json_decimal(&json, figures[i].name, us, 3);
		else
			printf("  %-6s %12.2f us\n", figures[i].name, us);
	}
	if (agent->json)
		json_finish(&json);
}

static int bench_run(struct agent *agent, int argc, char **argv)
{
	static const struct option options[] = {
		AGENT_LONG_OPTIONS,
		{ "count", required_argument, NULL, 'n' },
		{ 0 },
	};
	AGENT_AUTO_CLOSE struct vgpu *vgpu = NULL;
	VGPU_AUTO_FREE int64_t *times = NULL;
	enum vgpu_result result;
	long long count = 1000;
	bool done = false;
	int option;

	while ((option = getopt_long(argc, argv, AGENT_SHORT_OPTIONS "n:", options, NULL)) != -1) {
		int status = 0;

		if (option != 'n')
			status = agent_option(agent, option, &command_bench, &done);
		else if ((count = agent_number(optarg, 1, 10000000)) < 0)
			return agent_fail(agent, EX_USAGE,
					  "bench: --count: '%s' is not a number from 1 to 10000000",
					  optarg);
		if (done)
			return status;
	}
	if (optind < argc)
		return agent_fail(agent, EX_USAGE, "bench: '%s' is one argument too many",
				  argv[optind]);
	times = calloc((size_t)count, sizeof(*times));
	if (!times)
		return agent_fail(agent, EX_OSERR, "out of memory");
	result = vgpu_open(agent->transport, VGPU_OPEN_OBSERVE, agent->timeout_ms, &vgpu);
	if (result == VGPU_OK)
		result = measure(vgpu, times, (size_t)count);
	if (result != VGPU_OK)
		return agent_fail_result(agent, result);
	percentile_sort(times, (size_t)count);
	report(agent, times, (size_t)count);
	return EX_OK;
}

const struct command command_bench = {
	.name = "bench",
	.summary = "measure the round trip of requests that do nothing",
	.usage =
		"Usage: vgpu-agent bench [-n COUNT]\n"
		"Measures how long requests that do nothing take, one after the other, to the "
		"VM's\n"
		"worker and back: minimum, percentiles and maximum in microseconds. The first 100\n"
		"requests are not counted.\n"
		"\n"
		"  -n, --count=COUNT          how many (default: 1000)\n",
	.run = bench_run,
};
