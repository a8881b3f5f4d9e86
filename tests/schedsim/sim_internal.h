/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator's files share: simulate.c the world, sim_worker.c its workers. */
#ifndef VGPU_TESTS_SCHEDSIM_SIM_INTERNAL_H
#define VGPU_TESTS_SCHEDSIM_SIM_INTERNAL_H

#include "mediatord/sched/idmap.h"
#include "mediatord/sched/heap.h"
#include "tests/schedsim/simulate.h"

#define PENDING_MAX WORKLOAD_CLOSED

enum event_kind {
	EVENT_ARRIVAL, /* struct worker: jobs arrive */
	EVENT_WORKER,  /* struct worker: it is removed, or placed again */
	EVENT_JOB,     /* struct sim_gpu: the job that runs is done */
	EVENT_CHANGE,  /* the next of the workload's changes */
	EVENT_SAMPLE,  /* what was used is reported */
};

struct event {
	struct heap_node node;
	enum event_kind kind;
	void *owner;
};

struct pending {
	uint64_t job; /* of a mailbox */
	int64_t arrival_ns;
};

struct worker {
	const struct workload_load *load;
	struct sim_tenant *tenant;
	uint32_t tenant_id;
	uint32_t id;	     /* the scheduler's channel */
	struct sim_gpu *gpu; /* NULL: not placed */
	struct event arrival, next;
	struct pending *pending; /* a ring of PENDING_MAX */
	uint32_t first, count;
	uint32_t owed; /* jobs of a closed loop that did not arrive */
	/* On the GPU. */
	bool started;
	int64_t start_ns, length_ns;
	struct worker *queue_next;
	/* What it was told. */
	bool granted, contended, revoked, killed, gone;
	int64_t revoked_ns;
	bool wants;
	int64_t want_ns;
	uint64_t tokens, taken;
	bool asked;	 /* for tokens */
	int64_t used_ns; /* not yet reported */
};

struct sim_gpu {
	uint32_t id;
	struct event done;
	struct worker *queue, **queue_end; /* the first one's job runs */
	/* Who was let to it, and how many of its workers. */
	uint32_t holder, held;
	bool failed;
};

struct sim {
	const struct workload *workload;
	struct sched *sched;
	struct sim_result *result;
	struct heap events;
	struct sim_gpu gpus[WORKLOAD_GPUS];
	struct worker *workers;
	size_t worker_count;
	struct idmap by_id;
	struct event change, sample;
	size_t changes; /* made */
	int64_t now_ns;
	uint64_t random;
	uint64_t numbers; /* of events */
	uint64_t jobs;
	uint32_t channels;
};

/* simulate.c */
void sim_broken(struct sim *sim, const char *what, uint32_t tenant);
void sim_at(struct sim *sim, struct event *event, int64_t time_ns);
struct sim_gpu *sim_gpu(struct sim *sim, uint32_t id);
/* Somebody was let to the GPU; or left it. */
void sim_hold(struct sim *sim, struct sim_gpu *gpu, uint32_t tenant);
void sim_unhold(struct sim *sim, struct sim_gpu *gpu);

/* sim_worker.c */
void worker_place(struct sim *sim, struct worker *worker);
void worker_arrivals(struct sim *sim, struct worker *worker);
void worker_event(struct sim *sim, struct worker *worker);
void worker_job_done(struct sim *sim, struct sim_gpu *gpu);
void worker_report(struct sim *sim, struct worker *worker);
void worker_decision(struct sim *sim, struct worker *worker, const struct sched_decision *decision);
/* Its tenant's rate was changed. */
void worker_rate_changed(struct sim *sim, struct worker *worker);
/* Whether it waits for the GPU, and the scheduler knows. */
bool worker_waits(const struct worker *worker);

#endif
