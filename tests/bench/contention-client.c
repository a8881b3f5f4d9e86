/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VM's program for tests/bench/contention: runs jobs on a channel of its own, and says how many
 * ended and how long each took. A job is a launch of the built-in matrix product, which both
 * backends have, and the wait for it; the inner dimension makes its length.
 *
 *   contention-client SOCKET        the VM's link socket
 *
 * It answers each line of standard input with one line, and ends with the input.
 *
 *   (at the start)                  "ready BACKEND GPU"
 *   length US                       makes jobs that take so long when nothing else runs; 0: the
 *                                   shortest. "length US" with what such a job takes
 *   inner N                         makes jobs of this inner dimension. "inner N"
 *   run DEPTH PAUSE_US BEGIN END    keeps DEPTH jobs outstanding from now to END (nanoseconds of
 *                                   CLOCK_MONOTONIC), a pause after each. "ran JOBS P50 P99 MAX":
 *                                   how many ended from BEGIN to END, and the microseconds from
 *                                   start to end of those that started then, whenever they ended
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "guest-agent/agent/percentile.h"
#include "guest-agent/vgpu.h"

#define TIMEOUT_MS   120000
#define WINDOW_BYTES (UINT64_C(1) << 20)
#define DEPTH_MAX    64
#define BLOCK_SIDE   16u

/* The product's outer dimensions: on a GPU so many threads that it is full of them. */
#define SIDE_CPU  64u
#define SIDE_CUDA 2048u

#define INNER_MAX 65536u

/* For a GPU's clocks to be up, before anything is measured. */
#define WARM_UP_NS (200 * VGPU_NS_PER_MS)

#define LENGTH_SAMPLES 31

/* matmul_f32's, docs/device-spec.md. */
struct product {
	vgpu_pointer a, b, c;
	uint32_t m, n, k;
};

struct job {
	vgpu_event event;
	struct vgpu_operation wait;
	int64_t started_ns;
	bool outstanding;
};

struct times {
	int64_t *ns;
	size_t count, room;
};

struct client {
	struct vgpu *vgpu;
	struct vgpu_channel *channel;
	vgpu_function matmul;
	struct product product;
	uint32_t inner_room; /* that a and b have memory for */
	struct job jobs[DEPTH_MAX];
};

struct run {
	unsigned int depth;
	int64_t pause_ns, begin_ns, end_ns;
	uint64_t ended; /* within begin and end */
	struct times times;
};

_Noreturn static void die(const char *what, const char *why)
{
	fprintf(stderr, "contention-client: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void must(enum vgpu_result result, const char *what)
{
	if (result != VGPU_OK)
		die(what, vgpu_last_error());
}

static void sleep_for(int64_t ns)
{
	const struct timespec time = { ns / VGPU_NS_PER_SECOND, ns % VGPU_NS_PER_SECOND };

	nanosleep(&time, NULL);
}

static void allocate(struct client *client, vgpu_pointer *pointer, uint64_t elements)
{
	must(vgpu_channel_mem_free(client->channel, *pointer), "cannot free");
	must(vgpu_channel_mem_alloc(client->channel, elements * sizeof(float), pointer),
	     "cannot allocate");
}

static void set_inner(struct client *client, uint32_t inner)
{
	struct product *product = &client->product;

	if (inner > client->inner_room) {
		allocate(client, &product->a, (uint64_t)product->m * inner);
		allocate(client, &product->b, (uint64_t)product->n * inner);
		client->inner_room = inner;
	}
	product->k = inner;
}

static void start_job(struct client *client, struct job *job)
{
	const uint32_t blocks = (client->product.m + BLOCK_SIDE - 1) / BLOCK_SIDE;
	const uint32_t side = client->product.k ? blocks : 1;
	const uint32_t grid[3] = { side, side, 1 };
	const uint32_t block[3] = { client->product.k ? BLOCK_SIDE : 1,
				    client->product.k ? BLOCK_SIDE : 1, 1 };

	job->started_ns = vgpu_now_ns();
	must(vgpu_channel_launch(client->channel, client->matmul, grid, block, 0, 0,
				 &client->product, offsetof(struct product, k) + sizeof(uint32_t)),
	     "cannot launch");
	must(vgpu_channel_event_record(client->channel, job->event, 0), "cannot record an event");
	job->wait = (struct vgpu_operation){ .opcode = VGPU_RING_EVENT_SYNCHRONIZE,
					     .argument = { job->event } };
	must(vgpu_channel_submit(client->channel, &job->wait, 1), "cannot submit a wait");
	job->outstanding = true;
}

/* Returns when it ended, or rather when this program saw it. */
static int64_t finish_job(struct client *client, struct job *job)
{
	must(vgpu_channel_wait(client->channel, &job->wait, 1), "cannot wait for a job");
	job->outstanding = false;
	return vgpu_now_ns();
}

static int64_t time_job(struct client *client)
{
	start_job(client, &client->jobs[0]);
	return finish_job(client, &client->jobs[0]) - client->jobs[0].started_ns;
}

/* In microseconds; 0 of none. They are sorted. */
static double percentile_us(const struct times *times, unsigned int per_mille)
{
	return times->count ? (double)percentile_of(times->ns, times->count, per_mille) / 1e3 : 0.0;
}

static void keep(struct times *times, int64_t ns)
{
	if (times->count == times->room) {
		size_t room = times->room ? 2 * times->room : 1024;
		int64_t *larger = realloc(times->ns, room * sizeof(*larger));

		if (!larger)
			die("cannot keep times", strerror(ENOMEM));
		times->ns = larger;
		times->room = room;
	}
	times->ns[times->count++] = ns;
}

static double median_us(struct client *client)
{
	struct times times = { 0 };
	double median;

	for (int i = 0; i < LENGTH_SAMPLES; i++)
		keep(&times, time_job(client));
	percentile_sort(times.ns, times.count);
	median = percentile_us(&times, 500);
	free(times.ns);
	return median;
}

static uint32_t scaled(uint32_t inner, double factor)
{
	double wanted = (double)inner * factor;

	return wanted < 1 ? 1 : wanted > INNER_MAX ? INNER_MAX : (uint32_t)wanted;
}

/* The inner dimension with which a job takes about so long. */
static void calibrate(struct client *client, double us)
{
	int64_t end = vgpu_now_ns() + WARM_UP_NS;

	set_inner(client, us > 0 ? 64 : 0);
	while (vgpu_now_ns() < end)
		time_job(client);
	if (us <= 0)
		return;
	for (int i = 0; i < 6; i++)
		set_inner(client, scaled(client->product.k, us / median_us(client)));
}

static void take_length(struct client *client, const char *arguments)
{
	char *end;
	double us = strtod(arguments, &end);

	if (end == arguments || us < 0 || us > 1e7)
		die("no length in microseconds", arguments);
	calibrate(client, us);
	printf("length %.3f\n", median_us(client));
}

static void take_inner(struct client *client, const char *arguments)
{
	unsigned long inner = strtoul(arguments, NULL, 10);

	if (inner < 1 || inner > INNER_MAX)
		die("no inner dimension", arguments);
	set_inner(client, (uint32_t)inner);
	printf("inner %lu\n", inner);
}

static void finish(struct client *client, struct run *run, struct job *job)
{
	int64_t ended = finish_job(client, job);

	if (ended >= run->begin_ns && ended < run->end_ns)
		run->ended++;
	if (job->started_ns >= run->begin_ns && job->started_ns < run->end_ns)
		keep(&run->times, ended - job->started_ns);
}

static void keep_running(struct client *client, struct run *run)
{
	unsigned int next = 0;

	/* In a circle: the next to be started is the oldest that is outstanding. */
	while (vgpu_now_ns() < run->end_ns) {
		struct job *job = &client->jobs[next];

		if (job->outstanding) {
			finish(client, run, job);
			if (run->pause_ns)
				sleep_for(run->pause_ns);
		}
		start_job(client, job);
		next = (next + 1) % run->depth;
	}
	for (unsigned int i = 0; i < run->depth; i++) {
		struct job *job = &client->jobs[(next + i) % run->depth];

		if (job->outstanding)
			finish(client, run, job);
	}
}

static void take_run(struct client *client, const char *arguments)
{
	struct run run = { 0 };
	int64_t pause_us;

	if (sscanf(arguments, "%u %" SCNd64 " %" SCNd64 " %" SCNd64, &run.depth, &pause_us,
		   &run.begin_ns, &run.end_ns) != 4 ||
	    run.depth < 1 || run.depth > DEPTH_MAX || pause_us < 0 || pause_us > 1000000)
		die("no depth from 1 to 64, pause, begin and end", arguments);
	run.pause_ns = pause_us * VGPU_NS_PER_US;
	keep_running(client, &run);
	if (run.times.count)
		percentile_sort(run.times.ns, run.times.count);
	printf("ran %" PRIu64 " %.3f %.3f %.3f\n", run.ended, percentile_us(&run.times, 500),
	       percentile_us(&run.times, 990), percentile_us(&run.times, 1000));
	free(run.times.ns);
}

static void prepare(struct client *client, const char *socket)
{
	struct vgpu_device_info info;
	vgpu_module module;
	char transport[4096];

	snprintf(transport, sizeof(transport), "local:%s", socket);
	must(vgpu_open(transport, VGPU_OPEN_OBSERVE, TIMEOUT_MS, &client->vgpu), "cannot open");
	must(vgpu_channel_open(client->vgpu, 0, WINDOW_BYTES, 0, &client->channel),
	     "cannot open a channel");
	must(vgpu_channel_device_info(client->channel, &info), "cannot ask for the GPU");
	must(vgpu_channel_module_builtin(client->channel, &module), "cannot load the kernels");
	must(vgpu_channel_module_function(client->channel, module, "matmul_f32", &client->matmul),
	     "cannot find the kernel");
	client->product.m = info.backend == VGPU_BACKEND_CPU ? SIDE_CPU : SIDE_CUDA;
	client->product.n = client->product.m;
	allocate(client, &client->product.c, (uint64_t)client->product.m * client->product.n);
	for (int i = 0; i < DEPTH_MAX; i++)
		must(vgpu_channel_event_create(client->channel, VGPU_EVENT_DISABLE_TIMING,
					       &client->jobs[i].event),
		     "cannot create an event");
	set_inner(client, 0);
	printf("ready %s %s\n", vgpu_backend_name(info.backend), info.name);
}

int main(int argc, char **argv)
{
	struct client client = { 0 };
	char line[256];

	if (argc != 2)
		die("usage", "contention-client SOCKET");
	setvbuf(stdout, NULL, _IOLBF, 0);
	prepare(&client, argv[1]);
	while (fgets(line, sizeof(line), stdin)) {
		if (strncmp(line, "length ", 7) == 0)
			take_length(&client, line + 7);
		else if (strncmp(line, "inner ", 6) == 0)
			take_inner(&client, line + 6);
		else if (strncmp(line, "run ", 4) == 0)
			take_run(&client, line + 4);
		else
			die("no command", line);
	}
	vgpu_channel_close(client.channel);
	vgpu_close(client.vgpu);
	return EXIT_SUCCESS;
}
