/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/region.h"

#include <stddef.h>

#include "common/bytes.h"

bool region_place(struct region_map *map, struct region *region, uint64_t bytes, uint64_t alignment)
{
	uint64_t end = 0; /* of the region before the gap */

	for (struct region **place = &map->first;; place = &(*place)->next) {
		struct region *next = *place;
		uint64_t limit = next && next->offset < map->bytes ? next->offset : map->bytes;
		uint64_t start = vgpu_align_up(end, alignment);

		if (start <= limit && bytes <= limit - start) {
			*region = (struct region){ .next = next, .offset = start, .bytes = bytes };
			*place = region;
			return true;
		}
		if (!next)
			return false;
		end = next->offset + next->bytes;
	}
}

bool region_claim(struct region_map *map, struct region *region, uint64_t offset, uint64_t bytes)
{
	struct region **place = &map->first;
	uint64_t end;

	if (!bytes || __builtin_add_overflow(offset, bytes, &end))
		return false;
	while (*place && (*place)->offset + (*place)->bytes <= offset)
		place = &(*place)->next;
	if (*place && (*place)->offset < end)
		return false;
	*region = (struct region){ .next = *place, .offset = offset, .bytes = bytes };
	*place = region;
	return true;
}

void region_free(struct region_map *map, struct region *region)
{
	struct region **place = &map->first;

	if (!region->bytes)
		return;
	while (*place != region)
		place = &(*place)->next;
	*place = region->next;
	*region = (struct region){ .next = NULL };
}
