/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/clock.h"
#include "guest-agent/agent/bench.h"

/*
 * Well beyond the time for which a worker polls. Spent awake, so that what is measured is the
 * worker's wake-up and not this program's.
 */
#define PAUSE_NS (300 * VGPU_NS_PER_US)

/* Pipelined: so many in one batch, and so many batches outstanding. */
#define BATCH	64
#define BATCHES 3

/* For each size of copy: enough of them for a mean that says something, and no more. */
#define COPY_MIN_NS (60 * VGPU_NS_PER_MS)
#define COPY_MIN    3

#define SMALLEST_COPY 4096u
#define BLOCK_THREADS 256u

struct bench {
	struct vgpu_channel *channel;
	const struct bench_options *options;
	struct bench_results *results;
	vgpu_function vadd;
	void *buffer; /* all of options->window_bytes */
};

static void pause_awake(void)
{
	int64_t end = vgpu_now_ns() + PAUSE_NS;

	while (vgpu_now_ns() < end) {
	}
}

struct vadd_parameters {
	vgpu_pointer a, b, sum;
	uint64_t count;
};

static enum vgpu_result nop(const struct bench *bench)
{
	return vgpu_channel_nop(bench->channel);
}

/* An addition of no elements: its one thread finds nothing to do. */
static enum vgpu_result launch_and_synchronize(const struct bench *bench)
{
	const struct vadd_parameters nothing = { 0 };
	const uint32_t one[3] = { 1, 1, 1 };
	enum vgpu_result result = vgpu_channel_launch(bench->channel, bench->vadd, one, one, 0, 0,
						      &nothing, sizeof(nothing));

	return result == VGPU_OK ? vgpu_channel_synchronize(bench->channel) : result;
}

static enum vgpu_result round_trips(const struct bench *bench,
				    enum vgpu_result (*request)(const struct bench *), size_t count,
				    bool asleep, struct bench_times *summary)
{
	int64_t *times = bench->options->times;
	size_t warm_up = asleep ? 1 : 100;

	for (size_t i = 0; i < warm_up + count; i++) {
		enum vgpu_result result;
		int64_t start;

		if (asleep)
			pause_awake();
		start = vgpu_now_ns();
		result = request(bench);
		if (result != VGPU_OK)
			return result;
		if (i >= warm_up)
			times[i - warm_up] = vgpu_now_ns() - start;
	}
	bench_summarise(times, count, summary);
	return VGPU_OK;
}

static enum vgpu_result pipelined(const struct bench *bench, size_t count, double *per_second)
{
	static struct vgpu_operation operations[BATCHES][BATCH];
	size_t batches = count / BATCH < 10 ? 10 : count / BATCH;
	int64_t start = vgpu_now_ns();
	enum vgpu_result result = VGPU_OK;

	memset(operations, 0, sizeof(operations));
	for (size_t i = 0; i < batches + BATCHES && result == VGPU_OK; i++) {
		struct vgpu_operation *batch = operations[i % BATCHES];

		if (i >= BATCHES)
			result = vgpu_channel_wait(bench->channel, batch, BATCH);
		if (i < batches && result == VGPU_OK)
			result = vgpu_channel_submit(bench->channel, batch, BATCH);
	}
	*per_second = (double)(batches * BATCH) * (double)VGPU_NS_PER_SECOND /
		      (double)(vgpu_now_ns() - start);
	return result;
}

static enum vgpu_result copy(const struct bench *bench, vgpu_pointer device, uint64_t bytes,
			     bool to_device)
{
	return to_device ? vgpu_channel_copy_to_device(bench->channel, device, bench->buffer, bytes)
			 : vgpu_channel_copy_from_device(bench->channel, bench->buffer, device,
							 bytes);
}

/* Copies that wait for the GPU, one after the other. */
static enum vgpu_result copy_rate(const struct bench *bench, vgpu_pointer device, uint64_t bytes,
				  bool to_device, struct bench_rate *rate)
{
	enum vgpu_result result = copy(bench, device, bytes, to_device);
	int64_t start = vgpu_now_ns(), elapsed = 0;
	uint64_t copies = 0;

	while (result == VGPU_OK && (elapsed < COPY_MIN_NS || copies < COPY_MIN)) {
		result = copy(bench, device, bytes, to_device);
		copies++;
		elapsed = vgpu_now_ns() - start;
	}
	rate->bytes = bytes;
	rate->gb_per_s = (double)(copies * bytes) / (double)(elapsed ? elapsed : 1);
	return result;
}

static enum vgpu_result bandwidth(const struct bench *bench)
{
	struct bench_results *results = bench->results;
	uint64_t largest = bench->options->window_bytes;
	enum vgpu_result result;
	vgpu_pointer device;

	result = vgpu_channel_mem_alloc(bench->channel, largest, &device);
	if (result != VGPU_OK)
		return result;
	/* Touched first: the host's memory is taken then, not while the clock runs. */
	memset(bench->buffer, 1, largest);
	for (uint64_t bytes = SMALLEST_COPY; bytes <= largest && result == VGPU_OK; bytes *= 4) {
		unsigned int i = results->size_count++;

		result = copy_rate(bench, device, bytes, true, &results->h2d[i]);
		if (result == VGPU_OK)
			result = copy_rate(bench, device, bytes, false, &results->d2h[i]);
		if (bytes < largest && bytes * 4 > largest)
			bytes = largest / 4;
	}
	vgpu_channel_mem_free(bench->channel, device);
	return result;
}

/* As a program would do it: everything started, one wait. */
static enum vgpu_result add_once(const struct bench *bench, const struct vadd_parameters *vadd,
				 float *host[3])
{
	const uint32_t grid[3] = { BENCH_ELEMENTS / BLOCK_THREADS, 1, 1 };
	const uint32_t block[3] = { BLOCK_THREADS, 1, 1 };
	const uint64_t bytes = BENCH_ELEMENTS * sizeof(float);
	struct vgpu_channel *channel = bench->channel;
	enum vgpu_result result;

	result = vgpu_channel_copy_to_device_async(channel, vadd->a, host[0], bytes, 0);
	if (result == VGPU_OK)
		result = vgpu_channel_copy_to_device_async(channel, vadd->b, host[1], bytes, 0);
	if (result == VGPU_OK)
		result = vgpu_channel_launch(channel, bench->vadd, grid, block, 0, 0, vadd,
					     sizeof(*vadd));
	if (result == VGPU_OK)
		result = vgpu_channel_copy_from_device_async(channel, host[2], vadd->sum, bytes, 0);
	return result == VGPU_OK ? vgpu_channel_synchronize(channel) : result;
}

static enum vgpu_result vector_add(const struct bench *bench)
{
	enum {
		ROUNDS = 100
	};
	const uint64_t bytes = BENCH_ELEMENTS * sizeof(float);
	struct vadd_parameters vadd = { .count = BENCH_ELEMENTS };
	vgpu_pointer *const buffers[] = { &vadd.a, &vadd.b, &vadd.sum };
	enum vgpu_result result = VGPU_OK;
	int64_t times[ROUNDS];
	float *host[3];

	for (int i = 0; i < 3; i++) {
		host[i] = (float *)bench->buffer + (size_t)i * BENCH_ELEMENTS;
		if (result == VGPU_OK)
			result = vgpu_channel_mem_alloc(bench->channel, bytes, buffers[i]);
	}
	for (uint32_t i = 0; i < BENCH_ELEMENTS; i++) {
		host[0][i] = (float)i;
		host[1][i] = 1.0f;
	}
	for (int i = -2; i < ROUNDS && result == VGPU_OK; i++) {
		int64_t start = vgpu_now_ns();

		result = add_once(bench, &vadd, host);
		if (i >= 0)
			times[i] = vgpu_now_ns() - start;
	}
	if (result == VGPU_OK)
		bench_summarise(times, ROUNDS, &bench->results->vector_add);
	for (int i = 0; i < 3; i++)
		vgpu_channel_mem_free(bench->channel, *buffers[i]);
	return result;
}

static enum vgpu_result prepare(struct bench *bench)
{
	enum vgpu_result result;
	vgpu_module module;

	result = vgpu_channel_device_info(bench->channel, &bench->results->gpu);
	if (result == VGPU_OK)
		result = vgpu_host_alloc(bench->channel, bench->options->window_bytes,
					 &bench->buffer);
	if (result == VGPU_OK)
		result = vgpu_channel_module_builtin(bench->channel, &module);
	if (result == VGPU_OK)
		result = vgpu_channel_module_function(bench->channel, module, "vadd_f32",
						      &bench->vadd);
	return result;
}

enum vgpu_result bench_channel(struct vgpu *vgpu, const struct bench_options *options,
			       struct bench_results *results)
{
	struct bench bench = { .options = options, .results = results };
	size_t slow = BENCH_SLOW(options->count);
	enum vgpu_result result;

	result = vgpu_channel_open(vgpu, 0, options->window_bytes, 0, &bench.channel);
	if (result == VGPU_OK)
		result = prepare(&bench);
	if (result == VGPU_OK)
		result = round_trips(&bench, nop, options->count, false, &results->noop_polling);
	if (result == VGPU_OK)
		result = round_trips(&bench, nop, slow, true, &results->noop_sleeping);
	if (result == VGPU_OK)
		result = round_trips(&bench, launch_and_synchronize, options->count, false,
				     &results->launch_sync);
	if (result == VGPU_OK)
		result = pipelined(&bench, 100 * options->count, &results->pipelined_per_s);
	if (result == VGPU_OK)
		result = bandwidth(&bench);
	if (result == VGPU_OK)
		result = vector_add(&bench);
	results->window_bytes = options->window_bytes;
	vgpu_channel_close(bench.channel);
	return result;
}
