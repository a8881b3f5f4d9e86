/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/sched/idmap.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_FIRST 16u

/* Ids are often consecutive: spread them (the finaliser of MurmurHash3). */
static size_t home(uint32_t id, size_t size)
{
	id ^= id >> 16;
	id *= 0x85ebca6bu;
	id ^= id >> 13;
	id *= 0xc2b2ae35u;
	id ^= id >> 16;
	return id & (size - 1);
}

/* The slot that holds id, or the free one where it would go. There is always a free one. */
static size_t find(const struct idmap_slot *slots, size_t size, uint32_t id)
{
	size_t at = home(id, size);

	while (slots[at].value && slots[at].id != id)
		at = (at + 1) & (size - 1);
	return at;
}

void *idmap_get(const struct idmap *map, uint32_t id)
{
	return map->size ? map->slots[find(map->slots, map->size, id)].value : NULL;
}

static int grow(struct idmap *map)
{
	size_t size = map->size ? map->size * 2 : SIZE_FIRST;
	struct idmap_slot *slots = calloc(size, sizeof(*slots));

	if (!slots) {
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; i < map->size; i++) {
		if (map->slots[i].value)
			slots[find(slots, size, map->slots[i].id)] = map->slots[i];
	}
	free(map->slots);
	map->slots = slots;
	map->size = size;
	return 0;
}

int idmap_add(struct idmap *map, uint32_t id, void *value)
{
	size_t at;

	if (idmap_get(map, id)) {
		errno = EEXIST;
		return -1;
	}
	/* At most three quarters full, so that probing stays short. */
	if ((map->used + 1) * 4 > map->size * 3 && grow(map) < 0)
		return -1;
	at = find(map->slots, map->size, id);
	map->slots[at] = (struct idmap_slot){ .value = value, .id = id };
	map->used++;
	return 0;
}

void *idmap_remove(struct idmap *map, uint32_t id)
{
	size_t mask = map->size - 1;
	size_t hole, at;
	void *value;

	if (!map->size)
		return NULL;
	hole = find(map->slots, map->size, id);
	value = map->slots[hole].value;
	if (!value)
		return NULL;
	map->used--;
	/* Move back what probed past the hole, so that no tombstone is needed. */
	for (at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
		size_t wanted = home(map->slots[at].id, map->size);

		if (((at - wanted) & mask) >= ((at - hole) & mask)) {
			map->slots[hole] = map->slots[at];
			hole = at;
		}
	}
	map->slots[hole].value = NULL;
	return value;
}

void idmap_each(const struct idmap *map, void (*visit)(void *value, void *opaque), void *opaque)
{
	for (size_t i = 0; i < map->size; i++) {
		if (map->slots[i].value)
			visit(map->slots[i].value, opaque);
	}
}

void idmap_clear(struct idmap *map)
{
	free(map->slots);
	*map = (struct idmap){ 0 };
}
