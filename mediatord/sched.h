/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: state, event and time in, decisions out. It is pure: no clock, no I/O, no GPU, no
 * log; the daemon, the tests and a simulator link the same object. Times are nanoseconds of one
 * monotonic clock that the caller reads; they must never go back.
 *
 * A *tenant* is a VM. A *channel* is one ordered stream of a tenant's jobs, served by one worker;
 * it is placed on a GPU of the tenant's pool when it is added, and stays there. A *job* is named by
 * the caller with a number that it never uses twice. After each event, call sched_next() until it
 * returns false, carry out each decision, and call it again at sched_deadline().
 *
 * Order: a GPU runs one job at a time. Higher priority first; within one priority the job that
 * arrived first; within one channel always in the order of submission.
 */
#ifndef VGPU_MEDIATORD_SCHED_H
#define VGPU_MEDIATORD_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sched;

struct sched_tenant_config {
	uint32_t pool;
	uint32_t priority; /* VGPU_PRIORITY_* */
	uint32_t weight;   /* 1 to 10000; part of a GPU's time within one priority */
	/* Quotas; 0 means no limit. */
	uint32_t time_guaranteed_percent; /* 0 to 100, at most time_max_percent where that is set */
	uint32_t time_max_percent;	  /* 0 to 100 */
	uint32_t requests_per_second;
	uint32_t burst;		/* requests that may come at once; 0: one second's worth */
	uint32_t queue_depth;	/* jobs waiting or running */
	int64_t longest_job_ns; /* from SCHED_RUN on; never negative */
};

enum sched_answer {
	SCHED_ADMITTED,
	SCHED_NO_CHANNEL,   /* no such channel */
	SCHED_QUEUE_FULL,   /* the tenant has queue_depth jobs already */
	SCHED_RATE_LIMITED, /* over requests_per_second and burst */
	SCHED_NO_MEMORY,
};

enum sched_decision_kind {
	SCHED_RUN, /* give the job to its channel's worker */
	/*
	 * The running job reached its limit: end it, then report sched_complete() or remove the
	 * channel. Said once a job; its GPU stays taken until then.
	 */
	SCHED_EXPIRE,
};

struct sched_decision {
	enum sched_decision_kind kind;
	uint32_t tenant;
	uint32_t channel;
	uint32_t gpu;
	uint64_t job;
};

/* Returns NULL where there is no memory. */
struct sched *sched_new(void);
void sched_free(struct sched **sched);

/* Adds a GPU to a pool, its only one. Returns 0, or -1 with EEXIST (in any pool) or ENOMEM. */
int sched_gpu_add(struct sched *sched, uint32_t gpu, uint32_t pool);

/*
 * Adds a tenant, or changes one at run time. Waiting jobs are ordered by the new values at once and
 * stay even where they are more than a lower queue_depth; longest_job_ns holds for the running jobs
 * too. A new tenant may send its whole burst; a change of the rate neither gives nor takes tokens
 * beyond what a smaller bucket cannot hold.
 * Returns 0, or -1 with EINVAL (a value out of range, no GPU in the pool) or ENOMEM, and nothing is
 * changed. A tenant that has channels cannot change its pool: EBUSY.
 */
int sched_tenant_set(struct sched *sched, uint32_t tenant, const struct sched_tenant_config *config,
		     int64_t now_ns);

/* Removes a tenant with its channels. Their jobs are forgotten, also the running ones. */
void sched_tenant_remove(struct sched *sched, uint32_t tenant, int64_t now_ns);

/*
 * Adds a channel of a tenant, on the GPU of its pool that has the fewest. Returns 0 and *gpu, or -1
 * with ENOENT (no such tenant), EEXIST or ENOMEM.
 */
int sched_channel_add(struct sched *sched, uint32_t channel, uint32_t tenant, uint32_t *gpu);

/*
 * Removes a channel. Its jobs are forgotten; its GPU is free for others, if it was running, and the
 * tenant is charged with the whole time since that job's SCHED_RUN.
 */
void sched_channel_remove(struct sched *sched, uint32_t channel, int64_t now_ns);

/*
 * A job arrives on a channel. What is not admitted leaves no trace but the tenant's counters, and
 * costs nothing of its rate.
 */
enum sched_answer sched_submit(struct sched *sched, uint32_t channel, uint64_t job, int64_t now_ns);

/*
 * A running job ended, after gpu_time_ns on the GPU (as its worker says: never more than the time
 * since its SCHED_RUN is believed). Unknown jobs are ignored: they were forgotten meanwhile.
 */
void sched_complete(struct sched *sched, uint64_t job, int64_t gpu_time_ns, int64_t now_ns);

/* The next decision, or false where there is none for now. */
bool sched_next(struct sched *sched, int64_t now_ns, struct sched_decision *decision);

/* When sched_next() should be called although nothing happened; -1 for never. */
int64_t sched_deadline(const struct sched *sched);

/* Since the tenant was added. */
struct sched_tenant_stats {
	uint64_t submitted; /* admitted; those forgotten with a channel are in no counter below */
	uint64_t refused_queue_full;
	uint64_t refused_rate_limited;
	uint64_t completed; /* without the expired ones */
	uint64_t expired;
	uint64_t gpu_time_ns; /* of jobs that ended, however they did */
	uint32_t waiting;
	uint32_t running;
};

/* Returns 0, or -1 with ENOENT. */
int sched_tenant_stats(const struct sched *sched, uint32_t tenant,
		       struct sched_tenant_stats *stats);

#endif
