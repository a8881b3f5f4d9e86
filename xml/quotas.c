/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/quotas.h"

#include <string.h>

#include "xml/device_option.h"
#include "xml/tree.h"

/* More than any quota can be, and what JSON's integers hold. */
#define QUOTA_MAX (UINT64_C(1) << 62)

enum kind {
	KIND_SIZE,
	KIND_NUMBER,
	KIND_PERCENT,
	KIND_TIME
};

static const struct {
	const char *name;
	enum kind kind;
} known[VGPU_DOMAIN_QUOTAS] = {
	[VGPU_DOMAIN_GPU_MEMORY] = { "gpu-memory", KIND_SIZE },
	[VGPU_DOMAIN_WINDOW] = { "window", KIND_SIZE },
	[VGPU_DOMAIN_GPU_TIME_GUARANTEED] = { "gpu-time-guaranteed", KIND_PERCENT },
	[VGPU_DOMAIN_GPU_TIME_MAX] = { "gpu-time-max", KIND_PERCENT },
	[VGPU_DOMAIN_REQUESTS_PER_SECOND] = { "requests-per-second", KIND_NUMBER },
	[VGPU_DOMAIN_BURST] = { "burst", KIND_NUMBER },
	[VGPU_DOMAIN_QUEUE_DEPTH] = { "queue-depth", KIND_NUMBER },
	[VGPU_DOMAIN_CHANNELS] = { "channels", KIND_NUMBER },
	[VGPU_DOMAIN_LONGEST_JOB] = { "longest-job", KIND_TIME },
};

const char *vgpu_domain_quota_name(enum vgpu_domain_quota quota)
{
	return known[quota].name;
}

/* Digits, and the unit behind them. Returns 0, or -1 where there are no digits or too many. */
static int read_digits(const char *text, uint64_t *value, const char **unit)
{
	char *end;

	/* strtoull() would take blanks and signs. */
	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	*unit = end;
	return errno ? -1 : 0;
}

static bool read_value(enum kind kind, const char *text, uint64_t *value)
{
	const char *unit;

	if (kind == KIND_SIZE)
		return device_size_parse(text, value) == 0 && *value <= QUOTA_MAX;
	if (read_digits(text, value, &unit) < 0 || *value > QUOTA_MAX / 1000)
		return false;
	if (kind == KIND_TIME && strcmp(unit, "s") == 0)
		*value *= 1000;
	else if (kind == KIND_TIME)
		return strcmp(unit, "ms") == 0;
	else if (kind == KIND_PERCENT && *unit == '%')
		return unit[1] == '\0';
	else
		return *unit == '\0';
	return true;
}

static const char *expected(enum kind kind)
{
	switch (kind) {
	case KIND_SIZE:
		return "a size, as 8GiB";
	case KIND_PERCENT:
		return "a percentage, as 25";
	case KIND_TIME:
		return "a time, as 500ms or 2s";
	default:
		return "a number";
	}
}

static int find(const xmlAttr *attribute)
{
	if (attribute->ns)
		return -1;
	for (int i = 0; i < VGPU_DOMAIN_QUOTAS; i++)
		if (strcmp((const char *)attribute->name, known[i].name) == 0)
			return i;
	return -1;
}

int quotas_read(const xmlNode *element, struct vgpu_domain_quotas *quotas, struct vgpu_error **err)
{
	*quotas = (struct vgpu_domain_quotas){ 0 };
	if (!tree_is_blank(element))
		return vgpu_error_set(err, EINVAL, "vGPU metadata: <quotas> must be empty");
	for (const xmlAttr *attribute = element->properties; attribute;
	     attribute = attribute->next) {
		TREE_AUTO_STRING xmlChar *value = NULL;
		int quota = find(attribute);

		if (quota < 0)
			return vgpu_error_set(
				err, EINVAL,
				"vGPU metadata: <quotas> has an unknown attribute \"%s\"",
				(const char *)attribute->name);
		if (tree_attribute(element, known[quota].name, &value, err) < 0)
			return -1;
		if (!read_value(known[quota].kind, (const char *)value, &quotas->values[quota]))
			return vgpu_error_set(err, EINVAL, "vGPU metadata: %s \"%s\" is not %s",
					      known[quota].name, (const char *)value,
					      expected(known[quota].kind));
		quotas->given |= 1u << quota;
	}
	return 0;
}
