/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the control plane's threads (REST) speak to the loop that owns links, workers and scheduler.
 * Each call hands a command to the loop, wakes it, and waits for the answer; the loop never waits
 * for the control plane. Callable from any thread; the loop's own (which is the one that made the
 * mediator, also before it runs) carries the command out at once. Once the loop has ended, every
 * call fails with ESHUTDOWN.
 */
#ifndef VGPU_MEDIATORD_CONTROL_H
#define VGPU_MEDIATORD_CONTROL_H

#include "common/error.h"
#include "mediatord/gpus/report.h"
#include "mediatord/vm_config.h"

struct control;
struct mediator;

/*
 * Puts a VM's configuration in force: creates the VM and its link socket where they are not there,
 * changes a running one otherwise. Returns 0 once it is in force, or -1 and err (EINVAL: no such
 * pool; or what creating the socket gave).
 */
int control_vm_put(struct control *control, const struct vm_config *config,
		   struct vgpu_error **err);

/* Ends a VM's link and worker and removes its link socket. Returns 0 also where it is not there. */
int control_vm_delete(struct control *control, const uint8_t uuid[16], struct vgpu_error **err);

/* Returns 0 and *status, or -1 and err (ENOENT). */
int control_vm_status(struct control *control, const uint8_t uuid[16], struct vm_status *status,
		      struct vgpu_error **err);

/*
 * What the VMs did: of all, or of those where something changed since the last call; *count of
 * them, in a list that the caller frees with free(). Returns 0, or -1 and err.
 */
int control_usages(struct control *control, bool all, struct vm_usage **usages, size_t *count,
		   struct vgpu_error **err);

/* Adds what a VM did before this mediator was started. Returns 0, or -1 and err (ENOENT). */
int control_usage_restore(struct control *control, const struct vm_usage *usage,
			  struct vgpu_error **err);

/*
 * What the driver says of the GPUs now: one that fails ends what uses it. Returns 0, or -1 and err
 * (ESHUTDOWN).
 */
int control_gpus(struct control *control, const struct gpu_report *report, struct vgpu_error **err);

/* What control_call() has the loop do: it must not wait for anything. 0, or -1 and err. */
typedef int control_function(struct mediator *mediator, void *argument, struct vgpu_error **err);

/* Has the loop call a function, and returns what that does. actions.h has what there is. */
int control_call(struct control *control, control_function *function, void *argument,
		 struct vgpu_error **err);
/* The same, or ETIMEDOUT where the loop has not taken it up within so long. */
int control_call_within(struct control *control, int64_t limit_ns, control_function *function,
			void *argument, struct vgpu_error **err);

#endif
