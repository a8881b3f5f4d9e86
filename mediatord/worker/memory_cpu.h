/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cpu backend's device memory: allocations in an address range of their own.
 *
 * Device pointers are numbers, not addresses of this process: every use is looked up, and must lie
 * within one live allocation. So a tenant's wild pointer cannot reach the worker's own memory, a
 * freed allocation is found out, and pointers tell nothing of the process's layout.
 */
#ifndef VGPU_WORKER_MEMORY_CPU_H
#define VGPU_WORKER_MEMORY_CPU_H

#include <stdint.h>

#include "mediatord/worker/allocations.h"

/* As CUDA's: every allocation begins at a multiple of this, and takes a multiple of it. */
#define MEMORY_CPU_GRANULARITY UINT64_C(256)

/* Where device pointers lie. */
#define MEMORY_CPU_FIRST UINT64_C(0x7f0000000000)
#define MEMORY_CPU_END	 UINT64_C(0x7fff00000000)

struct memory_cpu {
	struct allocation_table allocations;
	uint64_t next;	     /* where to look for a free address first */
	uint64_t used_bytes; /* of all allocations, rounded up to the granularity */
	uint64_t limit_bytes;
};

void memory_cpu_init(struct memory_cpu *memory, uint64_t limit_bytes);

/* `bytes` rounded up to the granularity; 0 where that overflows. */
uint64_t memory_cpu_footprint(uint64_t bytes);

/*
 * Allocates zeroed memory. Returns 0 and *pointer, or -1 with ENOMEM: over the limit, or the host
 * has none.
 */
int memory_cpu_alloc(struct memory_cpu *memory, uint64_t bytes, uint64_t *pointer);

/* Frees an allocation. Returns 0 and what it took, or -1 with EINVAL: none begins there. */
int memory_cpu_free(struct memory_cpu *memory, uint64_t pointer, uint64_t *footprint);

/* Frees all of them and returns what they took. */
uint64_t memory_cpu_free_all(struct memory_cpu *memory);

/*
 * Where the host has [pointer, pointer + bytes), bytes not being 0; NULL where that is not wholly
 * within one allocation. Valid until that allocation is freed.
 */
void *memory_cpu_at(const struct memory_cpu *memory, uint64_t pointer, uint64_t bytes);

#endif
