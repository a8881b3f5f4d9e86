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

#include "mediatord/config_keys.h"
#include "mediatord/config_value.h"

#define LINE_BYTES_MAX 4096u

/* What must hold when a section is over. Returns 0, or -1 and err. */
static int end_section(struct config_reader *reader)
{
	if (reader->section == SECTION_POOL && config_pool_of(reader)->gpu_count == 0 &&
	    !config_pool_of(reader)->all_gpus)
		return vgpu_error_set(reader->err, EINVAL,
				      "[pool %s] has no gpus =", config_pool_of(reader)->name);
	if (reader->section == SECTION_PROFILE) {
		const struct vgpu_quotas *quotas = &config_profile_of(reader)->quotas;

		if (quotas->gpu_time_max_percent &&
		    quotas->gpu_time_guaranteed_percent > quotas->gpu_time_max_percent)
			return vgpu_error_set(
				reader->err, EINVAL,
				"[profile %s]: gpu-time-guaranteed %u is more than gpu-time-max %u",
				config_profile_of(reader)->name,
				quotas->gpu_time_guaranteed_percent, quotas->gpu_time_max_percent);
	}
	return 0;
}

static int begin_pool(struct config_reader *reader, const char *name)
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

static int begin_profile(struct config_reader *reader, const char *name)
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
static int begin_section(struct config_reader *reader, char *text)
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
	if (strcmp(text, "scheduler") == 0 && !*name) {
		if (reader->scheduler_seen)
			return vgpu_error_set(reader->err, EINVAL, "[scheduler] is there twice");
		reader->scheduler_seen = true;
		reader->section = SECTION_SCHEDULER;
		return 0;
	}
	if (strcmp(text, "pool") == 0)
		return begin_pool(reader, name);
	if (strcmp(text, "profile") == 0)
		return begin_profile(reader, name);
	return vgpu_error_set(reader->err, EINVAL,
			      "unknown section [%s%s%s]; there are [mediatord], [scheduler], "
			      "[pool NAME] and [profile NAME]",
			      text, *name ? " " : "", name);
}

static int read_value(struct config_reader *reader, const char *name, const char *value)
{
	static const struct config_key *const sections[] = {
		[SECTION_MEDIATORD] = config_mediatord_keys,
		[SECTION_POOL] = config_pool_keys,
		[SECTION_PROFILE] = config_profile_keys,
		[SECTION_SCHEDULER] = config_scheduler_keys,
	};
	const struct config_key *keys = sections[reader->section];

	if (reader->section == SECTION_NONE)
		return vgpu_error_set(reader->err, EINVAL, "\"%s\" stands before any [section]",
				      name);
	for (unsigned int i = 0; keys[i].name; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (reader->seen & UINT64_C(1) << i)
			return vgpu_error_set(reader->err, EINVAL,
					      "%s is there twice in this section", name);
		reader->seen |= UINT64_C(1) << i;
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

static int read_line(struct config_reader *reader, char *line)
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
	struct config_reader reader = { .config = config, .names = names, .err = err };
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
