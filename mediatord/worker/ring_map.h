/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that a channel's worker shares: its region of BAR2, and the grant page. */
#ifndef VGPU_WORKER_RING_MAP_H
#define VGPU_WORKER_RING_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/worker_protocol.h"

/* The order of START's descriptors. */
enum {
	RING_FD_BAR2,
	RING_FD_DOORBELL,
	RING_FD_COMPLETION,
	RING_FD_GRANT,
	RING_FDS,
};

struct ring_map {
	uint8_t *region;
	uint64_t region_bytes;
	uint32_t entries;
	uint8_t *window; /* within region */
	uint64_t window_bytes;
	struct vgpu_grant_page *grant;
	int doorbell;	/* eventfd; the guest writes, we read */
	int completion; /* eventfd; we write */
};

/* What a map is before ring_map_open(), and after ring_map_close(). */
#define RING_MAP_NONE                                                                              \
	{                                                                                          \
		.doorbell = -1, .completion = -1                                                   \
	}

/*
 * Checks START's fields and descriptors, maps region and grant page, and empties the region: it
 * reads as zero from then on, and whatever was in it is gone. Takes the RING_FDS descriptors over,
 * also where it fails. Must come before the sandbox. Returns 0, or -1 and err.
 */
int ring_map_open(struct ring_map *map, const struct vgpu_worker_start *start, int fds[RING_FDS],
		  struct vgpu_error **err);

/* Empties the region: gives its memory back. Returns 0, or -1 and err. */
int ring_map_empty(struct ring_map *map, struct vgpu_error **err);

/* Unmaps and closes everything. */
void ring_map_close(struct ring_map *map);

#endif
