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
#include "mediatord/worker_protocol.h"

/* What a worker did, as far as it is believed. */
struct grant_counters {
	uint64_t submissions;
	uint64_t errors; /* at most submissions */
	uint64_t gpu_time_ns;
};

struct grant {
	struct vgpu_grant_page *page; /* NULL: none */
	struct grant_counters seen;
};

/*
 * Makes a page that grants work without a limit, and whose other values are 0, and its memfd,
 * sealed against any change of size; *fd is the caller's, and the page outlives it. Returns 0, or
 * -1 and err.
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

/*
 * Reads what the worker did in the elapsed_ns since it was started. Returns what is new since the
 * last call.
 */
struct grant_counters grant_sample(struct grant *grant, uint64_t elapsed_ns);

#endif
