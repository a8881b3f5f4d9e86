/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events, as the HTML standard (9.2) has them, out of bytes that come as they come. */
#ifndef VGPU_CTL_SSE_H
#define VGPU_CTL_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define SSE_LINE_MAX ((size_t)64 << 10) /* bytes of a line, and of an event's data */
#define SSE_TEXT_MAX 64			/* bytes of an id and of a type, with their terminator */

struct sse_event {
	const char *id;	  /* of the last event that had one; "" where none had */
	const char *type; /* "" where the event does not say */
	const char *data;
};

/* Returns false to end. */
typedef bool sse_listener(void *opaque, const struct sse_event *event);

struct sse {
	sse_listener *listener;
	void *opaque;
	char *line; /* of line_size bytes */
	size_t line_length, line_size;
	char *data; /* of data_size bytes; the lines so far, each with "\n" behind it */
	size_t data_length, data_size;
	char id[SSE_TEXT_MAX];
	char type[SSE_TEXT_MAX];
	bool after_cr;	 /* the last byte was "\r": a "\n" belongs to it */
	bool past_start; /* what may be a byte order mark is behind us */
};

void sse_init(struct sse *sse, sse_listener *listener, void *opaque);
void sse_clear(struct sse *sse);

/*
 * Forgets what was begun, but not the last id: the next bytes are those of a new connection, which
 * should be asked to go on after that id.
 */
void sse_restart(struct sse *sse);

/*
 * Takes bytes, and calls the listener for each event that is complete. Returns false where the
 * listener ended it, or, with *err (EPROTO, ENOMEM), where they are no events.
 */
bool sse_take(struct sse *sse, const char *bytes, size_t length, struct vgpu_error **err);

#endif
