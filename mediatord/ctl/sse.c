/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/sse.h"

#include <stdlib.h>
#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

void sse_init(struct sse *sse, sse_listener *listener, void *opaque)
{
	*sse = (struct sse){ .listener = listener, .opaque = opaque };
}

void sse_clear(struct sse *sse)
{
	free(sse->line);
	free(sse->data);
	*sse = (struct sse){ 0 };
}

void sse_restart(struct sse *sse)
{
	sse->line_length = sse->data_length = 0;
	sse->type[0] = '\0';
	sse->after_cr = sse->past_start = false;
}

/* Appends to a buffer of at most SSE_LINE_MAX bytes, and keeps a terminator behind them. */
static int append(char **buffer, size_t *length, size_t *size, const char *bytes, size_t count,
		  struct vgpu_error **err)
{
	if (count > SSE_LINE_MAX - *length)
		return vgpu_error_set(err, EPROTO,
				      "the mediator sent an event of more than %zu bytes",
				      SSE_LINE_MAX);
	if (*length + count + 1 > *size) {
		size_t larger = 2 * (*length + count + 1);
		char *grown = realloc(*buffer, larger);

		if (!grown)
			return vgpu_error_set(err, ENOMEM, "out of memory");
		*buffer = grown;
		*size = larger;
	}
	memcpy(*buffer + *length, bytes, count);
	*length += count;
	(*buffer)[*length] = '\0';
	return 0;
}

/* A value that is too long, or has a NUL, is as if it were not there. */
static void keep_text(char text[SSE_TEXT_MAX], const char *value, size_t length)
{
	if (length >= SSE_TEXT_MAX || memchr(value, '\0', length))
		return;
	memcpy(text, value, length);
	text[length] = '\0';
}

/* An empty line: the event is complete. Returns false to end. */
static bool dispatch(struct sse *sse)
{
	struct sse_event event = { .id = sse->id, .type = sse->type };
	bool go_on = true;

	if (sse->data_length > 0) {
		sse->data[--sse->data_length] = '\0'; /* the last line's break */
		event.data = sse->data;
		go_on = sse->listener(sse->opaque, &event);
	}
	sse->data_length = 0;
	sse->type[0] = '\0';
	return go_on;
}

/* One line, without its break. Returns false to end. */
static bool take_line(struct sse *sse, struct vgpu_error **err)
{
	const char *line = sse->line_length ? sse->line : "";
	const char *end = line + sse->line_length;
	const char *colon = memchr(line, ':', sse->line_length);
	size_t name = (size_t)((colon ? colon : end) - line);
	const char *value = colon ? colon + 1 : end;

	if (!sse->past_start && sse->line_length >= 3 && memcmp(line, BYTE_ORDER_MARK, 3) == 0) {
		line += 3;
		name = name >= 3 ? name - 3 : 0;
	}
	sse->past_start = true;
	if (line == end)
		return dispatch(sse);
	if (value < end && *value == ' ')
		value++;
	if (name == 4 && memcmp(line, "data", 4) == 0)
		return append(&sse->data, &sse->data_length, &sse->data_size, value,
			      (size_t)(end - value), err) == 0 &&
		       append(&sse->data, &sse->data_length, &sse->data_size, "\n", 1, err) == 0;
	if (name == 2 && memcmp(line, "id", 2) == 0)
		keep_text(sse->id, value, (size_t)(end - value));
	else if (name == 5 && memcmp(line, "event", 5) == 0)
		keep_text(sse->type, value, (size_t)(end - value));
	/* Comments have no name; "retry" and what is yet to come are nothing to us. */
	return true;
}

bool sse_take(struct sse *sse, const char *bytes, size_t length, struct vgpu_error **err)
{
	const char *end = bytes + length;

	while (bytes < end) {
		const char *stop = bytes;
		bool go_on;

		if (sse->after_cr && *bytes == '\n') {
			sse->after_cr = false;
			bytes++;
			continue;
		}
		sse->after_cr = false;
		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		if (append(&sse->line, &sse->line_length, &sse->line_size, bytes,
			   (size_t)(stop - bytes), err) < 0)
			return false;
		if (stop == end)
			break;
		sse->after_cr = *stop == '\r';
		bytes = stop + 1;
		go_on = take_line(sse, err);
		sse->line_length = 0;
		if (!go_on)
			return false;
	}
	return true;
}
