/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of ring-worker share: a worker, started as the mediator does, and its ring. */
#ifndef VGPU_TESTS_BENCH_RING_WORKER_H
#define VGPU_TESTS_BENCH_RING_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "tests/mediatord/guest-ring.h"

struct bench {
	const char *program;
	unsigned int polls, sleeps, pipelined;
	bool json, breakdown;
	pid_t worker;
	int socket;
	struct guest_ring ring;
};

struct percentiles {
	double p50, p99, p999;
};

/* Says what failed, with errno, and ends the program, as everything here does that fails. */
_Noreturn void bench_die(const char *what);

/* A worker of bench->program, ready, where this process may run now; and its end. */
void bench_start_worker(struct bench *bench);
void bench_stop_worker(struct bench *bench);

/* Room for so many times. */
int64_t *bench_times(unsigned int count);

/* Sorts the times, count of them, at least one, and gives microseconds. */
struct percentiles bench_percentiles(int64_t *ns, unsigned int count);

/* --breakdown: where the time of a no-op goes whose worker sleeps. Prints a table, or JSON. */
void bench_breakdown(struct bench *bench);

#endif
