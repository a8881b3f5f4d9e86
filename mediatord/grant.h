/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediator's end of a grant page (worker_protocol.h has its layout). The worker's half is
 * hostile: it is only ever read into counters that cannot go back, nor faster than time does.
 */
#ifndef VGPU_MEDIATORD_GRANT_H
#define VGPU_MEDIATORD_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/usage.h"
#include "mediatord/worker_protocol.h"

/* What a worker did, as far as it is believed. */
struct grant_counters {
	uint64_t submissions;
	uint64_t errors; /* at most submissions */
	uint64_t gpu_time_ns;
	uint64_t bytes_in, bytes_out; /* copied to the GPU, and from it */
	uint64_t jobs;		      /* started on it */
};

/* Of jobs, sums and in buckets, as they were seen last. */
struct grant_times {
	uint64_t queue_ns, run_ns;
	uint32_t queue[VGPU_HISTOGRAM_BUCKETS];
	uint32_t run[VGPU_HISTOGRAM_BUCKETS];
	uint32_t total[VGPU_HISTOGRAM_BUCKETS];
};

struct grant {
	struct vgpu_grant_page *page; /* NULL: none */
	struct grant_counters seen;
	struct grant_times times;
	/* What it said that it had done when it was granted last. */
	uint64_t granted_jobs, granted_ns;
};

/*
 * Makes a page that is all 0, so that it grants nothing, and its memfd, sealed against any change
 * of size; *fd is the caller's, and the page outlives it. Returns 0, or -1 and err.
 */
int grant_make(struct grant *grant, int *fd, struct vgpu_error **err);
/*
 * Maps the page of a worker that an earlier mediator started, of which `seen` was counted already.
 * Returns NULL, or what is wrong with its memfd.
 */
const char *grant_map(struct grant *grant, int fd, const struct grant_counters *seen);
/* Unmaps the page; what was seen stays. Nothing happens where there is none. */
void grant_free(struct grant *grant);

/* The VM's quota and use of GPU memory, in bytes; `released` of it by this worker, ever. */
void grant_publish(struct grant *grant, uint64_t quota, uint64_t used, uint64_t released);

/* The bounds of what its worker may have under way; 0: none. */
void grant_bound(struct grant *grant, uint32_t queue_depth, uint64_t inflight_ns);

/* Its worker may start work, and is to yield when it has none where others wait. */
void grant_allow(struct grant *grant, bool contended);
/*
 * It may start nothing more. Returns whether it has nothing on the GPU either; otherwise it will
 * say YIELDED.
 */
bool grant_revoke(struct grant *grant);
/*
 * Whether it has started nothing on the GPU since it was granted, as far as it says: it may be that
 * it does not know yet.
 */
bool grant_is_fresh(const struct grant *grant);
/* Whether it may start work: what this mediator, or the one before it, said last. */
bool grant_is_allowed(const struct grant *grant);
/* Whether it has something on the GPU, as it says; it may have been revoked since it began. */
bool grant_is_held(const struct grant *grant);
/* It may take so many submissions, from its start on. */
void grant_set_tokens(struct grant *grant, uint64_t tokens);

/* Since when the oldest of its jobs is on the GPU, as it says; 0: there is none. */
int64_t grant_job_since(const struct grant *grant, int64_t now_ns);

/*
 * Reads what the worker did in the elapsed_ns since it was started. Returns what is new since the
 * last call.
 */
struct grant_counters grant_sample(struct grant *grant, uint64_t elapsed_ns);

/* Adds the times that are new since the last call to the VM's. After grant_sample(). */
void grant_times(struct grant *grant, uint64_t elapsed_ns, struct usage *usage);

#endif
