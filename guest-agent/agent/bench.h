/* SPDX-License-Identifier: Apache-2.0 */
/* What `vgpu-agent bench` measures of channels. */
#ifndef VGPU_AGENT_BENCH_H
#define VGPU_AGENT_BENCH_H

#include "guest-agent/agent/agent.h"

#define BENCH_SIZES_MAX 32
#define BENCH_ELEMENTS	(1u << 20) /* of the vector addition */

struct bench_times {
	bool measured;
	double min_us, p50_us, p99_us, p999_us, max_us;
};

struct bench_rate {
	uint64_t bytes;
	double gb_per_s;
};

struct bench_results {
	struct vgpu_device_info gpu;
	uint64_t window_bytes;
	struct bench_times mailbox;	  /* not measured where the VM may not use it */
	struct bench_times noop_polling;  /* one after the other: the worker polls */
	struct bench_times noop_sleeping; /* after pauses in which the worker fell asleep */
	struct bench_times launch_sync;	  /* a kernel that does nothing, and the wait for it */
	double pipelined_per_s;
	unsigned int size_count;
	struct bench_rate h2d[BENCH_SIZES_MAX];
	struct bench_rate d2h[BENCH_SIZES_MAX];
	struct bench_times vector_add; /* two vectors in, kernel, one out */
};

struct bench_options {
	size_t count;	       /* of the no-ops that are timed one by one */
	uint64_t window_bytes; /* the largest copy */
	int64_t *times;	       /* room for BENCH_TIMES(count) of them */
};

/* Of slower requests a twentieth is made, but not too few. */
#define BENCH_SLOW(count)  ((count) / 20 < 20 ? 20 : (count) / 20)
#define BENCH_TIMES(count) ((count) < 20 ? 20 : (count))

/* Sorts the times, count of them, at least one. */
void bench_summarise(int64_t *times, size_t count, struct bench_times *summary);

/* The mailbox's no-op round trip: count requests after some that are not counted. */
enum vgpu_result bench_mailbox(struct vgpu *vgpu, int64_t *times, size_t count,
			       struct bench_times *summary);

/* Everything on a channel of its own. */
enum vgpu_result bench_channel(struct vgpu *vgpu, const struct bench_options *options,
			       struct bench_results *results);

#endif
