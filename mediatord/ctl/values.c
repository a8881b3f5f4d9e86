/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mediatord/config_value.h"

const struct value_key value_keys[] = {
	{ "name", "name", SHOW_PLAIN, .vm_only = true },
	{ "vm-id", "vm_id", SHOW_PLAIN, .number = true, .vm_only = true },
	{ "profile", "profile", SHOW_PLAIN, .vm_only = true },
	{ .name = "pool", .path = "pool" },
	{ .name = "priority", .path = "priority" },
	{ "weight", "weight", SHOW_PLAIN, .number = true },
	{ "seats", "seats", SHOW_PLAIN, .number = true, .profile_only = true },
	{ "link-uid", "link_uid", SHOW_PLAIN, .number = true, .vm_only = true },
	{ "gpu-memory", "quotas.gpu_memory_bytes", SHOW_SIZE, .limit = true },
	{ "window", "quotas.window_bytes", SHOW_SIZE, .limit = true },
	{ "gpu-time-guaranteed", "quotas.gpu_time_guaranteed_percent", SHOW_PERCENT,
	  .limit = true },
	{ "gpu-time-max", "quotas.gpu_time_max_percent", SHOW_PERCENT, .limit = true },
	{ "requests-per-second", "quotas.requests_per_second", SHOW_PLAIN, .number = true,
	  .limit = true },
	{ "burst", "quotas.burst", SHOW_PLAIN, .number = true, .limit = true },
	{ "queue-depth", "quotas.queue_depth", SHOW_PLAIN, .number = true, .limit = true },
	{ "channels", "quotas.channels", SHOW_PLAIN, .number = true, .limit = true },
	{ "longest-job", "quotas.longest_job_ms", SHOW_DURATION, .limit = true },
	{ .name = NULL },
};

static const struct value_key *find_key(const char *name, size_t length, bool of_profile)
{
	for (const struct value_key *key = value_keys; key->name; key++)
		if (strlen(key->name) == length && memcmp(key->name, name, length) == 0 &&
		    !(of_profile ? key->vm_only : key->profile_only))
			return key;
	return NULL;
}

static int unknown_key(const char *name, size_t length, bool of_profile, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *names = strdup("");

	for (const struct value_key *key = value_keys; names && key->name; key++) {
		char *longer;

		if (of_profile ? key->vm_only : key->profile_only)
			continue;
		if (asprintf(&longer, "%s%s%s", names, *names ? ", " : "", key->name) < 0)
			longer = NULL;
		free(names);
		names = longer;
	}
	return vgpu_error_set(err, EINVAL, "there is no '%.*s'; there are: %s", (int)length, name,
			      names ? names : "");
}

/* Digits, with or without "%" behind them. Ranges are the mediator's affair. */
static int parse_number(const char *text, bool percent, json_int_t *number, struct vgpu_error **err)
{
	uint64_t digits;
	const char *end;

	if (config_value_digits(text, INT64_MAX, &digits, &end) < 0 ||
	    (*end && !(percent && strcmp(end, "%") == 0)))
		return vgpu_error_set(err, EINVAL, "'%s' is no whole number%s", text,
				      percent ? ", with or without % behind it" : "");
	*number = (json_int_t)digits;
	return 0;
}

/* Returns the value, or NULL and err. */
static json_t *parse(const struct value_key *key, const char *text, struct vgpu_error **err)
{
	json_int_t number = 0;
	json_t *value;
	uint64_t size;
	uint32_t ms;

	if (key->kind == SHOW_PLAIN && !key->number) {
		value = json_string(text);
		if (!value)
			vgpu_error_set(err, EINVAL, "'%s' is no UTF-8 text", text);
		return value;
	}
	if (key->kind == SHOW_SIZE) {
		if (config_value_size(err, text, &size) < 0)
			return NULL;
		if (size > INT64_MAX) {
			vgpu_error_set(err, EINVAL, "'%s' is too much", text);
			return NULL;
		}
		return json_integer((json_int_t)size);
	}
	if (key->kind == SHOW_DURATION)
		return config_value_duration(err, text, &ms) < 0 ? NULL : json_integer(ms);
	if (parse_number(text, key->kind == SHOW_PERCENT, &number, err) < 0)
		return NULL;
	return json_integer(number);
}

/* Takes value over. Returns 0, or -1 and err. */
static int put(json_t *body, const struct value_key *key, json_t *value, struct vgpu_error **err)
{
	const char *dot = strchr(key->path, '.');
	json_t *object = body;

	if (dot) {
		object = json_object_get(body, "quotas");
		if (!object) {
			object = json_object();
			json_object_set_new(body, "quotas", object);
		}
	}
	if (json_object_get(object, dot ? dot + 1 : key->path)) {
		json_decref(value);
		return vgpu_error_set(err, EINVAL, "it is there twice");
	}
	if (json_object_set_new(object, dot ? dot + 1 : key->path, value) < 0)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	return 0;
}

int values_add(json_t *body, const char *assignment, bool of_profile, bool patch,
	       struct vgpu_error **err)
{
	size_t length = strcspn(assignment, "=");
	const struct value_key *key = find_key(assignment, length, of_profile);
	const char *text = assignment + length + 1;
	json_t *value = NULL;

	if (!assignment[length])
		return vgpu_error_set(err, EINVAL, "'%s' is not KEY=VALUE", assignment);
	if (!key)
		return unknown_key(assignment, length, of_profile, err);
	if (*text)
		value = parse(key, text, err);
	else if (patch)
		value = json_null();
	else
		vgpu_error_set(err, EINVAL, "a value is missing");
	if (!value || put(body, key, value, err) < 0) {
		if (err && !*err)
			vgpu_error_set(err, ENOMEM, "out of memory");
		vgpu_error_prefix(err, "%s", key->name);
		return -1;
	}
	return 0;
}

void values_cell(struct table *table, const json_t *json, const struct value_key *key)
{
	if (key->limit)
		show_limit_cell(table, json, key->path, key->kind);
	else
		show_cell(table, json, key->path, key->kind);
}
