/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: state, event and time in, decisions out. It is pure: no clock, no I/O, no GPU, no
 * log; the daemon, the tests and a simulator link the same object. Times are nanoseconds of one
 * monotonic clock that the caller reads; they must never go back. docs/scheduling.md has the model.
 *
 * A *tenant* is a VM. A *channel* is one worker of a tenant: it is placed on a GPU of the tenant's
 * pool when it is added, and stays there. Work comes in two ways. A *mailbox* submits its jobs one
 * by one (sched_submit(), SCHED_RUN, sched_complete()); a job is named by the caller with a number
 * that it never uses twice. A *ring* takes its work itself while it is granted (sched_want(),
 * SCHED_GRANT, sched_yielded()).
 *
 * A GPU has one *owner* at a time: the tenant whose channels may use it. Its *turn* begins with the
 * first grant or job and ends when nothing of it is held any more.
 *
 * After each event, call sched_next() until it returns false, carry out each decision, and call it
 * again at sched_deadline().
 */
#ifndef VGPU_MEDIATORD_SCHED_H
#define VGPU_MEDIATORD_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"

struct sched;

#define SCHED_SLICE_NS	(2 * VGPU_NS_PER_MS)
#define SCHED_YIELD_NS	(500 * VGPU_NS_PER_MS)
#define SCHED_AGEING_NS VGPU_NS_PER_SECOND
#define SCHED_PERIOD_NS (100 * VGPU_NS_PER_MS)

/* What holds for all tenants. */
struct sched_params {
	int64_t slice_ns;  /* how long a turn lasts while others of the same class wait */
	int64_t yield_ns;  /* from SCHED_REVOKE to SCHED_KILL, where there is no longest_job_ns */
	int64_t ageing_ns; /* who waited so long goes ahead of every class for one slice */
	int64_t period_ns; /* over which the shares of GPU time are kept */
};

struct sched_tenant_config {
	uint32_t pool;
	uint32_t priority; /* VGPU_PRIORITY_* */
	uint32_t weight;   /* 1 to 10000; part of a GPU's time within one priority */
	/*
	 * Quotas; 0 means no limit. The two shares are of each GPU where the tenant has a channel,
	 * and counted there alone.
	 */
	uint32_t time_guaranteed_percent; /* 0 to 100, at most time_max_percent where that is set */
	uint32_t time_max_percent;	  /* 0 to 100 */
	uint32_t requests_per_second;
	uint32_t burst;		/* requests that may come at once; 0: one second's worth */
	uint32_t queue_depth;	/* jobs waiting or running, of sched_submit() */
	int64_t longest_job_ns; /* from SCHED_RUN on, and from SCHED_REVOKE on; never negative */
	/* An operator's: its work waits, and a turn that it has ends as by a limit. */
	bool paused;
	/* An operator's: nothing new is taken; what was taken, runs. */
	bool closed;
};

enum sched_answer {
	SCHED_ADMITTED,
	SCHED_NO_CHANNEL,   /* no such channel, or its GPU failed */
	SCHED_QUEUE_FULL,   /* the tenant has queue_depth jobs already */
	SCHED_RATE_LIMITED, /* over requests_per_second and burst, or closed */
	SCHED_NO_MEMORY,
};

enum sched_decision_kind {
	SCHED_RUN, /* give the job to its channel's worker */
	/*
	 * The running job reached its limit: end it, then report sched_complete() or remove the
	 * channel. Said once a job; its GPU stays taken until then.
	 */
	SCHED_EXPIRE,
	/*
	 * The channel's worker may start work, until SCHED_REVOKE. Where `contended`, it is to
	 * yield as soon as it has none.
	 */
	SCHED_GRANT,
	/*
	 * Of a granted channel: others wait now, or wait no longer. Upon SCHED_CONTEND a worker
	 * that has no work is to yield at once; the caller may see to that itself, as for
	 * SCHED_REVOKE.
	 */
	SCHED_CONTEND,
	SCHED_UNCONTEND,
	/*
	 * The channel's worker may start nothing more, and is to yield. Where it holds nothing, the
	 * caller may call sched_yielded() at once.
	 */
	SCHED_REVOKE,
	/*
	 * It has not yielded within its bound: end it, then remove the channel. Said once; its GPU
	 * stays taken until then.
	 */
	SCHED_KILL,
	/* Its GPU failed: end its worker and its jobs, then remove the channel. Said once. */
	SCHED_LOST,
	/* The channel may take submissions until it has taken `tokens` of them since its start. */
	SCHED_TOKENS,
};

/* No limit, where SCHED_TOKENS says it. */
#define SCHED_TOKENS_NO_LIMIT UINT64_MAX

struct sched_decision {
	enum sched_decision_kind kind;
	uint32_t tenant;
	uint32_t channel;
	uint32_t gpu;
	bool contended;	 /* of SCHED_GRANT */
	uint64_t job;	 /* of SCHED_RUN and SCHED_EXPIRE */
	uint64_t tokens; /* of SCHED_TOKENS */
};

/* With the default parameters. Returns NULL where there is no memory. */
struct sched *sched_new(void);
void sched_free(struct sched **sched);

/*
 * Changes the parameters, for turns and waits that are under way, too. Returns 0, or -1 with EINVAL
 * where a value is not positive or beyond an hour.
 */
int sched_set_params(struct sched *sched, const struct sched_params *params, int64_t now_ns);

/* Adds a GPU to a pool, its only one. Returns 0, or -1 with EEXIST (in any pool) or ENOMEM. */
int sched_gpu_add(struct sched *sched, uint32_t gpu, uint32_t pool);

/*
 * The GPU failed: nothing is placed on it, and nothing runs. Each of its channels is told with
 * SCHED_LOST and does nothing more than wait for its removal; what ran is charged until now.
 * sched_gpu_restore() opens the GPU to new channels again, once the caller has ended what it had.
 * Both return 0, or -1 with ENOENT.
 */
int sched_gpu_fail(struct sched *sched, uint32_t gpu, int64_t now_ns);
int sched_gpu_restore(struct sched *sched, uint32_t gpu);

/*
 * Whether the GPU's memory has no room for what is placed next; the scheduler does not know it. At
 * first none is full. Returns 0, or -1 with ENOENT.
 */
int sched_gpu_set_full(struct sched *sched, uint32_t gpu, bool full);

struct sched_gpu_status {
	bool failed;
	bool owned;
	uint32_t owner;	   /* a tenant, where owned */
	uint32_t waiting;  /* tenants that wait for a turn, without those held by a limit */
	uint32_t channels; /* placed here */
	uint32_t guaranteed_percent; /* promised to tenants with channels here */
	uint64_t turns;
};

/* Returns 0, or -1 with ENOENT. */
int sched_gpu_status(const struct sched *sched, uint32_t gpu, struct sched_gpu_status *status);

/*
 * Adds a tenant, or changes one at run time. Waiting work is ordered by the new values at once;
 * waiting jobs stay even where they are more than a lower queue_depth; longest_job_ns holds for the
 * running jobs and for revoked channels too. A new tenant may send its whole burst; a change of the
 * rate neither gives nor takes tokens beyond what a smaller bucket cannot hold. After a change of
 * requests_per_second, burst or closed the caller calls sched_want_tokens() for each of the
 * tenant's rings.
 *
 * Guarantees are promises: they may not exceed 100 % on any GPU where the tenant has a channel, nor
 * 100 % for each GPU of the pool, summed over the pool's tenants.
 *
 * Returns 0, or -1 and nothing is changed: EINVAL (a value out of range, no GPU in the pool),
 * ERANGE (the guarantees would add up beyond what there is), EBUSY (a tenant with channels cannot
 * change its pool) or ENOMEM.
 */
int sched_tenant_set(struct sched *sched, uint32_t tenant, const struct sched_tenant_config *config,
		     int64_t now_ns);

/*
 * Whether a pool has room for a tenant's guarantee, once it has no channels: also where it is
 * another than its own, or the tenant is not there yet. False where there is no such pool.
 */
bool sched_guarantee_fits(const struct sched *sched, uint32_t tenant, uint32_t pool,
			  uint32_t percent);

/*
 * Gives a tenant another number; all that it has stays. Returns 0, or -1 with ENOENT, or EEXIST
 * where there is a tenant of that number.
 */
int sched_tenant_rename(struct sched *sched, uint32_t tenant, uint32_t to);

/* Removes a tenant with its channels. Their jobs are forgotten, also the running ones. */
void sched_tenant_remove(struct sched *sched, uint32_t tenant, int64_t now_ns);

/*
 * Adds a channel of a tenant, on the GPU of its pool that has the fewest, among those that work and
 * where its guarantee fits; one that is full is taken where all of these are. Returns 0 and *gpu,
 * or -1 with ENOENT (no such tenant), EEXIST, ENODEV (all GPUs of the pool have failed), ERANGE
 * (the tenant's guarantee fits on none) or ENOMEM.
 */
int sched_channel_add(struct sched *sched, uint32_t channel, uint32_t tenant, uint32_t *gpu);

/*
 * Adds a channel whose worker was there before this scheduler, on the GPU where it is: also where
 * the guarantees no longer fit. `granted` says that it may hold the GPU by a grant of before: the
 * channel is then granted and contended, and its tenant is the GPU's owner.
 * Returns 0, or -1 with ENOENT (no such tenant), EEXIST, EINVAL (no such GPU in the tenant's pool),
 * ENODEV (it has failed), EBUSY (granted, and another tenant owns the GPU) or ENOMEM.
 */
int sched_channel_adopt(struct sched *sched, uint32_t channel, uint32_t tenant, uint32_t gpu,
			bool granted, int64_t now_ns);

/*
 * Removes a channel. Its jobs are forgotten; its GPU is free for others, if nothing else of its
 * tenant is there, and the tenant is charged with the whole time since a running job's SCHED_RUN.
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

/*
 * A ring has work that it is not granted. Of a channel that is granted it is ignored; of one that
 * was revoked it says that the channel holds nothing, and wants: the worker looked at its grant
 * again before it knew of the revocation.
 */
void sched_want(struct sched *sched, uint32_t channel, int64_t now_ns);

/*
 * A granted or revoked channel holds nothing on the GPU any more, and starts nothing before it was
 * granted again. It wants nothing until sched_want(). Ignored of any other channel.
 */
void sched_yielded(struct sched *sched, uint32_t channel, int64_t now_ns);

/*
 * A granted channel's worker says that it used the GPU for so long since the last such call. While
 * its tenant is alone on the GPU, that is what it is charged with, though never with more than the
 * time that passed; while others wait it is charged with the time from grant to yield, whatever it
 * says. Call it before sched_yielded(), and from time to time.
 */
void sched_used(struct sched *sched, uint32_t channel, int64_t gpu_time_ns, int64_t now_ns);

/*
 * A ring's worker has taken `submissions` since its start, and asks for leave to take more: it
 * comes with SCHED_TOKENS, at once or when its tenant's rate allows it, in batches of about 10 ms.
 * What it had left goes back to its tenant's bucket first. Call it when the worker asks, when it
 * starts (with 0), and after its tenant's rate was changed.
 */
void sched_want_tokens(struct sched *sched, uint32_t channel, uint64_t submissions, int64_t now_ns);

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
	uint64_t gpu_time_ns; /* of jobs that ended, and of sched_used() */
	uint64_t held_ns;     /* charged to its turns, on all GPUs: see docs/scheduling.md */
	uint64_t waited_ns;   /* for its turns */
	uint64_t turns;
	uint64_t revoked; /* turns that others, or its limit, ended */
	uint64_t killed;  /* channels that did not yield */
	uint32_t waiting;
	uint32_t running;
};

/*
 * Whether the tenant has work that waits, a job that runs, or a ring that has not yielded. What a
 * ring does with a grant that stands is not known here. False of an unknown one.
 */
bool sched_tenant_busy(const struct sched *sched, uint32_t tenant);

/* Returns 0, or -1 with ENOENT. */
int sched_tenant_stats(const struct sched *sched, uint32_t tenant,
		       struct sched_tenant_stats *stats);

#endif
