/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/config_value.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <string.h>

#include "mediatord/config.h"

int config_value_digits(const char *text, uint64_t max, uint64_t *number, const char **end)
{
	uint64_t sum = 0;

	if (!isdigit((unsigned char)*text))
		return -1;
	for (; isdigit((unsigned char)*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (digit > max || sum > (max - digit) / 10)
			return -1;
		sum = sum * 10 + digit;
	}
	*number = sum;
	*end = text;
	return 0;
}

int config_value_number(struct vgpu_error **err, const char *value, uint32_t min, uint32_t max,
			uint32_t *field)
{
	const char *end;
	uint64_t number;

	if (config_value_digits(value, max, &number, &end) < 0 || *end || number < min)
		return vgpu_error_set(err, EINVAL, "\"%s\" is no whole number from %u to %u", value,
				      min, max);
	*field = (uint32_t)number;
	return 0;
}

int config_value_size(struct vgpu_error **err, const char *value, uint64_t *field)
{
	static const struct {
		const char *name;
		unsigned int shift;
	} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 } };
	const char *end;
	uint64_t number;

	if (config_value_digits(value, UINT64_MAX, &number, &end) == 0)
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (strcmp(end, units[i].name) == 0 &&
			    number <= UINT64_MAX >> units[i].shift) {
				*field = number << units[i].shift;
				return 0;
			}
	return vgpu_error_set(err, EINVAL,
			      "\"%s\" is no size: digits, then nothing, KiB, MiB, GiB or TiB",
			      value);
}

int config_value_duration(struct vgpu_error **err, const char *value, uint32_t *field_ms)
{
	const char *end;
	uint64_t number;

	if (config_value_digits(value, UINT32_MAX, &number, &end) == 0) {
		uint64_t ms = strcmp(end, "s") == 0 ? number * 1000 : number;

		if ((strcmp(end, "s") == 0 || strcmp(end, "ms") == 0 ||
		     (number == 0 && *end == '\0')) &&
		    ms <= CONFIG_LONGEST_JOB_MS_MAX) {
			*field_ms = (uint32_t)ms;
			return 0;
		}
	}
	return vgpu_error_set(err, EINVAL,
			      "\"%s\" is no duration: digits, then ms or s; at most %u ms; 0: no "
			      "limit",
			      value, CONFIG_LONGEST_JOB_MS_MAX);
}

int config_value_path(struct vgpu_error **err, const char *value, char **field)
{
	char *copy;

	if (value[0] != '/')
		return vgpu_error_set(err, EINVAL,
				      "\"%s\" is no absolute path (it must begin with /)", value);
	copy = strdup(value);
	if (!copy)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

int config_value_group(struct vgpu_error **err, const char *value, bool *has, gid_t *gid)
{
	const struct group *group;
	const char *end;
	uint64_t number;

	*has = value[0] != '\0';
	if (!*has)
		return 0;
	if (config_value_digits(value, UINT32_MAX - 1, &number, &end) == 0 && !*end) {
		*gid = (gid_t)number;
		return 0;
	}
	errno = 0;
	group = getgrnam(value);
	if (!group)
		return vgpu_error_set(err, EINVAL, "there is no group \"%s\"", value);
	*gid = group->gr_gid;
	return 0;
}

int config_value_name(struct vgpu_error **err, const char *value, char *field, size_t size)
{
	size_t length = strlen(value);

	if (length == 0 || length >= size)
		return vgpu_error_set(err, EINVAL, "\"%s\" is no name of 1 to %zu bytes", value,
				      size - 1);
	for (size_t i = 0; i < length; i++)
		if (!isascii((unsigned char)value[i]) ||
		    !(isalnum((unsigned char)value[i]) || strchr("-_.", value[i])))
			return vgpu_error_set(err, EINVAL,
					      "\"%s\" is no name: only letters, digits, '-', '_' "
					      "and '.'",
					      value);
	/* No path of REST leads to them: clients take them out of it. */
	if (strncmp(value, "..", length) == 0)
		return vgpu_error_set(err, EINVAL, "\"%s\" is no name", value);
	memcpy(field, value, length + 1);
	return 0;
}
