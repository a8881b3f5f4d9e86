/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/gpus/gpus.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "mediatord/gpus/ask.h"
#include "mediatord/gpus/software_gpu.h"
#include "mediatord/ticker.h"

#define LOOK_EVERY_NS (5 * VGPU_NS_PER_SECOND)

struct gpus {
	const struct config *config;
	gpus_listener *listener;
	void *opaque;
	struct ticker *ticker;	   /* or NULL: nobody watches yet */
	atomic_bool closing;	   /* a look that is under way ends early */
	pthread_mutex_t lock;	   /* of what follows */
	struct gpu_report *report; /* the latest */
	/* Of who looks, one thread at a time. */
	struct gpus_asker asker;
	char problem[GPU_TEXT_BYTES];
};

/* Appends a GPU of the configuration that the report lacks. */
static void add_configured(struct gpu_report *report, uint32_t index, enum gpu_state state,
			   const char *problem)
{
	struct gpu *gpu = &report->gpus[report->count];

	if (gpu_report_find(report, index) || report->count == GPUS_MAX)
		return;
	*gpu = (struct gpu){
		.index = index,
		.state = state,
		.utilization_percent = -1,
		.temperature_celsius = -1,
		.power_milliwatts = -1,
		.mig = -1,
	};
	snprintf(gpu->problem, sizeof(gpu->problem), "%s", problem);
	report->count++;
}

static void add_all_configured(const struct config *config, struct gpu_report *report,
			       enum gpu_state state, const char *problem)
{
	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t n = 0; n < config->pools[i].gpu_count; n++)
			add_configured(report, config->pools[i].gpus[n], state, problem);
}

static void look_software(const struct config *config, struct gpu_report *report)
{
	report->count = 0;
	add_all_configured(config, report, GPU_OK, "");
	for (size_t i = 0; i < report->count; i++) {
		snprintf(report->gpus[i].name, sizeof(report->gpus[i].name), "software GPU %u",
			 report->gpus[i].index);
		report->gpus[i].memory_bytes = software_gpu_memory();
	}
}

/* What a GPU was keeps standing while its driver does not answer for it. */
static void keep_what_it_was(struct gpus *gpus, struct gpu *gpu)
{
	const struct gpu *last = gpus->report ? gpu_report_find(gpus->report, gpu->index) : NULL;
	const struct gpu now = *gpu;

	if (!last || (now.state != GPU_HUNG && now.state != GPU_UNKNOWN))
		return;
	*gpu = *last;
	gpu->state = now.state;
	memcpy(gpu->problem, now.problem, sizeof(gpu->problem));
}

/* The same of all of them. */
static void look_failed(struct gpus *gpus, const struct vgpu_error *err, struct gpu_report *report)
{
	enum gpu_state state = err->status == ETIMEDOUT ? GPU_HUNG : GPU_UNKNOWN;

	if (gpus->report)
		*report = *gpus->report;
	else
		report->count = 0;
	for (size_t i = 0; i < report->count; i++) {
		report->gpus[i].state = state;
		snprintf(report->gpus[i].problem, sizeof(report->gpus[i].problem), "%s",
			 err->message);
	}
	add_all_configured(gpus->config, report, state, err->message);
}

static void look_driver(struct gpus *gpus, struct gpu_report *report)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (gpus_ask(&gpus->asker, report, &err) == 0) {
		for (size_t i = 0; i < report->count; i++)
			keep_what_it_was(gpus, &report->gpus[i]);
		add_all_configured(gpus->config, report, GPU_LOST,
				   "NVIDIA's driver does not list it");
		gpus->problem[0] = '\0';
		return;
	}
	/* Once for each problem: it may stay for days. */
	if (strncmp(gpus->problem, err->message, sizeof(gpus->problem) - 1) != 0)
		vgpu_log_warning("GPUs: %s", err->message);
	snprintf(gpus->problem, sizeof(gpus->problem), "%s", err->message);
	look_failed(gpus, err, report);
}

/* Returns 0, or -1 where there is no memory. */
static int look(struct gpus *gpus)
{
	struct gpu_report *report = malloc(sizeof(*report));
	struct gpu_report *old;

	if (!report)
		return -1;
	if (gpus->config->backend == VGPU_BACKEND_CUDA)
		look_driver(gpus, report);
	else
		look_software(gpus->config, report);
	if (gpus->listener)
		gpus->listener(gpus->opaque, report);
	pthread_mutex_lock(&gpus->lock);
	old = gpus->report;
	gpus->report = report;
	pthread_mutex_unlock(&gpus->lock);
	free(old);
	return 0;
}

/* Where there is no memory, the next look may find some. */
static void look_again(void *gpus)
{
	look(gpus);
}

int gpus_open(const struct config *config, struct gpus **gpus, struct vgpu_error **err)
{
	struct gpus *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->config = config;
	made->asker = (struct gpus_asker){ .program = config->gpuinfo, .closing = &made->closing };
	pthread_mutex_init(&made->lock, NULL);
	if (look(made) < 0) {
		gpus_close(&made);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	*gpus = made;
	return 0;
}

int gpus_watch(struct gpus *gpus, gpus_listener *listener, void *opaque, struct vgpu_error **err)
{
	gpus->listener = listener;
	gpus->opaque = opaque;
	return ticker_start("the GPUs'", LOOK_EVERY_NS, look_again, gpus, &gpus->ticker, err);
}

void gpus_close(struct gpus **gpus)
{
	struct gpus *old = vgpu_steal_pointer(gpus);

	if (!old)
		return;
	atomic_store(&old->closing, true);
	ticker_stop(&old->ticker);
	pthread_mutex_destroy(&old->lock);
	free(old->report);
	free(old);
}

struct gpu_report *gpus_snapshot(struct gpus *gpus)
{
	struct gpu_report *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	pthread_mutex_lock(&gpus->lock);
	*copy = *gpus->report;
	pthread_mutex_unlock(&gpus->lock);
	return copy;
}
