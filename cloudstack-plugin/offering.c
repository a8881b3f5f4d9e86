/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/offering.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/text.h"

#define QUOTAS	 "quotas"
#define TEXT_MAX 64
/* What is no quota in particular: the mediator knows the ranges. */
#define NUMBER_MAX (INT64_C(1) << 50)

enum kind {
	KIND_TEXT,
	KIND_NUMBER,
	KIND_PERCENT,
	KIND_SIZE,
	KIND_DURATION,
};

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit sizes[] = { { "KiB", 1 << 10 },
				     { "MiB", 1 << 20 },
				     { "GiB", 1 << 30 },
				     { "TiB", INT64_C(1) << 40 },
				     { NULL, 0 } };
static const struct unit durations[] = { { "ms", 1 }, { "s", 1000 }, { NULL, 0 } };
static const struct unit percent[] = { { "%", 1 }, { NULL, 0 } };
static const struct unit none[] = { { NULL, 0 } };

/* Those that mediatord.conf has in a profile, by the same names but gpu-memory. */
static const struct key {
	const char *name;
	const char *field;
	bool quota;
	enum kind kind;
} keys[] = {
	{ "profile", "profile", false, KIND_TEXT },
	{ "pool", "pool", false, KIND_TEXT },
	{ "priority", "priority", false, KIND_TEXT },
	{ "weight", "weight", false, KIND_NUMBER },
	{ "memory", "gpu_memory_bytes", true, KIND_SIZE },
	{ "window", "window_bytes", true, KIND_SIZE },
	{ "gpu-time-guaranteed", "gpu_time_guaranteed_percent", true, KIND_PERCENT },
	{ "gpu-time-max", "gpu_time_max_percent", true, KIND_PERCENT },
	{ "requests-per-second", "requests_per_second", true, KIND_NUMBER },
	{ "burst", "burst", true, KIND_NUMBER },
	{ "queue-depth", "queue_depth", true, KIND_NUMBER },
	{ "channels", "channels", true, KIND_NUMBER },
	{ "longest-job", "longest_job_ms", true, KIND_DURATION },
};
#define KEYS (sizeof(keys) / sizeof(*keys))

static const struct unit *units_of(enum kind kind)
{
	switch (kind) {
	case KIND_SIZE:
		return sizes;
	case KIND_DURATION:
		return durations;
	case KIND_PERCENT:
		return percent;
	default:
		return none;
	}
}

/* A number of a kind: digits, and one of its units. Only a duration needs one, but for 0. */
static int read_number(enum kind kind, const char *text, int64_t *number)
{
	const struct unit *unit = units_of(kind);
	const char *at = text;
	int64_t value = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		value = 10 * value + (*at - '0');
		if (value > NUMBER_MAX)
			return -1;
	}
	if (at == text)
		return -1;
	*number = value;
	if (!*at)
		return kind == KIND_DURATION && value != 0 ? -1 : 0;
	while (unit->name && strcmp(unit->name, at) != 0)
		unit++;
	if (!unit->name || value > NUMBER_MAX / unit->factor)
		return -1;
	*number = value * unit->factor;
	return 0;
}

static json_t *read_value(const struct key *key, const char *text)
{
	int64_t number;

	if (key->kind == KIND_TEXT)
		return *text && strlen(text) < TEXT_MAX ? json_string(text) : NULL;
	return read_number(key->kind, text, &number) == 0 ? json_integer(number) : NULL;
}

static int put(json_t *values, const struct key *key, json_t *value)
{
	json_t *quotas = json_object_get(values, QUOTAS);

	if (!key->quota)
		return json_object_set_new(values, key->field, value);
	if (!quotas) {
		quotas = json_object();
		if (json_object_set_new(values, QUOTAS, quotas) < 0) {
			json_decref(value);
			return -1;
		}
	}
	return json_object_set_new(quotas, key->field, value);
}

int offering_set(json_t *values, const char *key, const char *text, struct vgpu_error **err)
{
	const size_t prefix = sizeof(OFFERING_PREFIX) - 1;
	const struct key *known = NULL;
	char shown[TEXT_MAX];
	json_t *value;

	for (size_t i = 0; i < KEYS && strncmp(key, OFFERING_PREFIX, prefix) == 0; i++)
		if (strcmp(keys[i].name, key + prefix) == 0)
			known = &keys[i];
	if (!known) {
		vgpu_text_cut(shown, sizeof(shown), key);
		vgpu_text_one_line(shown);
		return vgpu_error_set(err, EINVAL, "unknown key \"%s\"", shown);
	}
	value = read_value(known, text);
	if (!value) {
		vgpu_text_cut(shown, sizeof(shown), text);
		vgpu_text_one_line(shown);
		return vgpu_error_set(err, EINVAL, OFFERING_PREFIX "%s cannot be \"%s\"",
				      known->name, shown);
	}
	return put(values, known, value) == 0 ? 0 : vgpu_error_set(err, ENOMEM, "out of memory");
}

json_t *offering_values(const json_t *details, struct vgpu_error **err)
{
	json_t *values = json_object();
	const char *key;
	json_t *value;

	if (!values)
		vgpu_error_set(err, ENOMEM, "out of memory");
	json_object_foreach ((json_t *)details, key, value) {
		if (!values || strncmp(key, OFFERING_PREFIX, sizeof(OFFERING_PREFIX) - 1) != 0)
			continue;
		if (offering_set(values, key, json_is_string(value) ? json_string_value(value) : "",
				 err) < 0) {
			json_decref(values);
			values = NULL;
		}
	}
	return values;
}
