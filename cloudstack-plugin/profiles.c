/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/profiles.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "xml/file.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)

static int read_map(const json_t *value, const char *key, const json_t **map,
		    struct vgpu_error **err)
{
	const char *name;
	const json_t *profile;

	if (!json_is_object(value))
		return vgpu_error_set(err, EINVAL, "\"%s\" is no object", key);
	json_object_foreach ((json_t *)value, name, profile)
		if (!json_is_string(profile))
			return vgpu_error_set(
				err, EINVAL, "\"%s\": the profile of \"%s\" is no text", key, name);
	*map = value;
	return 0;
}

static int read_key(struct profiles *profiles, const char *key, const json_t *value,
		    struct vgpu_error **err)
{
	if (strcmp(key, "offerings") == 0)
		return read_map(value, key, &profiles->offerings, err);
	if (strcmp(key, "host_tags") == 0)
		return read_map(value, key, &profiles->host_tags, err);
	if (strcmp(key, "extraconfig") != 0)
		return vgpu_error_set(err, EINVAL, "unknown key \"%s\"", key);
	if (!json_is_boolean(value))
		return vgpu_error_set(err, EINVAL, "\"extraconfig\" is neither true nor false");
	profiles->extraconfig = json_is_true(value);
	return 0;
}

static int read_file(struct profiles *profiles, const char *text, size_t length,
		     struct vgpu_error **err)
{
	json_error_t problem;
	const json_t *value;
	const char *key;

	profiles->file = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
	if (!profiles->file)
		return vgpu_error_set(err, EINVAL, "no JSON: line %d: %s", problem.line,
				      problem.text);
	if (!json_is_object(profiles->file))
		return vgpu_error_set(err, EINVAL, "no object");
	json_object_foreach (profiles->file, key, value)
		if (read_key(profiles, key, value, err) < 0)
			return -1;
	return 0;
}

int profiles_load(struct profiles *profiles, const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_ERROR struct vgpu_error *why = NULL;
	VGPU_AUTO_FREE char *text = NULL;
	size_t length;

	*profiles = (struct profiles){ .file = NULL };
	if (file_read_path(path, FILE_BYTES_MAX, &text, &length, &why) < 0)
		return why->status == ENOENT
			       ? 0
			       : vgpu_error_set(err, why->status, "%s: %s", path, why->message);
	if (read_file(profiles, text, length, err) == 0)
		return 0;
	profiles_clear(profiles);
	vgpu_error_prefix(err, "%s", path);
	return -1;
}

void profiles_clear(struct profiles *profiles)
{
	json_decref(profiles->file);
	*profiles = (struct profiles){ .file = NULL };
}

int profiles_find(const struct profiles *profiles, const struct offering_names *names,
		  const char **profile, struct vgpu_error **err)
{
	*profile = names->name
			   ? json_string_value(json_object_get(profiles->offerings, names->name))
			   : NULL;
	if (*profile)
		return 0;
	for (size_t i = 0; i < names->tag_count; i++) {
		const char *its =
			json_string_value(json_object_get(profiles->host_tags, names->tags[i]));

		if (its && *profile && strcmp(its, *profile) != 0)
			return vgpu_error_set(err, EINVAL,
					      "its host tags ask for profile \"%s\" and for \"%s\"",
					      *profile, its);
		if (its)
			*profile = its;
	}
	return 0;
}
