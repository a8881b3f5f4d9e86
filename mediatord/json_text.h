/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows: JSON where it is made for every read, and metrics. */
#ifndef VGPU_MEDIATORD_JSON_TEXT_H
#define VGPU_MEDIATORD_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* All zero: empty. The caller frees `data` with free(). */
struct json_text {
	char *data; /* not terminated */
	size_t length;
	size_t size;
	bool failed; /* there was no memory: what is there is of no use */
};

void json_text_add(struct json_text *text, const char *bytes, size_t length);

/* A literal. */
#define JSON_TEXT_ADD(text, literal) json_text_add(text, literal, sizeof(literal) - 1)

void json_text_format(struct json_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A decimal number, much faster than by json_text_format(). */
void json_text_number(struct json_text *text, uint64_t value);

/* A JSON string; what is not ASCII or has to be escaped becomes '?' or \uNNNN. */
void json_text_string(struct json_text *text, const char *value);

#endif
