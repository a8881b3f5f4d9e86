/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of a BAR2 are taken: first fit, over a list that its owners' structures make. Pure:
 * it neither allocates nor touches the memory. What lies beyond the BAR's end stays where it is: a
 * VM whose device came back with a smaller one may still have workers that end in the old.
 */
#ifndef VGPU_MEDIATORD_REGION_H
#define VGPU_MEDIATORD_REGION_H

#include <stdbool.h>
#include <stdint.h>

#define REGION_GRANULE	  4096u
#define REGION_HUGE_BYTES (UINT64_C(2) << 20)

struct region {
	struct region *next; /* by offset */
	uint64_t offset;
	uint64_t bytes; /* 0: not placed */
};

struct region_map {
	uint64_t bytes; /* of the BAR */
	struct region *first;
};

/*
 * Takes the first free `bytes` (a multiple of REGION_GRANULE, not 0) at a multiple of `alignment`
 * (a power of two, at least the granule) for a region that is not placed. Returns whether there
 * were.
 */
bool region_place(struct region_map *map, struct region *region, uint64_t bytes,
		  uint64_t alignment);

/*
 * Takes exactly these bytes, wherever they are, for a region that is not placed. Returns whether
 * they were free.
 */
bool region_claim(struct region_map *map, struct region *region, uint64_t offset, uint64_t bytes);

/* Gives it back; nothing happens where it is not placed. */
void region_free(struct region_map *map, struct region *region);

#endif
