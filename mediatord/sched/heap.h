/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap of nodes that lie in their owners, the least key first and, among equal keys, the least
 * number. Whoever creates an owner reserves the room: nothing can fail later. Keys are compared by
 * their distance: one that wraps past 2^64 is still later.
 */
#ifndef VGPU_MEDIATORD_SCHED_HEAP_H
#define VGPU_MEDIATORD_SCHED_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	uint64_t number;
	size_t place; /* in the heap, counted from 1; 0: in none */
};

/* All zero is an empty heap. */
struct heap {
	struct heap_node **nodes;
	size_t count;
	size_t room;
};

/* The owner of a node that is its member. */
#define HEAP_OWNER(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

/* Makes room for `count` nodes in all. Returns 0, or -1 with ENOMEM and the heap as it was. */
int heap_reserve(struct heap *heap, size_t count);

void heap_free(struct heap *heap);

/* Whether a comes before b. */
bool heap_before(const struct heap_node *a, const struct heap_node *b);

/* Puts a node that is in no heap into this one, by its key and number. There must be room. */
void heap_add(struct heap *heap, struct heap_node *node);

/* Takes a node out of this heap; one that is in none stays so. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* The first node, or NULL. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
	return heap->count ? heap->nodes[0] : NULL;
}

#endif
