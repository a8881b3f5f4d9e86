/* SPDX-License-Identifier: Apache-2.0 */
/* Who grants a worker GPU memory, and its context there. */
#ifndef VGPU_WORKER_MEMORY_LEDGER_H
#define VGPU_WORKER_MEMORY_LEDGER_H

#include <stdint.h>

#include "common/error.h"

/*
 * Who keeps the sum of what the VM's workers hold: the mediator. All functions return -1 and err
 * where it can no longer be asked, which ends the worker.
 */
struct memory_ledger {
	/* Before `bytes` are taken. Returns 1 where they are granted, 0 where the quota forbids. */
	int (*reserve)(void *opaque, uint64_t bytes, struct vgpu_error **err);
	/* After `bytes` were given back. Returns 0. */
	int (*release)(void *opaque, uint64_t bytes, struct vgpu_error **err);
	/* The same for a channel's context on the GPU, which counts by itself. */
	int (*take_context)(void *opaque, struct vgpu_error **err);
	int (*give_context_back)(void *opaque, struct vgpu_error **err);
	void *opaque;
};

#endif
