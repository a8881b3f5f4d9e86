/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of device memory, looked up by any address within them. The executor of a channel keeps
 * what its tenant may name in copies; the cpu backend keeps where its memory is.
 */
#ifndef VGPU_WORKER_ALLOCATIONS_H
#define VGPU_WORKER_ALLOCATIONS_H

#include <stdint.h>

/* More than any program has use for; it bounds what a tenant can make the table cost. */
#define ALLOCATIONS_MAX (UINT32_C(1) << 20)

/* Everything but start and extent is its user's, and may change while it is in the table. */
struct allocation {
	uint64_t start;
	uint64_t bytes;		 /* that the tenant asked for: accesses beyond are refused */
	uint64_t extent;	 /* addresses that nothing else has; at least bytes */
	void *host;		 /* where the backend has it, or NULL */
	uint32_t module;	 /* a global's: the handle of its module; 0: memory of MEM_ALLOC */
	struct allocation *next; /* the module's next global */
};

struct allocation_table {
	void *tree; /* tsearch(3)'s */
	uint32_t count;
};

/* The allocation that shares a byte with [start, start + extent), or NULL. */
struct allocation *allocation_overlapping(const struct allocation_table *table, uint64_t start,
					  uint64_t extent);

/* The allocation that [start, start + bytes) lies in wholly, bytes not being 0; or NULL. */
struct allocation *allocation_containing(const struct allocation_table *table, uint64_t start,
					 uint64_t bytes);

/*
 * Adds a copy of *value, which must have an extent and end below 2^64. Returns the copy, which
 * stays the table's, or NULL with ENOMEM (the table is full, or there is no memory) or EEXIST (it
 * overlaps one that is there).
 */
struct allocation *allocation_add(struct allocation_table *table, const struct allocation *value);

/* Takes it out and frees the table's copy. */
void allocation_remove(struct allocation_table *table, struct allocation *allocation);

/* Takes all of them out, each after release(), which may be NULL. */
void allocation_clear(struct allocation_table *table, void (*release)(struct allocation *));

#endif
