/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warm workers: processes that have opened their GPU and are nobody's yet. A worker that is wanted
 * is taken from them, and is ready in the time that START takes; opening the GPU is then over.
 */
#ifndef VGPU_MEDIATORD_WARM_H
#define VGPU_MEDIATORD_WARM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct mediator;
struct warm;
struct worker;

/*
 * Makes the warm workers' keeper for the configuration's GPUs; it starts nothing before a
 * VM joins. Returns 0 and *warm, or -1 and err.
 */
int warm_new(struct mediator *mediator, struct warm **warm, struct vgpu_error **err);

/* Kills what is there, and frees everything but these workers. NULL is fine. */
void warm_free(struct warm **warm);

/*
 * A VM joined this pool (by its index), or left it: the GPUs of a pool that has one are to have
 * warm workers, and no others. Starts and ends nothing itself.
 */
void warm_join(struct warm *warm, uint32_t pool);
void warm_leave(struct warm *warm, uint32_t pool);

/*
 * A GPU failed: what is warm there is to end, and nothing to be started; or it works again. Starts
 * and ends nothing itself.
 */
void warm_gpu_failed(struct warm *warm, uint32_t gpu, bool failed);

/* TIMER_WARM: something may have to be started or ended. */
void warm_due(struct warm *warm);

/*
 * A warm worker of this GPU, prepared where there is one, to which START may be sent; it is the
 * caller's now. NULL where there is none.
 */
struct worker *warm_take(struct warm *warm, uint32_t gpu);

/* Whether a line about one may be logged now. */
bool warm_may_log(const struct worker *worker);

/* From worker.c, of one that was not taken. */
void warm_worker_prepared(struct worker *worker);
void warm_worker_lost(struct worker *worker, const char *text);
void warm_worker_gone(struct worker *worker);

#endif
