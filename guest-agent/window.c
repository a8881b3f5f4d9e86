/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

static int grow(struct window *window)
{
	size_t capacity = window->capacity ? 2 * window->capacity : 16;
	struct window_part *grown;

	if (window->count < window->capacity)
		return 0;
	grown = reallocarray(window->parts, capacity, sizeof(*grown));
	if (!grown)
		return -1;
	window->parts = grown;
	window->capacity = capacity;
	return 0;
}

int window_alloc(struct window *window, uint64_t bytes, uint64_t *offset)
{
	uint64_t start = 0;
	size_t at;

	if (bytes == 0 || bytes > window->bytes) {
		errno = ENOSPC;
		return -1;
	}
	if (grow(window) != 0)
		return -1;
	for (at = 0; at < window->count; at++) {
		const struct window_part *part = &window->parts[at];

		/* start is beyond the part where the gap before it is smaller than the alignment */
		if (start <= part->offset && bytes <= part->offset - start)
			break;
		start = vgpu_align_up(part->offset + part->bytes, WINDOW_ALIGN);
	}
	if (!vgpu_range_ok(start, bytes, window->bytes)) {
		errno = ENOSPC;
		return -1;
	}
	memmove(&window->parts[at + 1], &window->parts[at],
		(window->count - at) * sizeof(window->parts[0]));
	window->parts[at] = (struct window_part){ .offset = start, .bytes = bytes };
	window->count++;
	*offset = start;
	return 0;
}

bool window_release(struct window *window, uint64_t offset)
{
	size_t low = 0, high = window->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (window->parts[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == window->count || window->parts[low].offset != offset)
		return false;
	window->count--;
	memmove(&window->parts[low], &window->parts[low + 1],
		(window->count - low) * sizeof(window->parts[0]));
	return true;
}

void window_free(struct window *window)
{
	free(window->parts);
	*window = (struct window){ 0 };
}
