/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/memory_cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/bytes.h"

/* From this size on, memory comes from mmap(2) alone, so that freeing gives it back to the host. */
#define MAP_THRESHOLD (UINT64_C(256) << 10)

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
		const struct allocation *in_the_way =
			allocation_overlapping(&memory->allocations, place, footprint);

		if (!in_the_way)
			return place;
		place = in_the_way->start + in_the_way->extent;
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

static void release_host(struct allocation *allocation)
{
	host_free(allocation->host, allocation->extent);
}

int memory_cpu_alloc(struct memory_cpu *memory, uint64_t bytes, uint64_t *pointer)
{
	uint64_t footprint = memory_cpu_footprint(bytes);
	struct allocation allocation = { .bytes = bytes, .extent = footprint };
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
	allocation.start = place;
	allocation.host = host_alloc(footprint);
	if (!allocation.host || !allocation_add(&memory->allocations, &allocation)) {
		if (allocation.host)
			release_host(&allocation);
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
		allocation = allocation_overlapping(&memory->allocations, pointer, 1);
	if (!allocation || allocation->start != pointer) {
		errno = EINVAL;
		return -1;
	}
	*footprint = allocation->extent;
	memory->used_bytes -= allocation->extent;
	release_host(allocation);
	allocation_remove(&memory->allocations, allocation);
	return 0;
}

uint64_t memory_cpu_free_all(struct memory_cpu *memory)
{
	uint64_t footprint = memory->used_bytes;

	allocation_clear(&memory->allocations, release_host);
	memory->used_bytes = 0;
	return footprint;
}

void *memory_cpu_at(const struct memory_cpu *memory, uint64_t pointer, uint64_t bytes)
{
	const struct allocation *allocation =
		allocation_containing(&memory->allocations, pointer, bytes);

	return allocation ? (uint8_t *)allocation->host + (pointer - allocation->start) : NULL;
}
