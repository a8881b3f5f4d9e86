/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/json.h"

#include <inttypes.h>
#include <string.h>

/* The bytes of the UTF-8 sequence at text, or 0 where there is none that is well-formed. */
static size_t utf8_length(const unsigned char *text)
{
	unsigned char first = text[0], second_low = 0x80, second_high = 0xbf;
	size_t length;

	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		length = 2;
	else if (first >= 0xe0 && first <= 0xef)
		length = 3;
	else if (first >= 0xf0 && first <= 0xf4)
		length = 4;
	else
		return 0;
	/* No over-long forms, no surrogates, nothing beyond U+10FFFF. */
	if (first == 0xe0)
		second_low = 0xa0;
	else if (first == 0xed)
		second_high = 0x9f;
	else if (first == 0xf0)
		second_low = 0x90;
	else if (first == 0xf4)
		second_high = 0x8f;
	if (text[1] < second_low || text[1] > second_high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	}
	return length;
}

static void write_string(FILE *stream, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;

	putc('"', stream);
	while (*text) {
		size_t length = utf8_length(text);

		if (*text == '"' || *text == '\\')
			fprintf(stream, "\\%c", *text);
		else if (*text < ' ' || *text == 0x7f)
			fprintf(stream, "\\u%04x", *text);
		else if (length)
			fwrite(text, 1, length, stream);
		else
			fputs("\\ufffd", stream);
		text += length ? length : 1;
	}
	putc('"', stream);
}

static void write_key(struct json *json, const char *key)
{
	if (json->comma)
		putc(',', json->stream);
	json->comma = true;
	if (key) {
		write_string(json->stream, key);
		putc(':', json->stream);
	}
}

void json_begin(struct json *json, const char *key)
{
	write_key(json, key);
	putc('{', json->stream);
	json->comma = false;
}

void json_end(struct json *json)
{
	putc('}', json->stream);
	json->comma = true;
}

void json_finish(struct json *json)
{
	json_end(json);
	putc('\n', json->stream);
	json->comma = false;
}

void json_text(struct json *json, const char *key, const char *text)
{
	write_key(json, key);
	write_string(json->stream, text);
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
	write_key(json, key);
	fprintf(json->stream, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	write_key(json, key);
	fputs(value ? "true" : "false", json->stream);
}

void json_decimal(struct json *json, const char *key, double value, int digits)
{
	write_key(json, key);
	fprintf(json->stream, "%.*f", digits, value);
}

void json_null(struct json *json, const char *key)
{
	write_key(json, key);
	fputs("null", json->stream);
}

void json_begin_list(struct json *json, const char *key)
{
	write_key(json, key);
	putc('[', json->stream);
	json->comma = false;
}

void json_end_list(struct json *json)
{
	putc(']', json->stream);
	json->comma = true;
}
