/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/vector.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

/* What reading a line found. */
enum line {
	LINE_NUMBER,
	LINE_BLANK,
	LINE_END,
	LINE_WRONG,
};

struct reader {
	FILE *stream;
	const char *name;
	unsigned long long line;
	size_t length;
	char text[VECTOR_LINE_MAX + 1];
	struct vgpu_error **err;
};

static int wrong(struct reader *reader, const char *what)
{
	return vgpu_error_set(reader->err, EX_DATAERR, "%s:%llu: %s", reader->name, reader->line,
			      what);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static void trim(struct reader *reader)
{
	size_t start = 0;

	while (reader->length && is_blank(reader->text[reader->length - 1]))
		reader->length--;
	while (start < reader->length && is_blank(reader->text[start]))
		start++;
	reader->length -= start;
	memmove(reader->text, reader->text + start, reader->length);
	reader->text[reader->length] = '\0';
}

static enum line read_line(struct reader *reader)
{
	int byte;

	reader->length = 0;
	reader->line++;
	while ((byte = getc_unlocked(reader->stream)) != EOF && byte != '\n') {
		if (byte == '\0') {
			wrong(reader, "a zero byte: this is not a text file");
			return LINE_WRONG;
		}
		if (reader->length == VECTOR_LINE_MAX) {
			wrong(reader, "the line is longer than 255 bytes");
			return LINE_WRONG;
		}
		reader->text[reader->length++] = (char)byte;
	}
	if (byte == EOF && ferror(reader->stream)) {
		vgpu_error_errno(reader->err, errno, "%s", reader->name);
		if (*reader->err)
			(*reader->err)->status = EX_IOERR;
		return LINE_WRONG;
	}
	if (byte == EOF && reader->length == 0)
		return LINE_END;
	trim(reader);
	return reader->length ? LINE_NUMBER : LINE_BLANK;
}

static int grow(struct reader *reader, struct vector *vector, size_t *capacity)
{
	size_t larger = *capacity ? 2 * *capacity : 1024;
	void *grown;

	if (vector->count == VECTOR_COUNT_MAX)
		return wrong(reader, "more than 4294967295 numbers");
	grown = reallocarray(vector->elements, larger, NUMBER_BYTES);
	if (!grown)
		return vgpu_error_set(reader->err, EX_OSERR, "%s:%llu: out of memory", reader->name,
				      reader->line);
	vector->elements = grown;
	*capacity = larger;
	return 0;
}

/* Quotes the text that is wrong, cut where it is long, with what no terminal should get masked. */
static int wrong_number(struct reader *reader, const char *why)
{
	char shown[41];
	size_t length = reader->length < sizeof(shown) - 1 ? reader->length : sizeof(shown) - 1;

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)reader->text[i];

		shown[i] = byte < ' ' || byte > '~' ? '?' : (char)byte;
	}
	shown[length] = '\0';
	return vgpu_error_set(reader->err, EX_DATAERR, "%s:%llu: %s: '%s'%s", reader->name,
			      reader->line, why, shown, length < reader->length ? "..." : "");
}

static int read_all(struct reader *reader, struct vector *vector)
{
	unsigned long long blank = 0; /* the first blank line's number */
	size_t capacity = 0;
	const char *why;

	for (;;) {
		switch (read_line(reader)) {
		case LINE_WRONG:
			return -1;
		case LINE_END:
			if (vector->count)
				return 0;
			return vgpu_error_set(reader->err, EX_DATAERR,
					      "%s:1: there is no number in this file",
					      reader->name);
		case LINE_BLANK:
			if (!blank)
				blank = reader->line;
			break;
		case LINE_NUMBER:
			if (blank) {
				reader->line = blank;
				return wrong(reader, "the line is empty, and others follow it");
			}
			if (vector->count == capacity && grow(reader, vector, &capacity) != 0)
				return -1;
			if (number_parse(vector->type, reader->text,
					 (char *)vector->elements + vector->count * NUMBER_BYTES,
					 &why) != 0)
				return wrong_number(reader, why);
			vector->count++;
			break;
		}
	}
}

int vector_read(FILE *stream, const char *name, enum number_type type, struct vector *vector,
		struct vgpu_error **err)
{
	VGPU_AUTO_ERROR struct vgpu_error *ignored = NULL;
	struct reader reader = { .stream = stream, .name = name, .err = err ? err : &ignored };

	*vector = (struct vector){ .type = type };
	if (read_all(&reader, vector) == 0)
		return 0;
	vector_free(vector);
	return -1;
}

int vector_read_file(const char *path, enum number_type type, struct vector *vector,
		     struct vgpu_error **err)
{
	VGPU_AUTO_FCLOSE FILE *file = NULL;

	if (strcmp(path, "-") == 0)
		return vector_read(stdin, "standard input", type, vector, err);
	file = fopen(path, "re");
	if (!file) {
		vgpu_error_errno(err, errno, "%s", path);
		if (err && *err)
			(*err)->status = EX_NOINPUT;
		return -1;
	}
	return vector_read(file, path, type, vector, err);
}

void vector_free(struct vector *vector)
{
	free(vector->elements);
	vector->elements = NULL;
	vector->count = 0;
}
