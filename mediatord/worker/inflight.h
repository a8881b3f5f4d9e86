/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far ahead work is started on the GPU. What is on the GPU cannot be taken back, so others wait
 * for all of it: a batch, which is what was started since the GPU was last idle, is kept to about
 * the time that the scheduler allows. How long work takes is estimated from what such work took
 * before: launches by function and number of threads, copies and sets by bytes.
 *
 * A tenant that makes a function's time jump can exceed the bound by one batch; the estimate has
 * seen it then, and what the batch may hold is bounded in number too. Pure: no clock, no GPU.
 */
#ifndef VGPU_WORKER_INFLIGHT_H
#define VGPU_WORKER_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

/* Of a batch at most. The driver's own queue is longer: starting work never waits for it. */
#define INFLIGHT_MAX 512u

enum inflight_kind {
	INFLIGHT_HTOD,
	INFLIGHT_DTOH,
	INFLIGHT_DTOD,
	INFLIGHT_SET,
	INFLIGHT_RATES,			  /* of these kinds the time follows from the bytes */
	INFLIGHT_LAUNCH = INFLIGHT_RATES, /* its time is learned */
	INFLIGHT_MARK,			  /* an event or a wait for one: next to nothing */
	INFLIGHT_BLOCKS, /* returns when it is done: how long it takes says nothing of others */
};

/* A piece of work, as far as its time may depend on it. */
struct inflight_work {
	enum inflight_kind kind;
	uint64_t bytes;	   /* of copies and sets */
	uint32_t function; /* of a launch; not 0 */
	uint64_t threads;  /* of a launch, over all blocks */
};

#define INFLIGHT_ESTIMATES 1024u

struct inflight_estimate {
	uint64_t key;	/* function and magnitude of threads; 0: none */
	uint64_t ns;	/* of one */
	uint32_t batch; /* how many of them are in the batch */
};

struct inflight {
	uint64_t ns_per_mib[INFLIGHT_RATES];
	struct inflight_estimate estimates[INFLIGHT_ESTIMATES];
	/* The batch. */
	int64_t since_ns;      /* when its first was started */
	uint32_t count, jobs;  /* jobs: without marks and what blocks */
	uint64_t predicted_ns; /* of those that can be */
	uint64_t bytes[INFLIGHT_RATES];
	uint16_t used[INFLIGHT_MAX]; /* estimates that have a part in it */
	uint32_t used_count;
	bool unknown; /* one is among them that cannot be predicted */
	bool blocked; /* one blocked: nothing can be learned of the batch */
};

/* Nothing is known but a guess of copies' speed, and the batch is empty. */
void inflight_init(struct inflight *inflight);

/*
 * Whether work may be started at now_ns, in a batch of about bound_ns and of `depth` jobs; 0: no
 * such bound. What may not be started now may be when the GPU is idle: work that takes longer than
 * the bound, or nobody knows how long, is a batch by itself.
 */
bool inflight_admits(const struct inflight *inflight, const struct inflight_work *work,
		     uint64_t bound_ns, uint32_t depth, int64_t now_ns);

/*
 * How many of a copy's or set's bytes may be one piece of work. Pieces take the bound, but a
 * millisecond at least, so that the gaps between them stay below a hundredth.
 */
uint64_t inflight_piece(const struct inflight *inflight, const struct inflight_work *work,
			uint64_t bound_ns);

/* Work was started at now_ns: it joins the batch. inflight_admits() allowed it. */
void inflight_add(struct inflight *inflight, const struct inflight_work *work, int64_t now_ns);

/* The GPU was seen idle at now_ns: learns from the batch, and empties it. */
void inflight_idle(struct inflight *inflight, int64_t now_ns);

/* When the batch should be done; 0 where that cannot be told. */
int64_t inflight_expected_ns(const struct inflight *inflight);

#endif
