/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "tests/schedsim/sim_internal.h"

#define RETRY_NS   VGPU_NS_PER_MS	 /* a mailbox after a refusal */
#define KILL_NS	   VGPU_NS_PER_MS	 /* until a killed worker is gone */
#define RESTART_NS (50 * VGPU_NS_PER_MS) /* until its successor is there */

static uint64_t next_random(struct sim *sim)
{
	/* splitmix64 */
	uint64_t z = (sim->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int64_t job_length(struct sim *sim, const struct workload_load *load)
{
	if (load->exponential) {
		double uniform = ((double)(next_random(sim) >> 11) + 1) / 9007199254740993.0;

		return 1 + (int64_t)(-log(uniform) * (double)load->job_ns);
	}
	if (load->to_ns > load->job_ns)
		return load->job_ns +
		       (int64_t)(next_random(sim) % (uint64_t)(load->to_ns - load->job_ns + 1));
	return load->job_ns;
}

/* The first time from now on at which jobs arrive; INT64_MAX for never. */
static int64_t next_active(const struct workload_load *load, int64_t now_ns)
{
	int64_t at = now_ns > load->from_ns ? now_ns : load->from_ns;
	int64_t in = load->on_ns ? at % (load->on_ns + load->off_ns) : 0;

	if (load->on_ns && in >= load->on_ns)
		at += load->on_ns + load->off_ns - in;
	return at < load->until_ns ? at : INT64_MAX;
}

static bool has_rate(const struct worker *worker)
{
	return worker->tenant->config.requests_per_second != 0;
}

bool worker_waits(const struct worker *worker)
{
	if (!worker->gpu || worker->gone)
		return false;
	return worker->load->ring ? worker->wants : worker->count > 0 && !worker->granted;
}

/* Notes what a job had of the GPU, for each second. */
static void account(struct sim_tenant *tenant, int64_t start_ns, int64_t end_ns)
{
	tenant->gpu_ns += end_ns - start_ns;
	while (start_ns < end_ns) {
		int64_t second = start_ns / VGPU_NS_PER_SECOND;
		int64_t stop = (second + 1) * VGPU_NS_PER_SECOND;

		if (second != tenant->second)
			tenant->second_ns = 0;
		tenant->second = second;
		if (stop > end_ns)
			stop = end_ns;
		tenant->second_ns += stop - start_ns;
		if (tenant->second_ns > tenant->peak_ns)
			tenant->peak_ns = tenant->second_ns;
		start_ns = stop;
	}
}

static void note_wait(struct sim_tenant *tenant, int64_t wait_ns)
{
	unsigned int octave, bucket = 0;

	if (wait_ns >= 8) {
		octave = 63 - (unsigned int)__builtin_clzll((uint64_t)wait_ns);
		bucket = 8 * (octave - 2) + ((uint64_t)wait_ns >> (octave - 3)) % 8;
	} else if (wait_ns > 0) {
		bucket = (unsigned int)wait_ns;
	}
	tenant->waits[bucket < SIM_BUCKETS ? bucket : SIM_BUCKETS - 1]++;
}

/* The first of its jobs is no more. */
static void drop_first(struct worker *worker)
{
	worker->first = (worker->first + 1) % PENDING_MAX;
	worker->count--;
}

static void run_first(struct sim *sim, struct sim_gpu *gpu)
{
	struct worker *worker = gpu->queue;

	if (!worker)
		return;
	worker->start_ns = sim->now_ns;
	sim_at(sim, &gpu->done, sim->now_ns + worker->length_ns);
}

/* Gives the first of the worker's jobs to the GPU; it stays the first until it is done. */
static void start_job(struct sim *sim, struct worker *worker)
{
	note_wait(worker->tenant, sim->now_ns - worker->pending[worker->first].arrival_ns);
	worker->started = true;
	worker->length_ns = job_length(sim, worker->load);
	worker->queue_next = NULL;
	*worker->gpu->queue_end = worker;
	worker->gpu->queue_end = &worker->queue_next;
	if (worker->gpu->queue == worker)
		run_first(sim, worker->gpu);
}

/* Takes the worker's job off the GPU, done or not. */
static void stop_job(struct sim *sim, struct worker *worker)
{
	struct sim_gpu *gpu = worker->gpu;
	struct worker **place = &gpu->queue;
	bool first = gpu->queue == worker;

	if (!worker->started)
		return;
	worker->started = false;
	while (*place != worker)
		place = &(*place)->queue_next;
	*place = worker->queue_next;
	if (!*place)
		gpu->queue_end = place;
	if (!first)
		return;
	heap_remove(&sim->events, &gpu->done.node);
	account(worker->tenant, worker->start_ns, sim->now_ns);
	sim->result->busy_ns += sim->now_ns - worker->start_ns;
	worker->used_ns += sim->now_ns - worker->start_ns;
	run_first(sim, gpu);
}

void worker_report(struct sim *sim, struct worker *worker)
{
	int64_t used = worker->load->worker == WORKER_IDLE ? 0 : worker->used_ns;

	if (worker->granted && worker->load->ring)
		sched_used(sim->sched, worker->id, used, sim->now_ns);
	worker->used_ns = 0;
}

static void leave_gpu(struct sim *sim, struct worker *worker)
{
	if (worker->granted)
		sim_unhold(sim, worker->gpu);
	worker->granted = false;
	worker->revoked = false;
}

static void yield(struct sim *sim, struct worker *worker)
{
	worker_report(sim, worker);
	leave_gpu(sim, worker);
	sched_yielded(sim->sched, worker->id, sim->now_ns);
}

/* Whether it starts work in spite of a revocation. */
static bool goes_on(const struct sim *sim, const struct worker *worker)
{
	if (worker->load->worker == WORKER_IGNORE)
		return true;
	return worker->load->worker == WORKER_LATE &&
	       sim->now_ns < worker->revoked_ns + worker->load->delay_ns;
}

/* Whether there is something that a ring may take. */
static bool can_take(struct sim *sim, struct worker *worker)
{
	if (!worker->count)
		return false;
	if (!has_rate(worker) || worker->taken < worker->tokens)
		return true;
	if (!worker->asked)
		sched_want_tokens(sim->sched, worker->id, worker->taken, sim->now_ns);
	worker->asked = true;
	return false;
}

/* A ring's worker looks at its ring and its grant page. */
static void look(struct sim *sim, struct worker *worker)
{
	bool work;

	if (!worker->gpu || worker->started || worker->gone)
		return;
	work = can_take(sim, worker);
	if (worker->granted && work && (!worker->revoked || goes_on(sim, worker))) {
		worker->taken++;
		start_job(sim, worker);
		return;
	}
	if (worker->granted && (worker->revoked || worker->contended))
		yield(sim, worker);
	if (work && !worker->granted && !worker->wants) {
		worker->wants = true;
		worker->want_ns = sim->now_ns;
		sched_want(sim->sched, worker->id, sim->now_ns);
	}
}

/* Hands a mailbox's job to the scheduler; returns whether it was admitted. */
static bool submit(struct sim *sim, struct worker *worker, uint64_t job)
{
	if (worker->gpu && !worker->gone &&
	    sched_submit(sim->sched, worker->id, job, sim->now_ns) == SCHED_ADMITTED)
		return true;
	worker->tenant->refused++;
	return false;
}

static bool arrive(struct sim *sim, struct worker *worker)
{
	struct pending *pending = &worker->pending[(worker->first + worker->count) % PENDING_MAX];

	if (worker->count == PENDING_MAX) {
		worker->tenant->dropped++;
		return false;
	}
	*pending = (struct pending){ .job = ++sim->jobs, .arrival_ns = sim->now_ns };
	if (!worker->load->ring && !submit(sim, worker, pending->job))
		return false;
	worker->count++;
	return true;
}

void worker_arrivals(struct sim *sim, struct worker *worker)
{
	const struct workload_load *load = worker->load;
	int64_t at = next_active(load, sim->now_ns);
	uint32_t count = load->every_ns ? load->count : worker->owed;

	if (at == INT64_MAX)
		return;
	if (at > sim->now_ns) {
		sim_at(sim, &worker->arrival, at);
		return;
	}
	worker->owed = 0;
	for (uint32_t i = 0; i < count; i++)
		worker->owed += !arrive(sim, worker);
	if (load->every_ns)
		sim_at(sim, &worker->arrival, sim->now_ns + load->every_ns);
	else if (worker->owed)
		sim_at(sim, &worker->arrival, sim->now_ns + RETRY_NS);
	if (load->ring)
		look(sim, worker);
}

/* A closed loop sends the next. */
static void replace_job(struct sim *sim, struct worker *worker)
{
	if (worker->load->every_ns)
		return;
	worker->owed++;
	if (!worker->arrival.node.place)
		worker_arrivals(sim, worker);
}

void worker_job_done(struct sim *sim, struct sim_gpu *gpu)
{
	struct worker *worker = gpu->queue;
	int64_t ran = sim->now_ns - worker->start_ns;

	stop_job(sim, worker);
	worker->tenant->jobs++;
	if (!worker->load->ring) {
		leave_gpu(sim, worker);
		sched_complete(sim->sched, worker->pending[worker->first].job, ran, sim->now_ns);
	}
	drop_first(worker);
	replace_job(sim, worker);
	if (worker->load->ring)
		look(sim, worker);
}

/* What it had not done is lost. */
static void forget_jobs(struct worker *worker)
{
	worker->tenant->dropped += worker->count;
	if (!worker->load->every_ns)
		worker->owed = worker->load->closed;
	worker->count = 0;
	worker->used_ns = 0;
}

static void remove_channel(struct sim *sim, struct worker *worker)
{
	stop_job(sim, worker);
	leave_gpu(sim, worker);
	forget_jobs(worker);
	sched_channel_remove(sim->sched, worker->id, sim->now_ns);
	idmap_remove(&sim->by_id, worker->id);
	worker->gpu = NULL;
	worker->wants = false;
	worker->killed = false;
	sim_at(sim, &worker->next, sim->now_ns + RESTART_NS);
}

void worker_place(struct sim *sim, struct worker *worker)
{
	uint32_t gpu, id = ++sim->channels;

	if (sched_channel_add(sim->sched, id, worker->tenant_id, &gpu) < 0) {
		worker->tenant->unplaced++;
		sim_at(sim, &worker->next, sim->now_ns + RESTART_NS);
		return;
	}
	if (idmap_add(&sim->by_id, id, worker) < 0) {
		sim_broken(sim, "out of memory", worker->tenant_id);
		return;
	}
	worker->id = id;
	worker->gpu = sim_gpu(sim, gpu);
	worker->gone = false;
	worker->taken = 0;
	worker->tokens = 0;
	worker->asked = false;
	if (worker->gpu->failed)
		sim_broken(sim, "placed on a GPU that failed", worker->tenant_id);
	if (!worker->arrival.node.place)
		worker_arrivals(sim, worker);
	else if (worker->load->ring)
		look(sim, worker);
}

void worker_event(struct sim *sim, struct worker *worker)
{
	if (worker->gpu)
		remove_channel(sim, worker);
	else
		worker_place(sim, worker);
}

void worker_rate_changed(struct sim *sim, struct worker *worker)
{
	if (worker->gpu && worker->load->ring && !worker->gone)
		sched_want_tokens(sim->sched, worker->id, worker->taken, sim->now_ns);
}

static void granted(struct sim *sim, struct worker *worker, const struct sched_decision *decision)
{
	int64_t waited = sim->now_ns - worker->want_ns;

	if (!worker->wants || worker->granted)
		sim_broken(sim, "a grant that was not wanted", worker->tenant_id);
	if (waited > worker->tenant->longest_turn_wait_ns)
		worker->tenant->longest_turn_wait_ns = waited;
	worker->wants = false;
	worker->granted = true;
	worker->contended = decision->contended;
	sim_hold(sim, worker->gpu, worker->tenant_id);
	look(sim, worker);
}

static void run_job(struct sim *sim, struct worker *worker, uint64_t job)
{
	if (worker->granted || !worker->count || worker->pending[worker->first].job != job) {
		sim_broken(sim, "a job that is not the first, or runs", worker->tenant_id);
		return;
	}
	worker->granted = true;
	sim_hold(sim, worker->gpu, worker->tenant_id);
	start_job(sim, worker);
}

static void revoked(struct sim *sim, struct worker *worker)
{
	if (!worker->granted || worker->revoked)
		sim_broken(sim, "a revocation of what is not granted", worker->tenant_id);
	worker->revoked = true;
	worker->revoked_ns = sim->now_ns;
	/* Its page shows that it holds nothing. */
	if (!worker->started) {
		yield(sim, worker);
		look(sim, worker);
	}
}

static void expired(struct sim *sim, struct worker *worker, uint64_t job)
{
	if (!worker->started || worker->pending[worker->first].job != job) {
		sim_broken(sim, "a job expired that does not run", worker->tenant_id);
		return;
	}
	worker->tenant->expired++;
	stop_job(sim, worker);
	leave_gpu(sim, worker);
	drop_first(worker);
	sched_complete(sim->sched, job, 0, sim->now_ns);
	replace_job(sim, worker);
}

void worker_decision(struct sim *sim, struct worker *worker, const struct sched_decision *decision)
{
	switch (decision->kind) {
	case SCHED_RUN:
		run_job(sim, worker, decision->job);
		break;
	case SCHED_EXPIRE:
		expired(sim, worker, decision->job);
		break;
	case SCHED_GRANT:
		granted(sim, worker, decision);
		break;
	case SCHED_CONTEND:
	case SCHED_UNCONTEND:
		if (!worker->granted || worker->contended == (decision->kind == SCHED_CONTEND))
			sim_broken(sim, "nothing new about contention", worker->tenant_id);
		worker->contended = decision->kind == SCHED_CONTEND;
		look(sim, worker);
		break;
	case SCHED_REVOKE:
		revoked(sim, worker);
		break;
	case SCHED_KILL:
		if (!worker->revoked || worker->killed)
			sim_broken(sim, "a kill without reason, or twice", worker->tenant_id);
		worker->killed = true;
		worker->gone = true;
		worker->tenant->killed++;
		sim_at(sim, &worker->next, sim->now_ns + KILL_NS);
		break;
	case SCHED_LOST:
		if (!worker->gpu->failed)
			sim_broken(sim, "a loss of what is there", worker->tenant_id);
		worker->gone = true;
		remove_channel(sim, worker);
		break;
	case SCHED_TOKENS:
		worker->tokens = decision->tokens;
		worker->asked = false;
		look(sim, worker);
		break;
	}
}
