/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPUs and workers as they would be around the scheduler of the daemon, in simulated time. A GPU
 * runs one job after the other in the order in which workers start them; a job is never cut short;
 * each worker has one job there at most. Nothing but the workload decides what happens: the same
 * one gives the same result everywhere.
 */
#ifndef VGPU_TESTS_SCHEDSIM_SIMULATE_H
#define VGPU_TESTS_SCHEDSIM_SIMULATE_H

#include "tests/schedsim/workload.h"

/* Eight buckets an octave: within a tenth of the value. */
#define SIM_BUCKETS (8u * 48u)

struct sim_tenant {
	char name[WORKLOAD_NAME + 8];
	uint32_t group;
	struct sched_tenant_config config; /* at the end */
	int64_t gpu_ns;			   /* that its jobs were on GPUs */
	int64_t peak_ns;		   /* the most of it in one second, cut at full seconds */
	uint64_t jobs;			   /* done */
	uint64_t refused;		   /* by sched_submit() */
	uint64_t dropped; /* with a worker that was killed or lost, or never queued */
	uint64_t expired;
	uint64_t killed; /* workers */
	uint64_t unplaced;
	uint64_t refused_changes; /* by sched_tenant_set() */
	int64_t longest_turn_wait_ns;
	uint32_t waits[SIM_BUCKETS]; /* of jobs: from arrival to the GPU */
	/* The second that is being counted. */
	int64_t second, second_ns;
};

struct sim_result {
	struct sim_tenant *tenants;
	size_t tenant_count;
	int64_t run_ns;
	uint64_t decisions;
	uint64_t turns;
	int64_t busy_ns; /* of all GPUs */
	size_t gpus;
	char broken[160]; /* the first invariant that did not hold, and when; "" for none */
};

/*
 * Runs a workload. The invariants that must hold in every one are checked all the time: one tenant
 * at most holds a GPU; no GPU idles while a tenant without time_max_percent has work for it; each
 * decision fits what was said before (a kill is said once); the scheduler always knows when it is
 * to be asked again. Returns 0 and a result for sim_free(), also where one was broken; or -1 and an
 * error where the workload cannot be run.
 */
int sim_run(const struct workload *workload, struct sim_result **result, struct vgpu_error **err);
void sim_free(struct sim_result **result);

/* The time that so many percent of a tenant's jobs waited at most; 0 where there were none. */
int64_t sim_percentile(const struct sim_tenant *tenant, unsigned int percent);

/* What a tenant had of one GPU's time, in percent; above 100 where it had several. */
double sim_share(const struct sim_result *result, const struct sim_tenant *tenant);

/*
 * Jain's index of what the tenants of a class had for their weight: 1 where all had the same, 1/n
 * where one had it all. Says something of those that always had work. 1 for an empty class.
 */
double sim_fairness(const struct sim_result *result, uint32_t priority);

#endif
