/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from 32-bit numbers to pointers: open addressing with linear probing. Lookups, additions
 * and removals take constant time on average; memory is at most 64 bytes an entry.
 */
#ifndef VGPU_MEDIATORD_IDMAP_H
#define VGPU_MEDIATORD_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_slot {
	void *value; /* NULL: free */
	uint32_t id;
};

/* All zero is an empty map. */
struct idmap {
	struct idmap_slot *slots;
	size_t size; /* of slots: 0 or a power of two */
	size_t used;
};

/* The value of id, or NULL. */
void *idmap_get(const struct idmap *map, uint32_t id);

/*
 * Adds a value, which must not be NULL and stays the caller's. Returns 0, or -1 with errno EEXIST
 * or ENOMEM, and the map as it was.
 */
int idmap_add(struct idmap *map, uint32_t id, void *value);

/* Takes id out and returns its value, or NULL where it is not in. */
void *idmap_remove(struct idmap *map, uint32_t id);

/* Calls visit for every value; it may free the value but must not change the map. */
void idmap_each(const struct idmap *map, void (*visit)(void *value, void *opaque), void *opaque);

/* Frees the map's memory, not the values; the map is empty afterwards. */
void idmap_clear(struct idmap *map);

#endif
