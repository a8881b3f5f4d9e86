/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "guest-agent/agent/json.h"
#include "guest-agent/agent/percentile.h"

/* The first requests start the worker and warm caches; they are not counted. */
#define WARM_UP 100

/* The window holds the vectors of the vector addition. */
#define WINDOW_MIN_MIB	   16
#define WINDOW_DEFAULT_MIB 64

void bench_summarise(int64_t *times, size_t count, struct bench_times *summary)
{
	percentile_sort(times, count);
	*summary = (struct bench_times){
		.measured = true,
		.min_us = (double)times[0] / 1e3,
		.p50_us = (double)percentile_of(times, count, 500) / 1e3,
		.p99_us = (double)percentile_of(times, count, 990) / 1e3,
		.p999_us = (double)percentile_of(times, count, 999) / 1e3,
		.max_us = (double)times[count - 1] / 1e3,
	};
}

enum vgpu_result bench_mailbox(struct vgpu *vgpu, int64_t *times, size_t count,
			       struct bench_times *summary)
{
	for (size_t i = 0; i < WARM_UP + count; i++) {
		int64_t start = vgpu_now_ns();
		enum vgpu_result result = vgpu_nop(vgpu);

		if (result != VGPU_OK)
			return result;
		if (i >= WARM_UP)
			times[i - WARM_UP] = vgpu_now_ns() - start;
	}
	bench_summarise(times, count, summary);
	return VGPU_OK;
}

static void report_mailbox(const struct agent *agent, const char *what,
			   const struct bench_times *times, size_t count)
{
	const struct {
		const char *name;
		double us;
	} figures[] = {
		{ "min", times->min_us },    { "p50", times->p50_us }, { "p99", times->p99_us },
		{ "p99.9", times->p999_us }, { "max", times->max_us },
	};
	struct json json = { .stream = stdout };

	if (agent->json) {
		json_begin(&json, NULL);
		json_text(&json, "benchmark", what);
		json_text(&json, "unit", "us");
		json_unsigned(&json, "count", count);
	} else {
		printf("%s, %zu requests\n", what, count);
	}
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		if (agent->json)
			json_decimal(&json, figures[i].name, figures[i].us, 3);
		else
			printf("  %-6s %12.2f us\n", figures[i].name, figures[i].us);
	}
	if (agent->json)
		json_finish(&json);
}

static void json_times(struct json *json, const char *key, const struct bench_times *times)
{
	if (!times->measured) {
		json_null(json, key);
		return;
	}
	json_begin(json, key);
	json_decimal(json, "p50_us", times->p50_us, 3);
	json_decimal(json, "p99_us", times->p99_us, 3);
	json_decimal(json, "p999_us", times->p999_us, 3);
	json_end(json);
}

static void json_rates(struct json *json, const char *key, const struct bench_rate *rates,
		       unsigned int count)
{
	json_begin_list(json, key);
	for (unsigned int i = 0; i < count; i++) {
		json_begin(json, NULL);
		json_unsigned(json, "bytes", rates[i].bytes);
		json_decimal(json, "gb_per_s", rates[i].gb_per_s, 6);
		json_null(json, "native_gb_per_s");
		json_end(json);
	}
	json_end_list(json);
}

static void report_json(const struct bench_results *results)
{
	struct json json = { .stream = stdout };

	json_begin(&json, NULL);
	json_text(&json, "gpu", results->gpu.name);
	json_text(&json, "backend", vgpu_backend_name(results->gpu.backend));
	json_times(&json, "noop_mailbox", &results->mailbox);
	json_times(&json, "noop_polling", &results->noop_polling);
	json_times(&json, "noop_sleeping", &results->noop_sleeping);
	json_times(&json, "launch_sync", &results->launch_sync);
	json_begin(&json, "pipelined");
	json_decimal(&json, "ops_per_s", results->pipelined_per_s, 0);
	json_end(&json);
	json_rates(&json, "h2d", results->h2d, results->size_count);
	json_rates(&json, "d2h", results->d2h, results->size_count);
	json_begin(&json, "vector_add");
	json_unsigned(&json, "elements", BENCH_ELEMENTS);
	json_decimal(&json, "us", results->vector_add.p50_us, 1);
	json_null(&json, "native_us");
	json_end(&json);
	json_finish(&json);
}

static void print_times(const char *name, const struct bench_times *times)
{
	if (times->measured)
		printf("%-36s %10.2f %10.2f %10.2f\n", name, times->p50_us, times->p99_us,
		       times->p999_us);
	else
		printf("%-36s %10s %10s %10s\n", name, "-", "-", "-");
}

static void report_text(const struct bench_results *results)
{
	printf("GPU: %s (%s)\n\n%-36s %10s %10s %10s\n", results->gpu.name,
	       vgpu_backend_name(results->gpu.backend), "us", "p50", "p99", "p99.9");
	print_times("no-op, mailbox", &results->mailbox);
	print_times("no-op, ring, worker polling", &results->noop_polling);
	print_times("no-op, ring, worker sleeping", &results->noop_sleeping);
	print_times("launch and synchronise, empty kernel", &results->launch_sync);
	print_times("vector addition, 1 Mi float32", &results->vector_add);
	printf("\npipelined no-ops: %.2f million/s\n\n%-20s %12s %12s\n",
	       results->pipelined_per_s / 1e6, "copy, bytes", "to, GB/s", "from, GB/s");
	for (unsigned int i = 0; i < results->size_count; i++)
		printf("%-20" PRIu64 " %12.2f %12.2f\n", results->h2d[i].bytes,
		       results->h2d[i].gb_per_s, results->d2h[i].gb_per_s);
}

static int bench_mailbox_only(const struct agent *agent, int64_t *all, size_t count)
{
	AGENT_AUTO_CLOSE struct vgpu *vgpu = NULL;
	struct bench_times times;
	enum vgpu_result result;

	result = agent_open(agent, VGPU_OPEN_OBSERVE, &vgpu);
	if (result == VGPU_OK)
		result = bench_mailbox(vgpu, all, count, &times);
	if (result != VGPU_OK)
		return agent_fail_result(agent, result);
	report_mailbox(agent, "mailbox no-op round trip", &times, count);
	return EX_OK;
}

/* All that there is where there is no device. */
static int bench_files(const struct agent *agent, struct vgpu *vgpu,
		       const struct bench_options *options)
{
	size_t count = BENCH_SLOW(options->count);
	struct bench_times times;
	enum vgpu_result result = bench_mailbox(vgpu, options->times, count, &times);

	if (result != VGPU_OK)
		return agent_fail_result(agent, result);
	report_mailbox(agent, "no-op round trip through files", &times, count);
	return EX_OK;
}

static int bench_all(const struct agent *agent, const struct bench_options *options)
{
	AGENT_AUTO_CLOSE struct vgpu *vgpu = NULL;
	static struct bench_results results;
	enum vgpu_result result;
	struct vgpu_info info;

	result = agent_open(agent, VGPU_OPEN_OBSERVE, &vgpu);
	if (result == VGPU_OK)
		result = vgpu_get_info(vgpu, &info);
	if (result == VGPU_OK && !(info.capabilities & VGPU_CAP_CHANNELS))
		return bench_files(agent, vgpu, options);
	if (result == VGPU_OK)
		result = bench_channel(vgpu, options, &results);
	/* A rate limit of the VM's, for one, is no reason to hide what was measured. */
	if (result == VGPU_OK)
		bench_mailbox(vgpu, options->times, BENCH_SLOW(options->count), &results.mailbox);
	if (result != VGPU_OK)
		return agent_fail_result(agent, result);
	if (agent->json)
		report_json(&results);
	else
		report_text(&results);
	return EX_OK;
}

static int bench_run(struct agent *agent, int argc, char **argv)
{
	static const struct option long_options[] = {
		AGENT_LONG_OPTIONS,
		{ "count", required_argument, NULL, 'n' },
		{ "mailbox", no_argument, NULL, 'm' },
		{ "window", required_argument, NULL, 'w' },
		{ 0 },
	};
	VGPU_AUTO_FREE int64_t *times = NULL;
	long long count = 0, window_mib = WINDOW_DEFAULT_MIB;
	struct bench_options options;
	bool done = false, mailbox = false;
	int option;

	while ((option = getopt_long(argc, argv, AGENT_SHORT_OPTIONS "n:mw:", long_options,
				     NULL)) != -1) {
		int status = 0;

		if (option == 'm')
			mailbox = true;
		else if (option != 'n' && option != 'w')
			status = agent_option(agent, option, &command_bench, &done);
		else if (option == 'n' && (count = agent_number(optarg, 1, 10000000)) < 0)
			return agent_fail(agent, EX_USAGE,
					  "bench: --count: '%s' is not a number from 1 to 10000000",
					  optarg);
		else if (option == 'w' &&
			 (window_mib = agent_number(optarg, WINDOW_MIN_MIB, 65536)) < 0)
			return agent_fail(agent, EX_USAGE,
					  "bench: --window: '%s' is not a number of MiB from %d to "
					  "65536",
					  optarg, WINDOW_MIN_MIB);
		if (done)
			return status;
	}
	if (optind < argc)
		return agent_fail(agent, EX_USAGE, "bench: '%s' is one argument too many",
				  argv[optind]);
	if (count == 0)
		count = mailbox ? 1000 : 20000;
	times = calloc(BENCH_TIMES((size_t)count), sizeof(*times));
	if (!times)
		return agent_fail(agent, EX_OSERR, "out of memory");
	if (mailbox)
		return bench_mailbox_only(agent, times, (size_t)count);
	options = (struct bench_options){
		.count = (size_t)count,
		.window_bytes = (uint64_t)window_mib << 20,
		.times = times,
	};
	return bench_all(agent, &options);
}

const struct command command_bench = {
	.name = "bench",
	.summary = "measure round trips, copies and a vector addition",
	.usage = "Usage: vgpu-agent bench [-n COUNT] [--window=MIB]\n"
		 "       vgpu-agent bench --mailbox [-n COUNT]\n"
		 "Measures, on a channel of its own: requests that do nothing, one after the "
		 "other,\n"
		 "with a worker that polls and with one that has to be woken, and through the\n"
		 "mailbox; the launch of a kernel that does nothing, and the wait for it; how\n"
		 "many requests a second, submitted in batches; copies between window memory and\n"
		 "the device, from 4 KiB to the window's size; and an addition of two vectors of\n"
		 "1 Mi float32, copied in and out.\n"
		 "\n"
		 "  -n, --count=COUNT          how many requests (default: 20000; with --mailbox\n"
		 "                             1000); of slower ones a twentieth\n"
		 "  -w, --window=MIB           the window and the largest copy, in MiB\n"
		 "                             (default: 64)\n"
		 "  -m, --mailbox              only requests through the mailbox\n",
	.run = bench_run,
};
