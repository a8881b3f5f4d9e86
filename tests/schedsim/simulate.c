/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/schedsim/simulate.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tests/schedsim/sim_internal.h"

#define SAMPLE_NS (100 * VGPU_NS_PER_MS)

void sim_broken(struct sim *sim, const char *what, uint32_t tenant)
{
	char *text = sim->result->broken;

	if (!text[0])
		snprintf(text, sizeof(sim->result->broken), "at %" PRId64 " ns, %s: %s",
			 sim->now_ns, sim->result->tenants[tenant].name, what);
}

void sim_at(struct sim *sim, struct event *event, int64_t time_ns)
{
	heap_remove(&sim->events, &event->node);
	event->node.key = (uint64_t)time_ns;
	event->node.number = sim->numbers++;
	heap_add(&sim->events, &event->node);
}

struct sim_gpu *sim_gpu(struct sim *sim, uint32_t id)
{
	for (size_t i = 0; i < sim->workload->gpu_count; i++) {
		if (sim->gpus[i].id == id)
			return &sim->gpus[i];
	}
	return NULL;
}

void sim_hold(struct sim *sim, struct sim_gpu *gpu, uint32_t tenant)
{
	if (gpu->held && gpu->holder != tenant)
		sim_broken(sim, "let to a GPU that another holds", tenant);
	gpu->holder = tenant;
	gpu->held++;
}

void sim_unhold(struct sim *sim, struct sim_gpu *gpu)
{
	if (gpu->held == 0)
		sim_broken(sim, "leaves a GPU that nobody holds", gpu->holder);
	else
		gpu->held--;
}

/* No GPU may idle while somebody waits for it whom no limit of his own holds back. */
static void check_idle(struct sim *sim)
{
	bool idle = false;

	for (size_t i = 0; i < sim->workload->gpu_count; i++)
		idle = idle || sim->gpus[i].held == 0;
	for (size_t i = 0; idle && i < sim->worker_count; i++) {
		const struct worker *worker = &sim->workers[i];
		uint32_t most = worker->tenant->config.time_max_percent;

		if (worker_waits(worker) && worker->gpu->held == 0 && (most == 0 || most == 100))
			sim_broken(sim, "waits for a GPU that is idle", worker->tenant_id);
	}
}

/* Carries out all that the scheduler decides now. */
static void decide(struct sim *sim)
{
	struct sched_decision decision;
	int64_t deadline;

	while (sched_next(sim->sched, sim->now_ns, &decision)) {
		struct worker *worker = idmap_get(&sim->by_id, decision.channel);

		sim->result->decisions++;
		if (!worker || worker->tenant_id != decision.tenant || !worker->gpu ||
		    worker->gpu->id != decision.gpu) {
			sim_broken(sim, "a decision on a channel that is not there",
				   decision.tenant);
			return;
		}
		worker_decision(sim, worker, &decision);
		if (sim->result->broken[0])
			return;
	}
	deadline = sched_deadline(sim->sched);
	if (deadline >= 0 && deadline <= sim->now_ns)
		sim_broken(sim, "the scheduler's deadline is over and nothing is decided", 0);
	check_idle(sim);
}

static void change_tenants(struct sim *sim, const struct workload_change *change)
{
	for (uint32_t i = 0; i < sim->result->tenant_count; i++) {
		struct sim_tenant *tenant = &sim->result->tenants[i];

		if (tenant->group != change->group)
			continue;
		if (sched_tenant_set(sim->sched, i, &change->config, sim->now_ns) == 0)
			tenant->config = change->config;
		else
			tenant->refused_changes++;
	}
	for (size_t i = 0; i < sim->worker_count; i++) {
		if (sim->workers[i].tenant->group == change->group)
			worker_rate_changed(sim, &sim->workers[i]);
	}
}

static void make_changes(struct sim *sim)
{
	const struct workload *workload = sim->workload;

	for (; sim->changes < workload->change_count; sim->changes++) {
		const struct workload_change *change = &workload->changes[sim->changes];
		struct sim_gpu *gpu = sim_gpu(sim, change->gpu);

		if (change->at_ns > sim->now_ns) {
			sim_at(sim, &sim->change, change->at_ns);
			return;
		}
		if (change->kind == CHANGE_TENANT) {
			change_tenants(sim, change);
			continue;
		}
		gpu->failed = change->kind == CHANGE_FAIL;
		if (gpu->failed)
			sched_gpu_fail(sim->sched, gpu->id, sim->now_ns);
		else
			sched_gpu_restore(sim->sched, gpu->id);
	}
}

static void handle(struct sim *sim, struct event *event)
{
	switch (event->kind) {
	case EVENT_ARRIVAL:
		worker_arrivals(sim, event->owner);
		break;
	case EVENT_WORKER:
		worker_event(sim, event->owner);
		break;
	case EVENT_JOB:
		worker_job_done(sim, event->owner);
		break;
	case EVENT_CHANGE:
		make_changes(sim);
		break;
	case EVENT_SAMPLE:
		for (size_t i = 0; i < sim->worker_count; i++)
			worker_report(sim, &sim->workers[i]);
		sim_at(sim, event, sim->now_ns + SAMPLE_NS);
		break;
	}
}

static void run(struct sim *sim)
{
	decide(sim);
	while (!sim->result->broken[0]) {
		struct heap_node *first = heap_first(&sim->events);
		int64_t deadline = sched_deadline(sim->sched);
		bool event = deadline < 0 || (int64_t)first->key <= deadline;

		sim->now_ns = event ? (int64_t)first->key : deadline;
		if (sim->now_ns >= sim->workload->run_ns)
			break;
		if (event) {
			heap_remove(&sim->events, first);
			handle(sim, HEAP_OWNER(first, struct event, node));
		}
		decide(sim);
	}
	sim->now_ns = sim->workload->run_ns;
}

/* What still waits has waited until now. */
static void finish(struct sim *sim)
{
	for (size_t i = 0; i < sim->worker_count; i++) {
		struct worker *worker = &sim->workers[i];
		int64_t waited = sim->now_ns - worker->want_ns;

		if (worker->wants && waited > worker->tenant->longest_turn_wait_ns)
			worker->tenant->longest_turn_wait_ns = waited;
	}
	for (size_t i = 0; i < sim->workload->gpu_count; i++) {
		struct sched_gpu_status status;

		if (sched_gpu_status(sim->sched, sim->gpus[i].id, &status) == 0)
			sim->result->turns += status.turns;
	}
}

static const char *reason(int error)
{
	return error == ERANGE ? "the guarantees add up to more than the GPUs have"
			       : "a value is out of range, or its pool has no GPU";
}

static int add_tenants(struct sim *sim, struct vgpu_error **err)
{
	const struct workload *workload = sim->workload;
	uint32_t id = 0;

	for (uint32_t g = 0; g < workload->group_count; g++) {
		const struct workload_group *group = &workload->groups[g];

		for (uint32_t i = 0; i < group->times; i++, id++) {
			struct sim_tenant *tenant = &sim->result->tenants[id];

			tenant->group = g;
			tenant->config = group->config;
			if (group->times == 1)
				snprintf(tenant->name, sizeof(tenant->name), "%s", group->name);
			else
				snprintf(tenant->name, sizeof(tenant->name), "%s.%u", group->name,
					 i + 1);
			if (sched_tenant_set(sim->sched, id, &group->config, 0) < 0)
				return vgpu_error_set(err, errno, "tenant %s: %s", tenant->name,
						      reason(errno));
		}
	}
	return 0;
}

static int add_gpus(struct sim *sim, struct vgpu_error **err)
{
	const struct workload *workload = sim->workload;

	for (size_t i = 0; i < workload->gpu_count; i++) {
		struct sim_gpu *gpu = &sim->gpus[i];

		gpu->id = workload->gpus[i].id;
		gpu->queue_end = &gpu->queue;
		gpu->done = (struct event){ .kind = EVENT_JOB, .owner = gpu };
		if (sched_gpu_add(sim->sched, gpu->id, workload->gpus[i].pool) < 0)
			return vgpu_error_errno(err, errno, "GPU %u", gpu->id);
	}
	for (size_t i = 0; i < workload->change_count; i++) {
		if (workload->changes[i].kind != CHANGE_TENANT &&
		    !sim_gpu(sim, workload->changes[i].gpu))
			return vgpu_error_set(err, EINVAL, "there is no GPU %u",
					      workload->changes[i].gpu);
	}
	return 0;
}

static int add_workers(struct sim *sim, const struct workload_load *load, struct vgpu_error **err)
{
	for (uint32_t t = 0; t < sim->result->tenant_count; t++) {
		struct sim_tenant *tenant = &sim->result->tenants[t];

		for (uint32_t c = 0; tenant->group == load->group && c < load->channels; c++) {
			struct worker *worker = &sim->workers[sim->worker_count++];

			worker->load = load;
			worker->tenant = tenant;
			worker->tenant_id = t;
			worker->owed = load->closed;
			worker->arrival = (struct event){ .kind = EVENT_ARRIVAL, .owner = worker };
			worker->next = (struct event){ .kind = EVENT_WORKER, .owner = worker };
			worker->pending = calloc(PENDING_MAX, sizeof(*worker->pending));
			if (!worker->pending)
				return vgpu_error_set(err, ENOMEM, "out of memory");
			worker_place(sim, worker);
		}
	}
	return 0;
}

static int set_up(struct sim *sim, struct vgpu_error **err)
{
	const struct workload *workload = sim->workload;
	struct sim_result *result = sim->result;
	size_t workers = 0;

	result->run_ns = workload->run_ns;
	result->gpus = workload->gpu_count;
	for (size_t i = 0; i < workload->group_count; i++)
		result->tenant_count += workload->groups[i].times;
	for (size_t i = 0; i < workload->load_count; i++)
		workers += (size_t)workload->groups[workload->loads[i].group].times *
			   workload->loads[i].channels;
	sim->sched = sched_new();
	result->tenants = calloc(result->tenant_count + 1, sizeof(*result->tenants));
	sim->workers = calloc(workers + 1, sizeof(*sim->workers));
	/* Each worker has two, each GPU one, and there are two more. */
	if (!sim->sched || !result->tenants || !sim->workers ||
	    heap_reserve(&sim->events, workers * 2 + workload->gpu_count + 2) < 0)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (sched_set_params(sim->sched, &workload->params, 0) < 0)
		return vgpu_error_errno(err, errno, "slice, yield, ageing or period");
	if (add_gpus(sim, err) < 0 || add_tenants(sim, err) < 0)
		return -1;
	for (size_t i = 0; i < workload->load_count; i++) {
		if (add_workers(sim, &workload->loads[i], err) < 0)
			return -1;
	}
	sim->change = (struct event){ .kind = EVENT_CHANGE };
	sim->sample = (struct event){ .kind = EVENT_SAMPLE };
	sim_at(sim, &sim->sample, SAMPLE_NS);
	make_changes(sim);
	return 0;
}

int sim_run(const struct workload *workload, struct sim_result **result, struct vgpu_error **err)
{
	VGPU_AUTO_FREE struct sim *sim = calloc(1, sizeof(*sim));
	struct sim_result *made = calloc(1, sizeof(*made));
	int status;

	if (!sim || !made) {
		free(made);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	sim->workload = workload;
	sim->result = made;
	sim->random = workload->seed;
	status = set_up(sim, err);
	if (status == 0) {
		run(sim);
		finish(sim);
	}
	for (size_t i = 0; i < sim->worker_count; i++)
		free(sim->workers[i].pending);
	free(sim->workers);
	heap_free(&sim->events);
	idmap_clear(&sim->by_id);
	sched_free(&sim->sched);
	if (status < 0)
		sim_free(&made);
	else
		*result = made;
	return status;
}

void sim_free(struct sim_result **result)
{
	if (*result)
		free((*result)->tenants);
	free(*result);
	*result = NULL;
}

int64_t sim_percentile(const struct sim_tenant *tenant, unsigned int percent)
{
	uint64_t count = 0, below = 0;
	unsigned int bucket;

	for (bucket = 0; bucket < SIM_BUCKETS; bucket++)
		count += tenant->waits[bucket];
	for (bucket = 0; bucket < SIM_BUCKETS && count; bucket++) {
		below += tenant->waits[bucket];
		if (below * 100 >= count * percent)
			break;
	}
	if (bucket < 8 || bucket == SIM_BUCKETS)
		return bucket % SIM_BUCKETS;
	/* The end of the bucket. */
	return ((int64_t)(8 + bucket % 8 + 1) << (bucket / 8 - 1)) - 1;
}

double sim_share(const struct sim_result *result, const struct sim_tenant *tenant)
{
	return 100.0 * (double)tenant->gpu_ns / (double)result->run_ns;
}

double sim_fairness(const struct sim_result *result, uint32_t priority)
{
	double sum = 0, squares = 0;
	size_t count = 0;

	for (size_t i = 0; i < result->tenant_count; i++) {
		const struct sim_tenant *tenant = &result->tenants[i];
		double had = sim_share(result, tenant) / tenant->config.weight;

		if (tenant->config.priority != priority)
			continue;
		count++;
		sum += had;
		squares += had * had;
	}
	return squares > 0 ? sum * sum / ((double)count * squares) : 1;
}
