/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE_FIRST 2048u

/* Makes room for so many bytes more. */
static bool reserve(struct json_text *text, size_t length)
{
	size_t size = text->size ? text->size : SIZE_FIRST;
	char *data;

	if (text->failed || length <= text->size - text->length)
		return !text->failed;
	while (size - text->length < length)
		size *= 2;
	data = realloc(text->data, size);
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->size = size;
	return true;
}

void json_text_add(struct json_text *text, const char *bytes, size_t length)
{
	if (!reserve(text, length))
		return;
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
}

void json_text_format(struct json_text *text, const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(line))
		text->failed = true;
	else
		json_text_add(text, line, (size_t)length);
}

void json_text_number(struct json_text *text, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	json_text_add(text, digits + at, sizeof(digits) - at);
}

void json_text_string(struct json_text *text, const char *value)
{
	JSON_TEXT_ADD(text, "\"");
	for (const char *c = value; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte >= 0x7f)
			JSON_TEXT_ADD(text, "?");
		else if (byte < 0x20 || byte == '"' || byte == '\\')
			json_text_format(text, "\\u%04x", byte);
		else
			json_text_add(text, c, 1);
	}
	JSON_TEXT_ADD(text, "\"");
}
