/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/registration.h"

#include <string.h>

#include <jansson.h>

#include "common/json_auto.h"

const char *registration_quota_field(enum vgpu_domain_quota quota)
{
	static const char *const fields[VGPU_DOMAIN_QUOTAS] = {
		[VGPU_DOMAIN_GPU_MEMORY] = "gpu_memory_bytes",
		[VGPU_DOMAIN_WINDOW] = "window_bytes",
		[VGPU_DOMAIN_GPU_TIME_GUARANTEED] = "gpu_time_guaranteed_percent",
		[VGPU_DOMAIN_GPU_TIME_MAX] = "gpu_time_max_percent",
		[VGPU_DOMAIN_REQUESTS_PER_SECOND] = "requests_per_second",
		[VGPU_DOMAIN_BURST] = "burst",
		[VGPU_DOMAIN_QUEUE_DEPTH] = "queue_depth",
		[VGPU_DOMAIN_CHANNELS] = "channels",
		[VGPU_DOMAIN_LONGEST_JOB] = "longest_job_ms",
	};

	return fields[quota];
}

/* Adds a field where there is a value. Returns 0, or -1 where there is no memory. */
static int add_field(json_t *body, const char *field, const char *value)
{
	return *value ? json_object_set_new(body, field, json_string(value)) : 0;
}

static int add_quotas(json_t *body, const struct vgpu_domain_quotas *quotas)
{
	json_t *object = json_object();
	int failed = 0;

	for (unsigned int i = 0; i < VGPU_DOMAIN_QUOTAS; i++)
		if (quotas->given & (1u << i))
			failed |= json_object_set_new(object, registration_quota_field(i),
						      json_integer((json_int_t)quotas->values[i]));
	/* json_object_set_new() takes the value over, also where it fails. */
	return json_object_set_new(body, "quotas", object) | failed;
}

char *registration_body(const struct vgpu_domain_info *info, const char *name,
			struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *body = json_object();
	json_t *name_value = json_string(name);
	char *text = NULL;

	if (!name_value) {
		vgpu_error_set(err, EINVAL, "the domain's name is not UTF-8");
		return NULL;
	}
	if (json_object_set_new(body, "name", name_value) == 0 &&
	    add_field(body, "profile", info->profile) == 0 &&
	    add_field(body, "pool", info->pool) == 0 &&
	    add_field(body, "priority", info->priority) == 0 &&
	    add_field(body, "seat", info->seat) == 0 &&
	    (!info->quotas.given || add_quotas(body, &info->quotas) == 0))
		text = json_dumps(body, JSON_COMPACT);
	if (!text)
		vgpu_error_set(err, ENOMEM, "out of memory");
	return text;
}
