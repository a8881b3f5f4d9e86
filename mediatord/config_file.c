/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of mediatord.conf: INI, one "key = value" a line, '#' begins a comment at the start of
 * a line and after white space. It is strict: what it does not know, or sees twice, is an error,
 * because a quota that is silently not in force is worse than a daemon that does not start.
 */
#include "mediatord/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "mediatord/config_value.h"

#define LINE_BYTES_MAX 4096u

struct reader {
	struct config *config;
	struct config_file_names *names;
	/* The section that is being read. Indices: appending moves the arrays. */
	enum {
		SECTION_NONE,
		SECTION_MEDIATORD,
		SECTION_POOL,
		SECTION_PROFILE
	} section;
	size_t index;
	uint32_t seen; /* bit n: the section's nth key was there */
	bool mediatord_seen;
	struct vgpu_error **err;
};

/* One value into its place. Returns 0, or -1 and err. */
typedef int set_function(struct reader *reader, const char *value);

struct key {
	const char *name;
	set_function *set;
};

static struct config_pool *pool_of(struct reader *reader)
{
	return &reader->config->pools[reader->index];
}

static struct config_profile *profile_of(struct reader *reader)
{
	return &reader->config->profiles[reader->index];
}

static int set_control_socket(struct reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->control_socket);
}

static int set_control_group(struct reader *reader, const char *value)
{
	return config_value_group(reader->err, value, &reader->config->has_control_group,
				  &reader->config->control_gid);
}

static int set_link_dir(struct reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->link_dir);
}

static int set_link_group(struct reader *reader, const char *value)
{
	return config_value_group(reader->err, value, &reader->config->has_link_group,
				  &reader->config->link_gid);
}

static int set_libvirt_run_dir(struct reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->libvirt_run_dir);
}

static int set_state(struct reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->state);
}

static int set_worker(struct reader *reader, const char *value)
{
	return config_value_path(reader->err, value, &reader->config->worker);
}

/* Leaves room for every vm_id above it, and never root or (uid_t)-1. */
static int set_worker_uid_base(struct reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 1, UINT32_MAX - CONFIG_VM_ID_MAX - 1,
				   &reader->config->worker_uid_base);
}

static int set_backend(struct reader *reader, const char *value)
{
	if (strcmp(value, "cpu") == 0)
		reader->config->backend = VGPU_BACKEND_CPU;
	else if (strcmp(value, "cuda") == 0)
		reader->config->backend = VGPU_BACKEND_CUDA;
	else
		return vgpu_error_set(reader->err, EINVAL,
				      "\"%s\" is no backend; there are: cpu, cuda", value);
	return 0;
}

static int set_allow_pageable_access(struct reader *reader, const char *value)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return vgpu_error_set(reader->err, EINVAL, "\"%s\" is neither yes nor no", value);
	reader->config->allow_pageable_access = *value == 'y';
	return 0;
}

static int set_default_pool(struct reader *reader, const char *value)
{
	return config_value_name(reader->err, value, reader->names->default_pool,
				 sizeof(reader->names->default_pool));
}

static int set_default_profile(struct reader *reader, const char *value)
{
	if (!*value)
		return 0;
	return config_value_name(reader->err, value, reader->names->default_profile,
				 sizeof(reader->names->default_profile));
}

static int set_log_level(struct reader *reader, const char *value)
{
	int level = vgpu_log_level_from_name(value);

	if (level < 0)
		return vgpu_error_set(reader->err, EINVAL,
				      "\"%s\" is no level: error, warning, info or debug", value);
	reader->config->log_level = level;
	return 0;
}

static int set_letter(struct reader *reader, const char *value)
{
	if (!isascii((unsigned char)value[0]) || !isalnum((unsigned char)value[0]) || value[1])
		return vgpu_error_set(reader->err, EINVAL, "\"%s\" is no single letter or digit",
				      value);
	pool_of(reader)->letter = value[0];
	return 0;
}

static int compare_gpus(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static int set_gpus(struct reader *reader, const char *value)
{
	struct config_pool *pool = pool_of(reader);
	const char *cursor = value;

	for (;;) {
		uint64_t gpu;

		while (isblank((unsigned char)*cursor))
			cursor++;
		if (config_value_digits(cursor, CONFIG_GPU_INDEX_MAX, &gpu, &cursor) < 0)
			break;
		while (isblank((unsigned char)*cursor))
			cursor++;
		if (pool->gpu_count == CONFIG_POOL_GPUS_MAX)
			return vgpu_error_set(reader->err, EINVAL, "more than %u GPUs",
					      CONFIG_POOL_GPUS_MAX);
		for (size_t i = 0; i < pool->gpu_count; i++)
			if (pool->gpus[i] == gpu)
				return vgpu_error_set(reader->err, EINVAL, "GPU %u is there twice",
						      (unsigned int)gpu);
		pool->gpus[pool->gpu_count++] = (uint32_t)gpu;
		if (!*cursor) {
			qsort(pool->gpus, pool->gpu_count, sizeof(pool->gpus[0]), compare_gpus);
			return 0;
		}
		if (*cursor++ != ',')
			break;
	}
	return vgpu_error_set(reader->err, EINVAL,
			      "\"%s\" is no list of GPU indices from 0 to %u, as 0,1", value,
			      CONFIG_GPU_INDEX_MAX);
}

static int set_pool(struct reader *reader, const char *value)
{
	return config_value_name(reader->err, value, profile_of(reader)->pool,
				 sizeof(profile_of(reader)->pool));
}

static int set_priority(struct reader *reader, const char *value)
{
	static const char *const names[] = { "low", "medium", "high" };

	for (uint32_t i = 0; i < 3; i++)
		if (strcmp(value, names[i]) == 0) {
			profile_of(reader)->priority = i;
			return 0;
		}
	return vgpu_error_set(reader->err, EINVAL, "\"%s\" is no priority: low, medium or high",
			      value);
}

static int set_weight(struct reader *reader, const char *value)
{
	return config_value_number(reader->err, value, CONFIG_WEIGHT_MIN, CONFIG_WEIGHT_MAX,
				   &profile_of(reader)->weight);
}

static int set_gpu_memory(struct reader *reader, const char *value)
{
	return config_value_size(reader->err, value, &profile_of(reader)->quotas.gpu_memory_bytes);
}

static int set_window(struct reader *reader, const char *value)
{
	return config_value_size(reader->err, value, &profile_of(reader)->quotas.window_bytes);
}

static int set_time_guaranteed(struct reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_PERCENT_MAX,
				   &profile_of(reader)->quotas.gpu_time_guaranteed_percent);
}

static int set_time_max(struct reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_PERCENT_MAX,
				   &profile_of(reader)->quotas.gpu_time_max_percent);
}

static int set_requests_per_second(struct reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_REQUESTS_PER_SECOND_MAX,
				   &profile_of(reader)->quotas.requests_per_second);
}

static int set_burst(struct reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_REQUESTS_PER_SECOND_MAX,
				   &profile_of(reader)->quotas.burst);
}

static int set_queue_depth(struct reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_QUEUE_DEPTH_MAX,
				   &profile_of(reader)->quotas.queue_depth);
}

static int set_channels(struct reader *reader, const char *value)
{
	return config_value_number(reader->err, value, 0, CONFIG_CHANNELS_MAX,
				   &profile_of(reader)->quotas.channels);
}

static int set_longest_job(struct reader *reader, const char *value)
{
	return config_value_duration(reader->err, value,
				     &profile_of(reader)->quotas.longest_job_ms);
}

static const struct key mediatord_keys[] = {
	{ "control-socket", set_control_socket },
	{ "control-group", set_control_group },
	{ "link-dir", set_link_dir },
	{ "link-group", set_link_group },
	{ "libvirt-run-dir", set_libvirt_run_dir },
	{ "state", set_state },
	{ "worker", set_worker },
	{ "worker-uid-base", set_worker_uid_base },
	{ "backend", set_backend },
	{ "allow-pageable-access", set_allow_pageable_access },
	{ "default-pool", set_default_pool },
	{ "default-profile", set_default_profile },
	{ "log-level", set_log_level },
	{ NULL, NULL },
};

static const struct key pool_keys[] = {
	{ "letter", set_letter },
	{ "gpus", set_gpus },
	{ NULL, NULL },
};

static const struct key profile_keys[] = {
	{ "pool", set_pool },
	{ "priority", set_priority },
	{ "weight", set_weight },
	{ "gpu-memory", set_gpu_memory },
	{ "window", set_window },
	{ "gpu-time-guaranteed", set_time_guaranteed },
	{ "gpu-time-max", set_time_max },
	{ "requests-per-second", set_requests_per_second },
	{ "burst", set_burst },
	{ "queue-depth", set_queue_depth },
	{ "channels", set_channels },
	{ "longest-job", set_longest_job },
	{ NULL, NULL },
};

/* What must hold when a section is over. Returns 0, or -1 and err. */
static int end_section(struct reader *reader)
{
	if (reader->section == SECTION_POOL && pool_of(reader)->gpu_count == 0)
		return vgpu_error_set(reader->err, EINVAL,
				      "[pool %s] has no gpus =", pool_of(reader)->name);
	if (reader->section == SECTION_PROFILE) {
		const struct vgpu_quotas *quotas = &profile_of(reader)->quotas;

		if (quotas->gpu_time_max_percent &&
		    quotas->gpu_time_guaranteed_percent > quotas->gpu_time_max_percent)
			return vgpu_error_set(
				reader->err, EINVAL,
				"[profile %s]: gpu-time-guaranteed %u is more than gpu-time-max %u",
				profile_of(reader)->name, quotas->gpu_time_guaranteed_percent,
				quotas->gpu_time_max_percent);
	}
	return 0;
}

static int begin_pool(struct reader *reader, const char *name)
{
	char checked[VGPU_POOL_NAME_MAX + 1];
	struct config_pool *pool;

	if (config_value_name(reader->err, name, checked, sizeof(checked)) < 0)
		return -1;
	if (config_pool_find(reader->config, checked))
		return vgpu_error_set(reader->err, EINVAL, "[pool %s] is there twice", checked);
	pool = config_pool_append(reader->config);
	if (!pool)
		return vgpu_error_set(reader->err, ENOMEM, "out of memory");
	memcpy(pool->name, checked, sizeof(checked));
	pool->letter = checked[0];
	reader->section = SECTION_POOL;
	reader->index = reader->config->pool_count - 1;
	return 0;
}

static int begin_profile(struct reader *reader, const char *name)
{
	char checked[VGPU_PROFILE_NAME_MAX + 1];
	struct config_profile *profile;

	if (config_value_name(reader->err, name, checked, sizeof(checked)) < 0)
		return -1;
	if (config_profile_find(reader->config, checked))
		return vgpu_error_set(reader->err, EINVAL, "[profile %s] is there twice", checked);
	profile = config_profile_append(reader->config);
	if (!profile)
		return vgpu_error_set(reader->err, ENOMEM, "out of memory");
	memcpy(profile->name, checked, sizeof(checked));
	reader->section = SECTION_PROFILE;
	reader->index = reader->config->profile_count - 1;
	return 0;
}

/* text is what stands between the brackets. */
static int begin_section(struct reader *reader, char *text)
{
	char *name = text + strcspn(text, " \t");

	if (end_section(reader) < 0)
		return -1;
	reader->seen = 0;
	if (*name) {
		*name++ = '\0';
		name += strspn(name, " \t");
	}
	if (strcmp(text, "mediatord") == 0 && !*name) {
		if (reader->mediatord_seen)
			return vgpu_error_set(reader->err, EINVAL, "[mediatord] is there twice");
		reader->mediatord_seen = true;
		reader->section = SECTION_MEDIATORD;
		return 0;
	}
	if (strcmp(text, "pool") == 0)
		return begin_pool(reader, name);
	if (strcmp(text, "profile") == 0)
		return begin_profile(reader, name);
	return vgpu_error_set(reader->err, EINVAL,
			      "unknown section [%s%s%s]; there are [mediatord], [pool NAME] and "
			      "[profile NAME]",
			      text, *name ? " " : "", name);
}

static int read_value(struct reader *reader, const char *name, const char *value)
{
	const struct key *keys = reader->section == SECTION_MEDIATORD ? mediatord_keys
				 : reader->section == SECTION_POOL    ? pool_keys
								      : profile_keys;

	if (reader->section == SECTION_NONE)
		return vgpu_error_set(reader->err, EINVAL, "\"%s\" stands before any [section]",
				      name);
	for (unsigned int i = 0; keys[i].name; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (reader->seen & 1u << i)
			return vgpu_error_set(reader->err, EINVAL,
					      "%s is there twice in this section", name);
		reader->seen |= 1u << i;
		if (keys[i].set(reader, value) == 0)
			return 0;
		vgpu_error_prefix(reader->err, "%s", name);
		return -1;
	}
	return vgpu_error_set(reader->err, EINVAL, "unknown key \"%s\" in this section", name);
}

static void trim_end(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
}

/* Cuts off a comment and white space at both ends; returns where the rest begins. */
static char *strip(char *line)
{
	for (char *c = line; *c; c++)
		if (*c == '#' && (c == line || isblank((unsigned char)c[-1]))) {
			*c = '\0';
			break;
		}
	trim_end(line);
	return line + strspn(line, " \t");
}

static int read_line(struct reader *reader, char *line)
{
	char *text = strip(line);
	char *value;

	if (!*text)
		return 0;
	if (*text == '[') {
		size_t length = strlen(text);

		if (text[length - 1] != ']')
			return vgpu_error_set(reader->err, EINVAL, "\"%s\" lacks its ]", text);
		text[length - 1] = '\0';
		trim_end(text);
		text++;
		return begin_section(reader, text + strspn(text, " \t"));
	}
	value = strchr(text, '=');
	if (!value)
		return vgpu_error_set(reader->err, EINVAL,
				      "\"%s\" is neither a [section] nor \"key = value\"", text);
	*value++ = '\0';
	trim_end(text);
	return read_value(reader, text, value + strspn(value, " \t"));
}

int config_file_read(struct config *config, struct config_file_names *names, const char *text,
		     size_t length, const char *name, struct vgpu_error **err)
{
	struct reader reader = { .config = config, .names = names, .err = err };
	const char *end = text + length;
	unsigned int number = 0;
	char line[LINE_BYTES_MAX + 1];

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t bytes = (size_t)((newline ? newline : end) - text);
		int rc;

		number++;
		if (bytes > LINE_BYTES_MAX) {
			rc = vgpu_error_set(err, EINVAL, "the line is longer than %u bytes",
					    LINE_BYTES_MAX);
		} else if (memchr(text, '\0', bytes)) {
			rc = vgpu_error_set(err, EINVAL, "there is a zero byte in the line");
		} else {
			memcpy(line, text, bytes);
			line[bytes] = '\0';
			rc = read_line(&reader, line);
		}
		if (rc < 0) {
			vgpu_error_prefix(err, "%s:%u", name, number);
			return -1;
		}
		text += bytes + (newline ? 1 : 0);
	}
	if (end_section(&reader) < 0) {
		vgpu_error_prefix(err, "%s:%u", name, number);
		return -1;
	}
	return 0;
}
