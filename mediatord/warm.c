/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a GPU takes the driver's locks, and with them the time of those who have work: one worker
 * of a GPU is prepared at a time, and none right after one was taken, which its tenant waits for.
 *
 * Workers are started and ended upon a timer alone: never from within what told of a reason for it.
 */
#include "mediatord/warm.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "mediatord/backoff.h"
#include "mediatord/vm.h"
#include "mediatord/worker.h"

/* Between two starts on a GPU, and after one was taken. */
#define INTERVAL_NS (100 * VGPU_NS_PER_MS)

/* One that was lost sooner than this says that the next will be lost, too. */
#define PROVEN_NS (10 * VGPU_NS_PER_SECOND)

struct warm_gpu {
	struct warm *warm;
	uint32_t gpu;
	uint32_t pool;	     /* its index in the configuration */
	unsigned int vms;    /* in the pool */
	unsigned int there;  /* prepared, or being so */
	unsigned int ending; /* killed, not yet reaped */
	bool preparing;
	bool failed;	     /* the GPU */
	int64_t earliest_ns; /* of the next start */
	struct backoff backoff;
};

struct warm {
	struct mediator *mediator;
	struct timer timer;
	struct vgpu_log_limit log;
	size_t count;
	struct warm_gpu gpus[];
};

int warm_new(struct mediator *mediator, struct warm **warm, struct vgpu_error **err)
{
	const struct config *config = mediator->config;
	struct warm *made;
	size_t count = 0;

	for (size_t pool = 0; pool < config->pool_count; pool++)
		count += config->pools[pool].gpu_count;
	made = calloc(1, sizeof(*made) + count * sizeof(made->gpus[0]));
	if (!made || timers_reserve(loop_timers(mediator->loop), 1) < 0) {
		free(made);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	made->mediator = mediator;
	made->timer = (struct timer){ .kind = TIMER_WARM, .owner = made };
	made->log = (struct vgpu_log_limit){ .burst = 40, .period_ns = 10 * VGPU_NS_PER_SECOND };
	for (size_t pool = 0; pool < config->pool_count; pool++)
		for (size_t i = 0; i < config->pools[pool].gpu_count; i++)
			made->gpus[made->count++] =
				(struct warm_gpu){ .warm = made,
						   .gpu = config->pools[pool].gpus[i],
						   .pool = (uint32_t)pool };
	*warm = made;
	return 0;
}

static struct warm_gpu *find(struct warm *warm, uint32_t gpu)
{
	for (size_t i = 0; i < warm->count; i++)
		if (warm->gpus[i].gpu == gpu)
			return &warm->gpus[i];
	return NULL;
}

/* One that is there, prepared rather than not. */
static struct worker *find_worker(const struct warm_gpu *gpu)
{
	struct worker *found = NULL;

	for (struct worker *worker = gpu->warm->mediator->workers; worker; worker = worker->next)
		if (worker->warm == gpu && worker->state == WORKER_WARM) {
			found = worker;
			if (worker->prepared)
				break;
		}
	return found;
}

/* It is not there any more, for whatever reason. */
static void leave(struct warm_gpu *gpu, const struct worker *worker)
{
	gpu->there--;
	if (!worker->prepared)
		gpu->preparing = false;
}

static void end(struct warm_gpu *gpu, struct worker *worker)
{
	leave(gpu, worker);
	gpu->ending++;
	worker_kill(worker);
}

static unsigned int wanted(const struct warm_gpu *gpu)
{
	return gpu->vms && !gpu->failed ? gpu->warm->mediator->config->warm_workers : 0;
}

/* When this GPU is to be looked at next, or INT64_MAX: when something changes. */
static int64_t next_look(const struct warm_gpu *gpu)
{
	if (gpu->there > wanted(gpu))
		return 0;
	/* Where one does not end, its driver is wedged: another would be, too. */
	if (gpu->there == wanted(gpu) || gpu->preparing || gpu->ending)
		return INT64_MAX;
	return gpu->backoff.retry_ns > gpu->earliest_ns ? gpu->backoff.retry_ns : gpu->earliest_ns;
}

/* Sets the timer for what is to be done next. */
static void plan(struct warm *warm)
{
	struct timers *timers = loop_timers(warm->mediator->loop);
	int64_t next_ns = INT64_MAX;

	for (size_t i = 0; i < warm->count; i++) {
		int64_t look_ns = next_look(&warm->gpus[i]);

		if (look_ns < next_ns)
			next_ns = look_ns;
	}
	if (next_ns == INT64_MAX)
		timer_cancel(timers, &warm->timer);
	else
		timer_set(timers, &warm->timer, next_ns);
}

static void count_vms(struct warm *warm, uint32_t pool, int change)
{
	for (size_t i = 0; i < warm->count; i++)
		if (warm->gpus[i].pool == pool)
			warm->gpus[i].vms += (unsigned int)change;
	plan(warm);
}

void warm_join(struct warm *warm, uint32_t pool)
{
	count_vms(warm, pool, 1);
}

void warm_leave(struct warm *warm, uint32_t pool)
{
	count_vms(warm, pool, -1);
}

void warm_gpu_failed(struct warm *warm, uint32_t index, bool failed)
{
	struct warm_gpu *gpu = find(warm, index);

	if (!gpu)
		return;
	gpu->failed = failed;
	plan(warm);
}

void warm_free(struct warm **warm)
{
	struct warm *old = *warm;

	if (!old)
		return;
	for (struct worker *worker = old->mediator->workers; worker; worker = worker->next)
		if (worker->warm) {
			worker_kill(worker);
			worker->warm = NULL;
		}
	timer_cancel(loop_timers(old->mediator->loop), &old->timer);
	timers_unreserve(loop_timers(old->mediator->loop), 1);
	free(old);
	*warm = NULL;
}

static void fail(struct warm_gpu *gpu, const char *text)
{
	int64_t now_ns = vgpu_now_ns();

	backoff_fail(&gpu->backoff, now_ns);
	if (vgpu_log_allowed(&gpu->warm->log, now_ns))
		vgpu_log_warning("GPU %u has lost a warm worker: %s", gpu->gpu, text);
}

static void start(struct warm_gpu *gpu, int64_t now_ns)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct worker *worker;

	gpu->earliest_ns = now_ns + INTERVAL_NS;
	if (worker_prepare(gpu->warm->mediator, gpu->gpu, &worker, &err) < 0) {
		fail(gpu, err->message);
		return;
	}
	worker->warm = gpu;
	gpu->there++;
	gpu->preparing = true;
}

void warm_due(struct warm *warm)
{
	int64_t now_ns = vgpu_now_ns();

	for (size_t i = 0; i < warm->count; i++) {
		struct warm_gpu *gpu = &warm->gpus[i];

		while (gpu->there > wanted(gpu))
			end(gpu, find_worker(gpu));
		if (next_look(gpu) <= now_ns)
			start(gpu, now_ns);
	}
	plan(warm);
}

struct worker *warm_take(struct warm *warm, uint32_t index)
{
	struct warm_gpu *gpu = find(warm, index);
	struct worker *worker = gpu ? find_worker(gpu) : NULL;

	if (!worker)
		return NULL;
	leave(gpu, worker);
	worker->warm = NULL;
	if (worker->prepared)
		backoff_succeed(&gpu->backoff);
	gpu->earliest_ns = vgpu_now_ns() + INTERVAL_NS;
	plan(warm);
	return worker;
}

void warm_worker_prepared(struct worker *worker)
{
	worker->warm->preparing = false;
	plan(worker->warm->warm);
}

bool warm_may_log(const struct worker *worker)
{
	return vgpu_log_allowed(&worker->warm->warm->log, vgpu_now_ns());
}

void warm_worker_lost(struct worker *worker, const char *text)
{
	struct warm_gpu *gpu = worker->warm;

	if (worker->prepared && vgpu_now_ns() - worker->start_ns >= PROVEN_NS)
		backoff_succeed(&gpu->backoff);
	fail(gpu, text);
	end(gpu, worker);
	plan(gpu->warm);
}

void warm_worker_gone(struct worker *worker)
{
	struct warm_gpu *gpu = worker->warm;

	gpu->ending--;
	worker->warm = NULL;
	plan(gpu->warm);
}
