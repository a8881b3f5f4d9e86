/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/cuda_memory.h"

#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

/* No GPU has more; so no sum of two sizes overflows. */
#define BYTES_MAX (UINT64_C(1) << 48)

uint64_t cuda_memory_round(uint64_t bytes)
{
	return bytes > BYTES_MAX ? UINT64_MAX : vgpu_align_up(bytes, CUDA_BLOCK_BYTES);
}

static uint32_t units_of(uint64_t bytes)
{
	return (uint32_t)(vgpu_align_up(bytes, CUDA_UNIT_BYTES) / CUDA_UNIT_BYTES);
}

static bool unit_used(const struct cuda_block *block, uint32_t unit)
{
	return block->used[unit / 64] >> (unit % 64) & 1;
}

static void mark_units(struct cuda_block *block, uint32_t unit, uint32_t count, bool used)
{
	for (uint32_t i = unit; i < unit + count; i++) {
		uint64_t bit = UINT64_C(1) << (i % 64);

		if (used)
			block->used[i / 64] |= bit;
		else
			block->used[i / 64] &= ~bit;
	}
	block->used_units = used ? block->used_units + count : block->used_units - count;
}

/* The first run of count free units. */
static bool find_run(const struct cuda_block *block, uint32_t count, uint32_t *unit)
{
	uint32_t run = 0;

	if (count > CUDA_BLOCK_UNITS - block->used_units)
		return false;
	for (uint32_t i = 0; i < CUDA_BLOCK_UNITS; i++) {
		if (i % 64 == 0 && block->used[i / 64] == UINT64_MAX) {
			run = 0;
			i += 63;
			continue;
		}
		run = unit_used(block, i) ? 0 : run + 1;
		if (run == count) {
			*unit = i + 1 - count;
			return true;
		}
	}
	return false;
}

struct cuda_block *cuda_memory_room(const struct cuda_memory *memory, uint64_t bytes,
				    uint32_t *unit)
{
	for (struct cuda_block *block = memory->blocks; block; block = block->next)
		if (find_run(block, units_of(bytes), unit))
			return block;
	return NULL;
}

struct cuda_block *cuda_memory_add_block(struct cuda_memory *memory, uint64_t start)
{
	struct cuda_block *block = calloc(1, sizeof(*block));

	if (!block) {
		errno = ENOMEM;
		return NULL;
	}
	block->start = start;
	block->next = memory->blocks;
	if (block->next)
		block->next->previous = block;
	memory->blocks = block;
	memory->block_count++;
	return block;
}

void cuda_memory_remove_block(struct cuda_memory *memory, struct cuda_block *block)
{
	if (block->previous)
		block->previous->next = block->next;
	else
		memory->blocks = block->next;
	if (block->next)
		block->next->previous = block->previous;
	memory->block_count--;
	free(block);
}

/* Allocations never overlap, so "overlapping is equal" orders them. */
static int compare(const void *left, const void *right)
{
	const struct cuda_allocation *a = left, *b = right;

	if (a->start + a->bytes <= b->start)
		return -1;
	if (b->start + b->bytes <= a->start)
		return 1;
	return 0;
}

static struct cuda_allocation *overlapping(const struct cuda_memory *memory, uint64_t start)
{
	const struct cuda_allocation key = { .start = start, .bytes = 1 };
	void *node = start < UINT64_MAX ? tfind(&key, &memory->allocations, compare) : NULL;

	return node ? *(struct cuda_allocation **)node : NULL;
}

struct cuda_allocation *cuda_memory_add(struct cuda_memory *memory, uint64_t start, uint64_t bytes,
					struct cuda_block *block)
{
	struct cuda_allocation *allocation = malloc(sizeof(*allocation));

	if (allocation) {
		*allocation = (struct cuda_allocation){ start, bytes, block };
		if (!tsearch(allocation, &memory->allocations, compare)) {
			free(allocation);
			allocation = NULL;
		}
	}
	if (!allocation) {
		errno = ENOMEM;
		return NULL;
	}
	if (block)
		mark_units(block, (uint32_t)((start - block->start) / CUDA_UNIT_BYTES),
			   units_of(bytes), true);
	else
		memory->large_bytes += cuda_memory_round(bytes);
	return allocation;
}

void cuda_memory_remove(struct cuda_memory *memory, struct cuda_allocation *allocation)
{
	struct cuda_block *block = allocation->block;

	if (block)
		mark_units(block, (uint32_t)((allocation->start - block->start) / CUDA_UNIT_BYTES),
			   units_of(allocation->bytes), false);
	else
		memory->large_bytes -= cuda_memory_round(allocation->bytes);
	tdelete(allocation, &memory->allocations, compare);
	free(allocation);
}

struct cuda_allocation *cuda_memory_find(const struct cuda_memory *memory, uint64_t start)
{
	struct cuda_allocation *allocation = overlapping(memory, start);

	return allocation && allocation->start == start ? allocation : NULL;
}

int cuda_memory_within(const struct cuda_memory *memory, uint64_t start, uint64_t bytes)
{
	const struct cuda_allocation *allocation = overlapping(memory, start);

	return allocation && vgpu_range_ok(start - allocation->start, bytes, allocation->bytes);
}

uint64_t cuda_memory_footprint(const struct cuda_memory *memory)
{
	return memory->large_bytes + memory->block_count * CUDA_BLOCK_BYTES;
}

void cuda_memory_clear(struct cuda_memory *memory)
{
	while (memory->blocks)
		cuda_memory_remove_block(memory, memory->blocks);
	tdestroy(memory->allocations, free);
	memset(memory, 0, sizeof(*memory));
}
