/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts of a window are taken: first fit, by offset. Not for several threads at once. */
#ifndef VGPU_GUEST_WINDOW_H
#define VGPU_GUEST_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_ALIGN 256u

struct window_part {
	uint64_t offset;
	uint64_t bytes;
};

struct window {
	uint64_t bytes;
	struct window_part *parts; /* taken, by offset */
	size_t count;
	size_t capacity;
};

/* Takes `bytes`, at least one. Returns 0, or -1 with errno ENOSPC or ENOMEM. */
int window_alloc(struct window *window, uint64_t bytes, uint64_t *offset);

/* Frees the part that begins there. False where none does. */
bool window_release(struct window *window, uint64_t offset);

void window_free(struct window *window);

#endif
