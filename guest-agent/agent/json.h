/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON, and nothing but correct JSON: text that is not UTF-8 has U+FFFD in place of what is
 * wrong. Keys are the program's own words. Errors of the stream stay with the stream.
 */
#ifndef VGPU_AGENT_JSON_H
#define VGPU_AGENT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *stream;
	bool comma; /* the next member needs one in front of it */
};

/*
 * Begins and ends an object; key is NULL for the outermost, which ends with a new line, and for
 * the members of a list.
 */
void json_begin(struct json *json, const char *key);
void json_end(struct json *json);
void json_finish(struct json *json);

void json_begin_list(struct json *json, const char *key);
void json_end_list(struct json *json);

void json_text(struct json *json, const char *key, const char *text);
void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* With that many digits after the point. */
void json_decimal(struct json *json, const char *key, double value, int digits);

#endif
