/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/memory_cpu.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/bytes.h"

/* From this size on, memory comes from mmap(2) alone, so that freeing gives it back to the host. */
#define MAP_THRESHOLD (UINT64_C(256) << 10)

/*
 * Key and value of the tree. Allocations never overlap, so "overlapping is equal" orders them, and
 * one comparison serves for placing, for freeing and for looking up a range.
 */
struct allocation {
	uint64_t start;
	uint64_t bytes;	    /* that the tenant asked for: accesses beyond are refused */
	uint64_t footprint; /* that it takes */
	void *host;
};

static int allocation_compare(const void *left, const void *right)
{
	const struct allocation *a = left, *b = right;

	if (a->start + a->footprint <= b->start)
		return -1;
	if (b->start + b->footprint <= a->start)
		return 1;
	return 0;
}

/* The allocation that shares a byte with [start, start + footprint), or NULL. */
static struct allocation *allocation_find(const struct memory_cpu *memory, uint64_t start,
					  uint64_t footprint)
{
	const struct allocation key = { .start = start, .footprint = footprint };
	void *node = tfind(&key, &memory->allocations, allocation_compare);

	return node ? *(struct allocation **)node : NULL;
}

void memory_cpu_init(struct memory_cpu *memory, uint64_t limit_bytes)
{
	*memory = (struct memory_cpu){ .next = MEMORY_CPU_FIRST, .limit_bytes = limit_bytes };
}

uint64_t memory_cpu_footprint(uint64_t bytes)
{
	if (bytes > UINT64_MAX - (MEMORY_CPU_GRANULARITY - 1))
		return 0;
	return vgpu_align_up(bytes, MEMORY_CPU_GRANULARITY);
}

/* The first free place in [from, to), or 0. Steps over one allocation at a time. */
static uint64_t find_place(const struct memory_cpu *memory, uint64_t from, uint64_t to,
			   uint64_t footprint)
{
	uint64_t place = from;

	while (vgpu_range_ok(place, footprint, to)) {
		const struct allocation *in_the_way = allocation_find(memory, place, footprint);

		if (!in_the_way)
			return place;
		place = in_the_way->start + in_the_way->footprint;
	}
	return 0;
}

static void *host_alloc(uint64_t footprint)
{
	void *host;

	if (footprint < MAP_THRESHOLD)
		return calloc(1, footprint);
	host = mmap(NULL, footprint, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return host == MAP_FAILED ? NULL : host;
}

static void host_free(void *host, uint64_t footprint)
{
	if (footprint < MAP_THRESHOLD)
		free(host);
	else
		munmap(host, footprint);
}

/* An allocation with its memory, or NULL with ENOMEM. */
static struct allocation *allocation_new(uint64_t start, uint64_t bytes, uint64_t footprint)
{
	struct allocation *allocation = malloc(sizeof(*allocation));
	void *host = allocation ? host_alloc(footprint) : NULL;

	if (!host) {
		free(allocation);
		errno = ENOMEM;
		return NULL;
	}
	*allocation = (struct allocation){ start, bytes, footprint, host };
	return allocation;
}

static void allocation_free(void *pointer)
{
	struct allocation *allocation = pointer;

	host_free(allocation->host, allocation->footprint);
	free(allocation);
}

int memory_cpu_alloc(struct memory_cpu *memory, uint64_t bytes, uint64_t *pointer)
{
	uint64_t footprint = memory_cpu_footprint(bytes);
	struct allocation *allocation;
	uint64_t place;

	errno = ENOMEM;
	if (footprint == 0 || !vgpu_range_ok(memory->used_bytes, footprint, memory->limit_bytes))
		return -1;
	/*
	 * Addresses go upwards, so that a pointer which was freed stays invalid for long; the range
	 * is used again from its start when its end is reached.
	 */
	place = find_place(memory, memory->next, MEMORY_CPU_END, footprint);
	if (!place)
		place = find_place(memory, MEMORY_CPU_FIRST, MEMORY_CPU_END, footprint);
	if (!place)
		return -1;
	allocation = allocation_new(place, bytes, footprint);
	if (!allocation)
		return -1;
	if (!tsearch(allocation, &memory->allocations, allocation_compare)) {
		allocation_free(allocation);
		errno = ENOMEM;
		return -1;
	}
	memory->next = place + footprint;
	memory->used_bytes += footprint;
	*pointer = place;
	return 0;
}

int memory_cpu_free(struct memory_cpu *memory, uint64_t pointer, uint64_t *footprint)
{
	struct allocation *allocation = NULL;

	if (pointer >= MEMORY_CPU_FIRST && pointer < MEMORY_CPU_END)
		allocation = allocation_find(memory, pointer, 1);
	if (!allocation || allocation->start != pointer) {
		errno = EINVAL;
		return -1;
	}
	*footprint = allocation->footprint;
	memory->used_bytes -= allocation->footprint;
	tdelete(allocation, &memory->allocations, allocation_compare);
	allocation_free(allocation);
	return 0;
}

uint64_t memory_cpu_free_all(struct memory_cpu *memory)
{
	uint64_t footprint = memory->used_bytes;

	tdestroy(memory->allocations, allocation_free);
	memory->allocations = NULL;
	memory->used_bytes = 0;
	return footprint;
}

void *memory_cpu_at(const struct memory_cpu *memory, uint64_t pointer, uint64_t bytes)
{
	const struct allocation *allocation;

	if (pointer < MEMORY_CPU_FIRST || pointer >= MEMORY_CPU_END)
		return NULL;
	allocation = allocation_find(memory, pointer, 1);
	if (!allocation || !vgpu_range_ok(pointer - allocation->start, bytes, allocation->bytes))
		return NULL;
	return (uint8_t *)allocation->host + (pointer - allocation->start);
}
