/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators ask of the loop beyond a VM's configuration. Any thread may call these; each waits
 * for the loop, and fails with ESHUTDOWN once that has ended.
 */
#ifndef VGPU_MEDIATORD_ACTIONS_H
#define VGPU_MEDIATORD_ACTIONS_H

#include <stddef.h>

#include "common/error.h"
#include "mediatord/control.h"
#include "mediatord/gpus/pools.h"
#include "mediatord/vm_config.h"

/* How VMs were when the loop was asked. */
struct vm_statuses {
	size_t count;
	struct {
		uint8_t uuid[16];
		struct vm_status status;
	} * vms; /* in no order */
};

/*
 * Of all VMs. The loop is asked for some at a time, so that a thousand of them hold up none of its
 * other work for long; one that comes or goes meanwhile may be missing. Returns 0 and *statuses,
 * which statuses_free() frees; or -1 and err.
 */
int action_statuses(struct control *control, struct vm_statuses *statuses, struct vgpu_error **err);
void statuses_free(struct vm_statuses *statuses);

/*
 * Ends all workers of a VM: its programs find their contexts lost, and may begin anew. Returns 0,
 * or -1 and err (ENOENT).
 */
int action_reset(struct control *control, const uint8_t uuid[16], struct vgpu_error **err);

/*
 * Ends what a VM has and refuses what it asks for, or ends a quarantine, whoever began it. Return
 * 0, or -1 and err (ENOENT).
 */
int action_quarantine(struct control *control, const uint8_t uuid[16], struct vgpu_error **err);
int action_release(struct control *control, const uint8_t uuid[16], struct vgpu_error **err);

/* What each pool of the configuration, `count` of them, has and has promised; 0, or -1 and err. */
int action_pools(struct control *control, struct pool_use *uses, size_t count,
		 struct vgpu_error **err);

/*
 * Copies the pools' GPUs, `count` at most, of which there are as many as the configuration's pools
 * have; the rest is left as it is. 0, or -1 and err.
 */
int action_gpus(struct control *control, struct pool_gpu *gpus, size_t count,
		struct vgpu_error **err);

/* Has the loop end, as a signal does. Returns 0, or -1 and err (ESHUTDOWN: it has). */
int action_end(struct control *control, struct vgpu_error **err);

/* Returns 0 as soon as the loop answers, or -1 and err (ETIMEDOUT: it has not within 2 s). */
int action_ping(struct control *control, struct vgpu_error **err);

#endif
