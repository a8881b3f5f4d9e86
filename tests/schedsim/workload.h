/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload for the scheduler's simulator, and its description as text: one statement a line, '#'
 * begins a comment. Times are numbers with a unit: ns, us, ms or s. Later lines win.
 *
 *   run TIME                  how long; default 10s
 *   seed NUMBER               of the random lengths; default 1
 *   slice | yield | ageing | period TIME
 *                             sched.h's parameters
 *   gpu NUMBER [pool NUMBER]  a GPU, in pool 0 if it is not said
 *   tenant NAME KEY VALUE...  one tenant, or several alike that are called NAME.1, NAME.2, ...:
 *       times N, pool N, class low|medium|high, weight N, guaranteed PERCENT, max PERCENT,
 *       rate N, burst N, depth N, longest TIME
 *   load NAME ring|mailbox KEY VALUE...
 *                             what each of these tenants does, beside its other loads:
 *       channels N            so many channels, each with all of this; default 1
 *       closed N              N jobs are outstanding at all times; default 1
 *       every TIME            one arrives in each such time instead
 *       count N               not one but N
 *       job TIME              how long it is on the GPU; default 1ms
 *       to TIME               uniformly from `job` to this
 *       exp yes               exponentially, with the mean `job`
 *       on TIME off TIME      jobs arrive in the first part of each such time only
 *       from TIME until TIME  and in this span only
 *       worker honest|late|ignore|idle
 *                             how a ring's worker takes a revocation: it yields after the job that
 *                             is on the GPU; it starts others for `delay` before; never; or it is
 *                             honest, but says that it used nothing
 *       delay TIME            default 5ms
 *   at TIME tenant NAME KEY VALUE...
 *                             changes these values of the tenants; `times` and `pool` stay
 *   at TIME fail | restore GPU
 */
#ifndef VGPU_TESTS_SCHEDSIM_WORKLOAD_H
#define VGPU_TESTS_SCHEDSIM_WORKLOAD_H

#include "common/error.h"
#include "mediatord/sched/sched.h"

#define WORKLOAD_NAME	   32u
#define WORKLOAD_GPUS	   64u
#define WORKLOAD_GROUPS	   256u
#define WORKLOAD_LOADS	   256u
#define WORKLOAD_CHANGES   256u
#define WORKLOAD_TENANTS   20000u
#define WORKLOAD_CHANNELS  16u	 /* of a load, for each tenant */
#define WORKLOAD_CLOSED	   1024u /* outstanding jobs of a channel */
#define WORKLOAD_BYTES_MAX (1u << 20)
#define WORKLOAD_TIME_MAX  (3600 * VGPU_NS_PER_SECOND)

/* Tenants that are alike. */
struct workload_group {
	char name[WORKLOAD_NAME];
	uint32_t times;
	struct sched_tenant_config config;
};

enum workload_worker {
	WORKER_HONEST,
	WORKER_LATE,
	WORKER_IGNORE,
	WORKER_IDLE,
};

struct workload_load {
	uint32_t group;
	bool ring;
	uint32_t channels;
	uint32_t closed; /* jobs outstanding; not used where every_ns is set */
	int64_t every_ns;
	uint32_t count;
	int64_t job_ns, to_ns;
	bool exponential;
	int64_t on_ns, off_ns; /* both 0: always */
	int64_t from_ns, until_ns;
	enum workload_worker worker;
	int64_t delay_ns;
};

enum workload_change_kind {
	CHANGE_TENANT,
	CHANGE_FAIL,
	CHANGE_RESTORE,
};

struct workload_change {
	int64_t at_ns;
	enum workload_change_kind kind;
	uint32_t group; /* CHANGE_TENANT */
	struct sched_tenant_config config;
	uint32_t gpu;
};

struct workload {
	int64_t run_ns;
	uint64_t seed;
	struct sched_params params;
	struct {
		uint32_t id, pool;
	} gpus[WORKLOAD_GPUS];
	size_t gpu_count;
	struct workload_group groups[WORKLOAD_GROUPS];
	size_t group_count;
	struct workload_load loads[WORKLOAD_LOADS];
	size_t load_count;
	struct workload_change changes[WORKLOAD_CHANGES]; /* in the order of time */
	size_t change_count;
};

/*
 * Reads a description. Returns 0 and a workload that the caller frees with free(), or -1 and an
 * error that names the line.
 */
int workload_parse(const char *text, size_t size, struct workload **workload,
		   struct vgpu_error **err);

#endif
