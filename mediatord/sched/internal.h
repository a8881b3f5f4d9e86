/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scheduler's files share. Who does what:
 *
 *   sched/sched.c   the decisions that are to be said, and when
 *   sched/gpu.c     GPUs and pools, where channels are placed
 *   sched/tenant.c  tenants: their values, the request rate, counters
 *   sched/tokens.c  the same rate for rings
 *   sched/channel.c channels and what happens on them: jobs, wants, yields
 *   sched/turn.c    whose turn it is on a GPU: when it begins, what it may do, when it ends
 *   sched/seat.c    seats: who waits, and who goes first
 *   sched/share.c   what a seat is charged with, and what its shares make of that
 *
 * A *seat* is a tenant on one GPU: what is shared, charged and ordered there. Events only note what
 * happened and mark the GPU; sched_next() lets turn_step() draw the conclusions. Nothing looks at
 * more than one tenant and the heads of heaps: a decision costs the logarithm of their number.
 */
#ifndef VGPU_MEDIATORD_SCHED_INTERNAL_H
#define VGPU_MEDIATORD_SCHED_INTERNAL_H

#include "common/protocol.h"
#include "mediatord/sched/idmap.h"
#include "mediatord/sched/sched.h"
#include "mediatord/sched/heap.h"

#define PRIORITIES (VGPU_PRIORITY_HIGH + 1)
/* Where a seat stands: its tenant's priority, or ahead of all of them. */
#define RANK_BEHIND (VGPU_PRIORITY_HIGH + 1) /* it has had less than its guarantee */
#define RANKS	    (RANK_BEHIND + 1)
#define RANK_AGED   RANKS /* it waited too long: the owner's alone, see struct turn */

#define NEVER INT64_MAX

struct pool {
	uint32_t id;
	uint32_t gpus;
	uint64_t guaranteed_percent; /* of its tenants */
	struct pool *next;
};

struct job {
	uint64_t id;
	uint64_t arrival; /* a number that grows with every job and want */
};

/* Waiting jobs in the order of submission: a ring. */
struct fifo {
	struct job *jobs;
	size_t size; /* of jobs: 0 or a power of two */
	size_t first;
	size_t count;
};

struct tenant {
	uint32_t id;
	struct sched_tenant_config config;
	struct pool *pool;
	struct seat *seats; /* a list through seat->next */
	/* The rate's bucket, in 1/10^9 of a request; below 0 where a ring took more than it had. */
	int64_t bucket;
	int64_t bucket_filled_ns; /* when the bucket had that level */
	/* Rings that wait for tokens, first come first served: a list through token_next. */
	struct channel *token_first, *token_last;
	struct heap_node token_node; /* in sched->token_waits, keyed by when there are some */
	struct sched_tenant_stats stats;
};

enum hold {
	HOLD_NOTHING,
	HOLD_GRANTED,
	HOLD_REVOKED, /* and has not yielded */
	HOLD_KILLED,  /* and has not yielded */
	HOLD_LOST,    /* its GPU failed */
};

struct channel {
	uint32_t id;
	struct seat *seat;
	struct channel *next, **link; /* in seat->channels; link: what points here */
	/* As a mailbox. */
	struct fifo waiting;
	struct heap_node job_node; /* in seat->jobs while a job may run, keyed by its arrival */
	/* As a ring. */
	bool wants;	      /* and is not granted */
	enum hold hold, told; /* what is so, and what the caller knows */
	bool told_contended;  /* the caller knows of a granted one */
	int64_t used_ns;      /* when sched_used() was called last, or it was granted */
	uint64_t tokens;      /* it may take since its start */
	uint64_t told_tokens; /* the caller knows of */
	uint64_t submissions; /* it took, as its worker said last */
	bool token_waits;     /* it is in its tenant's list */
	struct channel *token_next;
	/* What else is to be said of it. */
	bool tell_run, tell_expire;
	struct channel *tell_next, **tell_link; /* in sched->tell; tell_link NULL: not in */
};

struct seat {
	struct tenant *tenant;
	struct gpu *gpu;
	struct seat *next;		   /* in tenant->seats */
	struct seat *gpu_next, **gpu_link; /* in gpu->seats */
	struct channel *channels;	   /* a list through channel->next */
	uint32_t channel_count;
	uint32_t wanting; /* channels that want */
	uint32_t held;	  /* channels granted, revoked or killed */
	struct heap jobs;
	uint64_t want_arrival; /* of the first of the wants */
	/* Where it waits. */
	bool active;		/* it waits for a turn or has it */
	int64_t wait_since_ns;	/* in the order's heap */
	unsigned int rank;	/* of the order's heap */
	struct heap_node order; /* in gpu->ranks[rank] while it waits for a turn */
	struct heap_node timer; /* in gpu->timers, keyed by when a share changes where it stands */
	struct heap_node wait;	/* in gpu->waits[rank], keyed by wait_since_ns */
	/* What it is charged with; sched/share.c explains the units. */
	int64_t settled_ns;
	uint64_t virtual_time;
	uint64_t virtual_rest;
	int64_t unclaimed_ns; /* it was alone for so long without having said what it used */
	int64_t allowance;    /* of time_max_percent */
	bool exhausted;	      /* and it waits for a new one */
	int64_t arrears;      /* to time_guaranteed_percent */
	bool behind;	      /* by so much that it goes ahead of the classes */
};

/* Of a GPU's owner. */
struct turn {
	struct seat *owner; /* NULL: nobody's turn */
	int64_t slice_ns;   /* since when the slice runs */
	bool aged;	    /* this slice is for its long wait */
	bool contended;	    /* what its granted channels are to know */
	bool revoked;
	int64_t revoked_ns;
	bool kill_said;
	/* The job that runs: nothing where running is NULL. */
	struct channel *running;
	uint64_t job;
	int64_t started_ns;
	bool expired; /* SCHED_EXPIRE was said */
};

struct gpu {
	uint32_t id;
	struct pool *pool;
	bool failed;
	bool full;
	uint32_t channels; /* placed here */
	uint32_t guaranteed_percent;
	struct seat *seats;
	size_t seat_count;
	/* Seats that wait for a turn: in their order, and by how long they wait. */
	struct heap ranks[RANKS];
	struct heap waits[RANKS];
	uint32_t waiting;
	struct heap timers;
	uint64_t clocks[PRIORITIES]; /* each class's virtual time: its least; never goes back */
	struct seat *promised;	     /* waits, and has the next turn for its long wait */
	bool last_aged;		     /* the last turn was one for a long wait */
	struct turn turn;
	uint64_t turns;
	bool dirty;	/* something happened: turn_step() is to look */
	int64_t due_ns; /* when it is to look again although nothing did */
};

struct sched {
	struct sched_params params;
	struct idmap tenants;
	struct idmap channels;
	struct gpu **gpus; /* in the order in which they were added */
	size_t gpu_count;
	struct pool *pools;
	struct heap token_waits;	  /* of tenants */
	struct channel *tell, **tell_end; /* of which something is to be said */
	uint64_t arrivals;
};

/* a + b, or NEVER where that is beyond the end of time. Both at least 0. */
static inline int64_t later(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? NEVER : sum;
}

/* sched.c: there is something to say of the channel; or no more. */
void channel_tell(struct sched *sched, struct channel *channel);
void channel_untell(struct sched *sched, struct channel *channel);

/* sched/gpu.c */
/* The GPU for one more channel of the tenant, or NULL with ENODEV or ERANGE. */
struct gpu *gpu_place(const struct sched *sched, const struct tenant *tenant);
struct gpu *gpu_find(const struct sched *sched, uint32_t id);
struct pool *pool_find(const struct sched *sched, uint32_t id);

/* sched/channel.c */
void channel_destroy(struct sched *sched, struct channel *channel, int64_t now_ns);
void channel_free(struct channel *channel);
/* Takes the first of the channel's waiting jobs. */
struct job channel_pop(struct channel *channel);
/* Puts the channel among those with a job, where it has one that may run. */
void channel_enqueue(struct channel *channel);
/* It wants no more. */
void channel_withdraw_want(struct channel *channel);
/* It wants no more, and none of its jobs may run. */
void channel_withdraw(struct channel *channel);

/* sched/tenant.c, sched/tokens.c */
/* Brings the bucket up to now. */
void tenant_refill(struct tenant *tenant, int64_t now_ns);
/* Whether its rate allows one more request now; and takes it. */
bool tenant_has_token(struct tenant *tenant, int64_t now_ns);
void tenant_take_token(struct tenant *tenant);
/* The most that a bucket holds. */
int64_t bucket_size(const struct sched_tenant_config *config);
/* The rate or the bucket changed: when its waiting rings can have tokens. */
void tokens_rearm(struct sched *sched, struct tenant *tenant);
/* Gives tokens to rings whose time has come. */
void tokens_due(struct sched *sched, int64_t now_ns);
/* The channel waits for tokens no more. */
void tokens_forget(struct sched *sched, struct channel *channel);

/* sched/seat.c */
/* The seat of a tenant on a GPU, made where there is none. Returns NULL with ENOMEM. */
struct seat *seat_get(struct sched *sched, struct tenant *tenant, struct gpu *gpu);
/* The seat, or NULL. */
struct seat *seat_find(const struct tenant *tenant, const struct gpu *gpu);
/* Takes it off its GPU, and frees it. It has no channel. */
void seat_free(struct seat *seat);
/* It has new work. */
void seat_activate(const struct sched *sched, struct seat *seat, int64_t now_ns);
/* It may have lost work: where it has none, and is not the owner, it waits no more. */
void seat_check(const struct sched *sched, struct seat *seat, int64_t now_ns);
/* It waits for a turn, where its shares and its tenant's values put it. */
void seat_wait(const struct sched *sched, struct seat *seat, int64_t since_ns, int64_t now_ns);
/* It waits for a turn no more. */
void seat_unwait(const struct sched *sched, struct seat *seat, int64_t now_ns);
/* Its tenant's values changed from old; seat_settle() was called before. */
void seat_reconfigure(const struct sched *sched, struct seat *seat,
		      const struct sched_tenant_config *old, int64_t now_ns);
bool seat_has_work(const struct seat *seat);
/* The parameters changed: seats may stand elsewhere, and be due at other times. */
void gpu_reconsider(const struct sched *sched, struct gpu *gpu, int64_t now_ns);
/* Moves the seats whose shares let them stand elsewhere now. */
void gpu_timers_due(const struct sched *sched, struct gpu *gpu, int64_t now_ns);
/* Who goes first among those that wait, or NULL; *aged: for its long wait. */
struct seat *gpu_first(const struct sched *sched, const struct gpu *gpu, int64_t now_ns,
		       bool *aged);
/* Whether the owner must let another go first; to be asked after seat_settle(). */
bool gpu_overtaken(const struct sched *sched, struct gpu *gpu, bool slice_over, int64_t now_ns);

/* sched/share.c */
/* Charges the seat until now, and lets its shares grow. */
void seat_settle(const struct sched *sched, struct seat *seat, int64_t now_ns);
/* Charges what a worker says that it used, as far as its tenant was alone. */
void seat_claim(struct seat *seat, int64_t gpu_time_ns);
/* Whether others wait, or its own limit makes each of its nanoseconds count. */
bool gpu_contended(const struct gpu *gpu);
/* The values of a new seat, or of one whose tenant's values changed. */
void share_init(const struct sched *sched, struct seat *seat);
void share_change(const struct sched *sched, struct seat *seat,
		  const struct sched_tenant_config *old);
/* Brings exhausted and behind up to what settled before. */
void share_update(const struct sched *sched, struct seat *seat);
/* When a seat that waits has to be looked at again; NEVER. */
int64_t share_wait_due(const struct sched *sched, const struct seat *seat);
/* When the owner's allowance will be used up, or its arrears; NEVER. */
int64_t share_turn_due(const struct seat *seat);

/* sched/turn.c */
/* Something happened on the GPU. */
void gpu_touch(const struct sched *sched, struct gpu *gpu);
/* Draws the conclusions: turns that end and begin, and what is to be told. */
void turn_step(struct sched *sched, struct gpu *gpu, int64_t now_ns);
/* The job that runs ended, after gpu_time_ns as its worker says. */
void turn_stop_job(const struct sched *sched, struct gpu *gpu, int64_t gpu_time_ns, int64_t now_ns);
/* The channel holds nothing any more. */
void turn_release(const struct sched *sched, struct channel *channel, int64_t now_ns);
/* An adopted channel holds the GPU. Returns 0, or -1 with EBUSY. */
int turn_adopt(struct sched *sched, struct channel *channel, int64_t now_ns);
/* It is nobody's turn any more, whatever is held. */
void turn_abandon(const struct sched *sched, struct gpu *gpu, int64_t now_ns);

#endif
