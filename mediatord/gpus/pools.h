/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the mediator has promised of its GPUs' memory, and of the host's. Pure: no I/O, no clock.
 *
 * A pool's commitment is the sum of its VMs' quotas of GPU memory and of the contexts' overhead:
 * one context for each VM, or those that there are where they are more. It stays within the
 * configured part of the memory that the pool's GPUs have. A VM without a quota promises nothing,
 * and can be promised nothing: it gets what is free. Where the memory of one of its GPUs is not
 * known, a pool refuses nothing.
 */
#ifndef VGPU_MEDIATORD_POOLS_H
#define VGPU_MEDIATORD_POOLS_H

#include <stdbool.h>

#include "mediatord/config.h"
#include "mediatord/usage.h"

struct pool_gpu {
	uint32_t index;
	size_t pool;	       /* the configuration's */
	bool failed;	       /* as last known: nothing is placed on it */
	uint64_t memory_bytes; /* 0: not known */
	uint32_t contexts;     /* that workers have, warm ones included */
	struct usage usage;    /* what jobs did on it since the mediator was started */
};

struct pool_commitment {
	uint64_t quota_bytes; /* the sum over its VMs */
	uint32_t vms;
};

struct pools {
	const struct config *config;
	size_t gpu_count;
	struct pool_gpu *gpus;
	struct pool_commitment *commitments; /* one a pool of the configuration */
	uint64_t window_bytes;		     /* registered with GPUs */
};

/* What one pool has and has promised, in bytes. */
struct pool_use {
	uint64_t memory_bytes;	  /* of its GPUs; 0: not known */
	uint64_t limit_bytes;	  /* of promises; 0: none */
	uint64_t committed_bytes; /* quotas and contexts */
	uint64_t context_bytes;	  /* of that, contexts */
	uint32_t contexts;	  /* that there are */
	uint32_t vms;
};

/* config stays the caller's. Returns 0, or -1 and err (no memory). */
int pools_init(struct pools *pools, const struct config *config, struct vgpu_error **err);
void pools_free(struct pools *pools);

/* NULL where no pool has a GPU of that index. */
struct pool_gpu *pools_gpu(struct pools *pools, uint32_t index);

void pools_use(const struct pools *pools, size_t pool, struct pool_use *use);

/*
 * Takes a VM with this quota of GPU memory into a pool. Returns 0; or -1 and err (EDQUOT), whose
 * message says what is promised already, with nothing changed.
 */
int pools_commit(struct pools *pools, size_t pool, uint64_t quota_bytes, struct vgpu_error **err);
/* One that was there before, and so was promised what it has. */
void pools_add(struct pools *pools, size_t pool, uint64_t quota_bytes);
/* Takes it out again. */
void pools_uncommit(struct pools *pools, size_t pool, uint64_t quota_bytes);
/*
 * A VM moves, or its quota changes. Returns as pools_commit(). What promises no more than before is
 * never refused.
 */
int pools_recommit(struct pools *pools, size_t from, uint64_t from_bytes, size_t to,
		   uint64_t to_bytes, struct vgpu_error **err);

/*
 * One more context on a GPU. Returns false, with nothing changed, where its pool has promised that
 * memory.
 */
bool pools_context_take(struct pools *pools, uint32_t gpu);
/* One that is there, whether it was asked for or not. */
void pools_context_add(struct pools *pools, uint32_t gpu);
void pools_context_release(struct pools *pools, uint32_t gpu);

/* Window memory that a channel registers with its GPU, against `window-commitment`. */
bool pools_window_take(struct pools *pools, uint64_t bytes);
void pools_window_add(struct pools *pools, uint64_t bytes);
void pools_window_release(struct pools *pools, uint64_t bytes);

#endif
