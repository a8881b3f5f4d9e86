/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/sched/heap.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 8u

int heap_reserve(struct heap *heap, size_t count)
{
	size_t room = heap->room ? heap->room : ROOM_FIRST;
	struct heap_node **nodes;

	if (count <= heap->room)
		return 0;
	while (room < count)
		room *= 2;
	nodes = reallocarray(heap->nodes, room, sizeof(struct heap_node *));
	if (!nodes) {
		errno = ENOMEM;
		return -1;
	}
	heap->nodes = nodes;
	heap->room = room;
	return 0;
}

void heap_free(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap){ 0 };
}

bool heap_before(const struct heap_node *a, const struct heap_node *b)
{
	if (a->key != b->key)
		return (int64_t)(a->key - b->key) < 0;
	return a->number < b->number;
}

static void put(struct heap *heap, size_t place, struct heap_node *node)
{
	heap->nodes[place - 1] = node;
	node->place = place;
}

/* Moves a node to where it belongs. The children of place n are 2n and 2n + 1. */
static void settle(struct heap *heap, struct heap_node *node)
{
	size_t place = node->place;

	while (place > 1 && heap_before(node, heap->nodes[place / 2 - 1])) {
		put(heap, place, heap->nodes[place / 2 - 1]);
		place /= 2;
	}
	for (;;) {
		size_t child = place * 2;

		if (child > heap->count)
			break;
		if (child < heap->count && heap_before(heap->nodes[child], heap->nodes[child - 1]))
			child++;
		if (!heap_before(heap->nodes[child - 1], node))
			break;
		put(heap, place, heap->nodes[child - 1]);
		place = child;
	}
	put(heap, place, node);
}

void heap_add(struct heap *heap, struct heap_node *node)
{
	put(heap, ++heap->count, node);
	settle(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last;
	size_t place = node->place;

	if (place == 0)
		return;
	node->place = 0;
	last = heap->nodes[--heap->count];
	if (last == node)
		return;
	put(heap, place, last);
	settle(heap, last);
}
