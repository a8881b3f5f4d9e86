/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/body.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BAD_REQUEST 400

/* Fields are named by at most two keys, as quotas.burst. */
#define LEVELS 2

/* An object or array that is open, and the key in it that was read last. */
struct level {
	bool is_object;
	const char *key; /* as in the body, with its escapes */
	size_t length;
};

void body_blame(struct vm_field_name *field, const char *prefix, const char *key, size_t length)
{
	snprintf(field->text, sizeof(field->text), "%s%.*s", prefix,
		 length < sizeof(field->text) ? (int)length : (int)sizeof(field->text), key);
	/* ASCII alone: cutting off may have split a character. */
	for (char *c = field->text; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '?';
}

/* The end of the string that begins after the quote at `at`: its last quote, or end. */
static const char *string_end(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\' && end - at > 1)
			at++;
	return at;
}

/*
 * Names the field that jansson had come to when it stopped. All before that is sound JSON: only
 * what opens, closes and separates needs to be looked at.
 */
static void blame_last(const char *text, size_t length, struct vm_field_name *field)
{
	const char *end = text + length;
	struct level levels[LEVELS] = { { .key = "" } };
	struct vm_field_name outer = { "" };
	bool is_key = false;
	size_t depth = 0;

	for (const char *at = text; at < end; at++) {
		const char *begin = at + 1;
		struct level *level = depth && depth <= LEVELS ? &levels[depth - 1] : NULL;

		if (*at == '"') {
			at = string_end(at, end);
			if (level && is_key) {
				level->key = begin;
				level->length = (size_t)(at - begin);
			}
			is_key = false;
		} else if (*at == '{' || *at == '[') {
			is_key = *at == '{';
			if (depth++ < LEVELS)
				levels[depth - 1] =
					(struct level){ .is_object = is_key, .key = "" };
		} else if (*at == '}' || *at == ']') {
			depth--;
		} else if (*at == ',') {
			is_key = level && level->is_object;
		}
	}
	body_blame(field, "", levels[0].key, levels[0].length);
	if (depth < 2 || !levels[1].length)
		return;
	snprintf(outer.text, sizeof(outer.text), "%.*s.", (int)sizeof(outer.text) - 2, field->text);
	body_blame(field, outer.text, levels[1].key, levels[1].length);
}

json_t *body_decode(const char *text, size_t length, struct vm_field_name *field,
		    struct vgpu_error **err)
{
	json_error_t problem;
	json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
	size_t position;

	field->text[0] = '\0';
	if (json)
		return json;
	position = problem.position > 0 ? (size_t)problem.position : 0;
	switch (json_error_code(&problem)) {
	case json_error_numeric_overflow:
		blame_last(text, position < length ? position : length, field);
		vgpu_error_set(err, BAD_REQUEST, "%s: the number is too large",
			       field->text[0] ? field->text : "the body");
		break;
	case json_error_duplicate_key:
		blame_last(text, position < length ? position : length, field);
		vgpu_error_set(err, BAD_REQUEST, "%s is there twice", field->text);
		break;
	default:
		vgpu_error_set(err, BAD_REQUEST, "the body is not valid JSON: line %d: %s",
			       problem.line, problem.text);
	}
	return NULL;
}
