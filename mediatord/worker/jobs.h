/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a channel has on the GPU, and the account of it in the grant page. When a single job ends is
 * not asked: that would cost each launch an event. The end of a job is when the GPU, which had work
 * since before, was next seen idle; for synchronous work that is the job's own end, and a batch is
 * bounded (inflight.h).
 */
#ifndef VGPU_WORKER_JOBS_H
#define VGPU_WORKER_JOBS_H

#include "mediatord/worker/inflight.h"
#include "mediatord/worker_protocol.h"

/* One launch, copy or set, of one or more pieces. */
struct job {
	int64_t waiting_since_ns; /* 0: it does not wait */
	int64_t started_ns;	  /* its piece that is on the GPU; 0: none is */
	uint64_t queued_ns;	  /* until its pieces were started */
	uint64_t ran_ns;	  /* of pieces whose end was seen */
	bool counted;
};

struct jobs {
	struct vgpu_grant_page *page;
	struct inflight inflight;
	struct job current; /* what is being started */
	/* Started to the last piece, in this batch. */
	struct job started[INFLIGHT_MAX];
	uint32_t started_count;
	int64_t idle_ns; /* when the GPU was last seen idle */
};

void jobs_init(struct jobs *jobs, struct vgpu_grant_page *page);

/* Whether something is on the GPU, as far as was seen. */
static inline bool jobs_on_gpu(const struct jobs *jobs)
{
	return jobs->inflight.count > 0;
}

/* A submission comes that has work for the GPU. */
static inline void jobs_next(struct jobs *jobs)
{
	jobs->current = (struct job){ 0 };
}

/* Whether the page's bounds let a piece of it be started at now_ns. */
bool jobs_admit(const struct jobs *jobs, const struct inflight_work *piece, int64_t now_ns);

/* It cannot be started at now_ns. */
void jobs_wait(struct jobs *jobs, int64_t now_ns);

/* A piece is about to be started at now_ns; jobs_admit() said that it may be. */
void jobs_begin(struct jobs *jobs, int64_t now_ns);

/*
 * jobs_begin()'s piece was started, at the same now_ns; `last`: there are no more. What failed to
 * start is not on the GPU: jobs_failed().
 */
void jobs_started(struct jobs *jobs, const struct inflight_work *piece, bool last, int64_t now_ns);
void jobs_failed(struct jobs *jobs);

/* The GPU was seen idle at now_ns. */
void jobs_idle(struct jobs *jobs, int64_t now_ns);

/* The worker is the only writer of its half of the page; the mediator reads it at any time. */
static inline void jobs_count(uint64_t *counter, uint64_t amount)
{
	__atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

#endif
