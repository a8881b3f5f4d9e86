/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VM did and what came of it, since it was registered: kept over restarts of its workers and
 * of the mediator. Counters only grow. Times are nanoseconds.
 */
#ifndef VGPU_MEDIATORD_USAGE_H
#define VGPU_MEDIATORD_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/worker_protocol.h"

enum usage_refusal {
	USAGE_REFUSED_INVALID,	   /* the request was wrong */
	USAGE_REFUSED_QUEUE_DEPTH, /* over a quota, as those that follow */
	USAGE_REFUSED_RATE,
	USAGE_REFUSED_CHANNELS,
	USAGE_REFUSED_WINDOW,
	USAGE_REFUSED_MEMORY,
	USAGE_REFUSED_QUARANTINED,
	USAGE_REFUSED_UNAVAILABLE, /* no worker, no GPU */
	USAGE_REFUSALS
};

struct usage {
	uint64_t requests;  /* that arrived, submissions to channels included */
	uint64_t completed; /* answered without an error */
	uint64_t failed;    /* answered with one, refused ones included */
	uint64_t jobs;	    /* started on a GPU */
	uint64_t gpu_time_ns;
	uint64_t bytes_in, bytes_out; /* copied to a GPU by channels, and from it */
	uint64_t faults;	      /* that count towards a quarantine */
	uint64_t quarantines;
	uint64_t workers_lost; /* that died with a job or an allocation */
	uint64_t links_refused;
	uint64_t refused[USAGE_REFUSALS];
	/* Of jobs: until started, on the GPU, and both; sums, and histogram.h's buckets. */
	uint64_t queue_ns, run_ns, total_ns;
	uint64_t queue_times[VGPU_HISTOGRAM_BUCKETS];
	uint64_t run_times[VGPU_HISTOGRAM_BUCKETS];
	uint64_t total_times[VGPU_HISTOGRAM_BUCKETS];
};

#define USAGE_UNTIL_RELEASED INT64_MAX

/* A quarantine as it is kept and shown. All zero: there is none. */
struct usage_quarantine {
	int64_t until_s;  /* of CLOCK_REALTIME, which goes on over restarts */
	char reason[128]; /* for people; zero bytes after its end */
};

struct vm_usage {
	uint8_t uuid[16];
	struct usage usage;
	struct usage_quarantine quarantine;
};

/* What a refusal is called in JSON and in metrics. */
const char *usage_refusal_name(enum usage_refusal refusal);

/* Adds one to the other. */
void usage_add(struct usage *to, const struct usage *from);

/*
 * As text without the uuid, to be kept. Returns a string to be freed with free(), or NULL without
 * memory. A later version may write more; what a text lacks is read as 0.
 */
char *usage_encode(const struct vm_usage *usage);

/*
 * Returns 0 and *usage, its uuid excepted; or -1 and err (EILSEQ) where the text is none of
 * usage_encode()'s.
 */
int usage_decode(const char *text, struct vm_usage *usage, struct vgpu_error **err);

#endif
