/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/run_argument.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct {
	const char *name;
	enum run_kind kind;
} kinds[] = {
	{ "i32:", RUN_I32 }, { "i64:", RUN_I64 }, { "f32:", RUN_F32 },	   { "f64:", RUN_F64 },
	{ "in:", RUN_IN },   { "out:", RUN_OUT }, { "inout:", RUN_INOUT },
};

/* A whole decimal number from low to what `high` holds, which is stored as two's complement. */
static int parse_whole(const char *text, int64_t low, uint64_t high, uint64_t *value)
{
	const char *digits = text + (*text == '-');
	char *end;

	if (*digits < '0' || *digits > '9')
		return -1;
	errno = 0;
	if (*text == '-') {
		int64_t number = strtoll(text, &end, 10);

		*value = (uint64_t)number;
		return errno || *end || number < low ? -1 : 0;
	}
	*value = strtoull(text, &end, 10);
	return errno || *end || *value > high ? -1 : 0;
}

/* strtod() skips blanks, which nobody means. */
static int parse_f64(const char *text, double *value)
{
	char *end;

	if (*text == ' ' || *text == '\t' || !*text)
		return -1;
	errno = 0;
	*value = strtod(text, &end);
	return *end || end == text || errno == ERANGE ? -1 : 0;
}

static int parse_f32(const char *text, float *value)
{
	char *end;

	if (*text == ' ' || *text == '\t' || !*text)
		return -1;
	errno = 0;
	*value = strtof(text, &end);
	return *end || end == text || errno == ERANGE ? -1 : 0;
}

static int parse_number(enum run_kind kind, const char *text, uint8_t value[8])
{
	uint64_t whole;
	double f64;
	float f32;

	switch (kind) {
	case RUN_I32:
		if (parse_whole(text, INT32_MIN, UINT32_MAX, &whole) != 0)
			return -1;
		memcpy(value, &(uint32_t){ (uint32_t)whole }, 4);
		return 0;
	case RUN_I64:
		if (parse_whole(text, INT64_MIN, UINT64_MAX, &whole) != 0)
			return -1;
		memcpy(value, &whole, 8);
		return 0;
	case RUN_F32:
		if (parse_f32(text, &f32) != 0)
			return -1;
		memcpy(value, &f32, 4);
		return 0;
	default:
		if (parse_f64(text, &f64) != 0)
			return -1;
		memcpy(value, &f64, 8);
		return 0;
	}
}

static int parse_file(const char *text, struct run_argument *argument)
{
	const char *end = text + strlen(text);

	if (argument->kind == RUN_OUT) {
		/* The last colon, so that a name may hold one. */
		end = strrchr(text, ':');
		if (!end || parse_whole(end + 1, 0, INT64_MAX, &argument->bytes) != 0 ||
		    argument->bytes == 0)
			return -1;
	}
	if (end == text)
		return -1;
	argument->path = strndup(text, (size_t)(end - text));
	return argument->path ? 0 : -1;
}

int run_argument_parse(const char *text, struct run_argument *argument, struct vgpu_error **err)
{
	*argument = (struct run_argument){ 0 };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].name);
		int result;

		if (strncmp(text, kinds[i].name, length) != 0)
			continue;
		argument->kind = kinds[i].kind;
		result = run_argument_is_file(argument)
				 ? parse_file(text + length, argument)
				 : parse_number(argument->kind, text + length, argument->value);
		if (result == 0)
			return 0;
		break;
	}
	return vgpu_error_set(err, EX_USAGE,
			      "--arg: '%s' is not i32:N, i64:N, f32:X, f64:X, in:FILE, "
			      "out:FILE:BYTES or inout:FILE, or its number is out of range",
			      text);
}

void run_argument_free(struct run_argument *argument)
{
	free(argument->path);
	argument->path = NULL;
}

uint32_t run_argument_size(const struct run_argument *argument)
{
	return argument->kind == RUN_I32 || argument->kind == RUN_F32 ? 4 : 8;
}

int run_dimensions_parse(const char *text, uint32_t most, uint32_t dimensions[3])
{
	for (int i = 0; i < 3; i++)
		dimensions[i] = 1;
	for (int i = 0; i < 3; i++) {
		unsigned long long value;
		char *end;

		if (*text < '0' || *text > '9')
			return -1;
		errno = 0;
		value = strtoull(text, &end, 10);
		if (errno || value == 0 || value > most)
			return -1;
		dimensions[i] = (uint32_t)value;
		if (!*end)
			return 0;
		if (*end != ',')
			return -1;
		text = end + 1;
	}
	return -1;
}
