/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs vgpu-gpuinfo: once for which GPUs there are, then once for each of them, all at the same
 * time, so that one whose driver does not answer says nothing of the others.
 */
#ifndef VGPU_MEDIATORD_GPUS_ASK_H
#define VGPU_MEDIATORD_GPUS_ASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "mediatord/gpus/report.h"

/* Of one thread. */
struct gpus_asker {
	const char *program;
	const atomic_bool *closing; /* once set, what is under way ends early */
	/* A process that was killed and has not ended, or 0: of the list, and of each GPU. */
	pid_t stuck_list, stuck[GPUS_MAX];
};

/*
 * Takes up to 15 s twice. Returns 0 and *report, in which a GPU that was not answered for in time
 * is GPU_HUNG and lacks everything but its index; or -1 and err (ETIMEDOUT: the driver does not
 * even say which GPUs there are).
 */
int gpus_ask(struct gpus_asker *asker, struct gpu_report *report, struct vgpu_error **err);

#endif
