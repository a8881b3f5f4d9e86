/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the cuda backend's allocations lie.
 *
 * The driver takes memory from the GPU in blocks of 2 MiB, and lets allocations of up to 1 MiB
 * share them, by rules of its own. For the quota to be exact, the sharing is done here: small
 * allocations are cut out of blocks that are the driver's allocations, and a block counts whole
 * from its first allocation until its last one is freed. Larger ones are the driver's own, and
 * count rounded up to 2 MiB. (An H100 with driver 580 took just that for all sizes from 1 byte to 1
 * GiB.)
 *
 * Nothing here calls the driver.
 */
#ifndef VGPU_WORKER_CUDA_MEMORY_H
#define VGPU_WORKER_CUDA_MEMORY_H

#include <stdint.h>

#define CUDA_BLOCK_BYTES (UINT64_C(2) << 20)
#define CUDA_UNIT_BYTES	 UINT64_C(512) /* small ones begin at multiples of this */
#define CUDA_SMALL_MAX	 (UINT64_C(1) << 20)
#define CUDA_BLOCK_UNITS (CUDA_BLOCK_BYTES / CUDA_UNIT_BYTES)

struct cuda_block {
	uint64_t start;
	uint32_t used_units;
	uint64_t used[CUDA_BLOCK_UNITS / 64]; /* a bit for each unit */
	struct cuda_block *previous, *next;
};

struct cuda_allocation {
	uint64_t start;
	uint64_t bytes;		  /* that were asked for */
	struct cuda_block *block; /* that it shares, or NULL */
};

struct cuda_memory {
	void *allocations; /* tsearch(3)'s tree, by address */
	struct cuda_block *blocks;
	uint64_t large_bytes; /* what the allocations without a block count */
	uint64_t block_count;
};

/* bytes rounded up to whole blocks; UINT64_MAX where that is too much for any memory. */
uint64_t cuda_memory_round(uint64_t bytes);

/* A block with room for a small allocation, or NULL; *unit is then where. */
struct cuda_block *cuda_memory_room(const struct cuda_memory *memory, uint64_t bytes,
				    uint32_t *unit);

/* Adds an empty block that the driver gave. Returns it, or NULL with ENOMEM. */
struct cuda_block *cuda_memory_add_block(struct cuda_memory *memory, uint64_t start);
/* Forgets a block without allocations. */
void cuda_memory_remove_block(struct cuda_memory *memory, struct cuda_block *block);

/*
 * Records an allocation: a large one, which the driver gave, where block is NULL; else one at a
 * place that cuda_memory_room() found. Returns it, or NULL with ENOMEM.
 */
struct cuda_allocation *cuda_memory_add(struct cuda_memory *memory, uint64_t start, uint64_t bytes,
					struct cuda_block *block);
void cuda_memory_remove(struct cuda_memory *memory, struct cuda_allocation *allocation);

/* The allocation that begins there, or NULL. */
struct cuda_allocation *cuda_memory_find(const struct cuda_memory *memory, uint64_t start);

/* Whether [start, start + bytes), bytes not being 0, lies within one allocation. */
int cuda_memory_within(const struct cuda_memory *memory, uint64_t start, uint64_t bytes);

/* What all allocations take from the GPU, in bytes. */
uint64_t cuda_memory_footprint(const struct cuda_memory *memory);

/* Forgets all of it. */
void cuda_memory_clear(struct cuda_memory *memory);

#endif
