/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VM's program for tests/bench/contention: runs jobs on a channel of its own, or without us,
 * and says how many ended and how long each took. A job is a launch of the built-in matrix product,
 * which both backends have, and the wait for it; the inner dimension makes its length.
 *
 *   contention-client SOCKET        the VM's link socket
 *   contention-client --native      CUDA alone, on the first GPU; a client of the MPS server that
 *                                   CUDA_MPS_PIPE_DIRECTORY names
 *
 * It answers each line of standard input with one line, and ends with the input.
 *
 *   (at the start)                  "ready BACKEND GPU"
 *
 *   side N                          makes jobs of these outer dimensions: "side N"
 *
 *   length US                       makes jobs that take so long when nothing else runs; 0: the
 *                                   shortest. "length US N": what one takes, and its inner
 *                                   dimension
 *
 *   inner N                         makes jobs of this inner dimension; 0: the shortest. "inner N"
 *
 *   run DEPTH PAUSE_US BEGIN END    keeps DEPTH jobs outstanding from now to END (nanoseconds of
 *                                   CLOCK_MONOTONIC), a pause after each. "ran JOBS P50 P99 MAX":
 *                                   how many ended from BEGIN to END, and the microseconds from
 *                                   start to end of those that started then, whenever they ended
 */
#include "tests/bench/contention-client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "guest-agent/agent/percentile.h"

#define BLOCK_SIDE 16u

/* The product's outer dimensions: on a GPU so many threads that it is full of them. */
#define SIDE_CPU  64u
#define SIDE_CUDA 2048u
#define SIDE_MAX  4096u

/* A factor has at most so many elements. */
#define ELEMENTS_MAX (UINT32_C(1) << 26)
#define INNER_MAX    (UINT32_C(1) << 20)

/* For a GPU's clocks to be up, before anything is measured. */
#define WARM_UP_NS (200 * VGPU_NS_PER_MS)

#define LENGTH_SAMPLES 31

struct job {
	int64_t started_ns;
	bool outstanding;
};

struct times {
	int64_t *ns;
	size_t count, room;
};

struct client {
	const struct way *way;
	struct product product;
	uint64_t factor_room; /* bytes of a and of b */
	uint64_t result_room; /* bytes of c */
	struct job jobs[DEPTH_MAX];
};

struct run {
	unsigned int depth;
	int64_t pause_ns, begin_ns, end_ns;
	uint64_t ended; /* within begin and end */
	struct times times;
};

_Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "contention-client: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void sleep_for(int64_t ns)
{
	const struct timespec time = { ns / VGPU_NS_PER_SECOND, ns % VGPU_NS_PER_SECOND };

	nanosleep(&time, NULL);
}

static uint64_t larger(const struct client *client, uint64_t pointer, uint64_t bytes)
{
	client->way->free(pointer);
	return client->way->allocate(bytes);
}

static void set_product(struct client *client, uint32_t side, uint32_t inner)
{
	struct product *product = &client->product;
	uint64_t factor = (uint64_t)side * inner * sizeof(float);
	uint64_t result = (uint64_t)side * side * sizeof(float);

	if (factor > client->factor_room) {
		product->a = larger(client, product->a, factor);
		product->b = larger(client, product->b, factor);
		client->factor_room = factor;
	}
	if (result > client->result_room) {
		product->c = larger(client, product->c, result);
		client->result_room = result;
	}
	product->m = side;
	product->n = side;
	product->k = inner;
}

static void set_inner(struct client *client, uint32_t inner)
{
	set_product(client, client->product.m, inner);
}

static void start_job(struct client *client, unsigned int number)
{
	const uint32_t blocks = (client->product.m + BLOCK_SIDE - 1) / BLOCK_SIDE;
	const bool shortest = !client->product.k;

	client->jobs[number].started_ns = vgpu_now_ns();
	client->way->start(number, shortest ? 1 : blocks, shortest ? 1 : BLOCK_SIDE,
			   &client->product);
	client->jobs[number].outstanding = true;
}

/* Returns when it ended, or rather when this program saw it. */
static int64_t finish_job(struct client *client, unsigned int number)
{
	client->way->finish(number);
	client->jobs[number].outstanding = false;
	return vgpu_now_ns();
}

static int64_t time_job(struct client *client)
{
	start_job(client, 0);
	return finish_job(client, 0) - client->jobs[0].started_ns;
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

static uint32_t inner_max(uint32_t side)
{
	return ELEMENTS_MAX / side < INNER_MAX ? ELEMENTS_MAX / side : INNER_MAX;
}

static uint32_t scaled(const struct product *product, double factor)
{
	double wanted = (double)product->k * factor;
	uint32_t most = inner_max(product->m);

	return wanted < 1 ? 1 : wanted > most ? most : (uint32_t)wanted;
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
		set_inner(client, scaled(&client->product, us / median_us(client)));
}

static void take_length(struct client *client, const char *arguments)
{
	char *end;
	double us = strtod(arguments, &end);

	if (end == arguments || us < 0 || us > 1e7)
		die("no length in microseconds", arguments);
	calibrate(client, us);
	printf("length %.3f %" PRIu32 "\n", median_us(client), client->product.k);
}

static unsigned long number(const char *arguments, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(arguments, &end, 10);

	if (end == arguments || value < least || value > most)
		die("no number in its range", arguments);
	return value;
}

static void take_side(struct client *client, const char *arguments)
{
	unsigned long side = number(arguments, 1, SIDE_MAX);

	set_product(client, (uint32_t)side, 0);
	printf("side %lu\n", side);
}

static void take_inner(struct client *client, const char *arguments)
{
	unsigned long inner = number(arguments, 0, inner_max(client->product.m));

	set_inner(client, (uint32_t)inner);
	printf("inner %lu\n", inner);
}

static void finish(struct client *client, struct run *run, unsigned int number)
{
	const struct job *job = &client->jobs[number];
	int64_t ended = finish_job(client, number);

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
		if (client->jobs[next].outstanding) {
			finish(client, run, next);
			if (run->pause_ns)
				sleep_for(run->pause_ns);
		}
		start_job(client, next);
		next = (next + 1) % run->depth;
	}
	for (unsigned int i = 0; i < run->depth; i++) {
		unsigned int oldest = (next + i) % run->depth;

		if (client->jobs[oldest].outstanding)
			finish(client, run, oldest);
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

int main(int argc, char **argv)
{
	struct client client = { 0 };
	char line[256];

	if (argc != 2)
		die("usage", "contention-client SOCKET | --native");
	setvbuf(stdout, NULL, _IOLBF, 0);
	client.way = strcmp(argv[1], "--native") == 0 ? &way_native : &way_ring;
	set_product(&client, client.way->open(argv[1]) ? SIDE_CUDA : SIDE_CPU, 0);
	while (fgets(line, sizeof(line), stdin)) {
		if (strncmp(line, "length ", 7) == 0)
			take_length(&client, line + 7);
		else if (strncmp(line, "side ", 5) == 0)
			take_side(&client, line + 5);
		else if (strncmp(line, "inner ", 6) == 0)
			take_inner(&client, line + 6);
		else if (strncmp(line, "run ", 4) == 0)
			take_run(&client, line + 4);
		else
			die("no command", line);
	}
	client.way->close();
	return EXIT_SUCCESS;
}
