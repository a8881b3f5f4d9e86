/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/allocations.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "common/bytes.h"

/*
 * Allocations never overlap, so "overlapping is equal" orders them, and one comparison serves for
 * placing, for freeing and for looking up a range.
 */
static int allocation_compare(const void *left, const void *right)
{
	const struct allocation *a = left, *b = right;

	if (a->start + a->extent <= b->start)
		return -1;
	if (b->start + b->extent <= a->start)
		return 1;
	return 0;
}

struct allocation *allocation_overlapping(const struct allocation_table *table, uint64_t start,
					  uint64_t extent)
{
	const struct allocation key = { .start = start, .extent = extent };
	void *node;

	/* Nothing ends beyond 2^64, and the comparison could not say what does. */
	if (extent > UINT64_MAX - start)
		return NULL;
	node = tfind(&key, &table->tree, allocation_compare);
	return node ? *(struct allocation **)node : NULL;
}

struct allocation *allocation_containing(const struct allocation_table *table, uint64_t start,
					 uint64_t bytes)
{
	struct allocation *allocation = allocation_overlapping(table, start, 1);

	if (!allocation || !vgpu_range_ok(start - allocation->start, bytes, allocation->bytes))
		return NULL;
	return allocation;
}

struct allocation *allocation_add(struct allocation_table *table, const struct allocation *value)
{
	struct allocation *allocation, **node;

	errno = ENOMEM;
	if (table->count == ALLOCATIONS_MAX)
		return NULL;
	allocation = malloc(sizeof(*allocation));
	if (!allocation)
		return NULL;
	*allocation = *value;
	node = tsearch(allocation, &table->tree, allocation_compare);
	if (!node || *node != allocation) {
		free(allocation);
		errno = node ? EEXIST : ENOMEM;
		return NULL;
	}
	table->count++;
	return allocation;
}

void allocation_remove(struct allocation_table *table, struct allocation *allocation)
{
	tdelete(allocation, &table->tree, allocation_compare);
	free(allocation);
	table->count--;
}

/* tdestroy() has no argument for its function; one at a time costs no more than log n. */
void allocation_clear(struct allocation_table *table, void (*release)(struct allocation *))
{
	while (table->tree) {
		struct allocation *first = *(struct allocation **)table->tree;

		if (release)
			release(first);
		allocation_remove(table, first);
	}
}
