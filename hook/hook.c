/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/hook.h"

#include <string.h>

#include <jansson.h>

enum hook_action hook_action(const char *operation, const char *sub_operation)
{
	if (strcmp(operation, "prepare") == 0 && strcmp(sub_operation, "begin") == 0)
		return HOOK_REGISTER;
	if (strcmp(operation, "release") == 0 && strcmp(sub_operation, "end") == 0)
		return HOOK_RELEASE;
	return HOOK_IGNORE;
}

int hook_read_domain(const char *xml, size_t length, struct vgpu_domain **domain,
		     struct vgpu_domain_info *info, struct vgpu_error **err)
{
	*info = (struct vgpu_domain_info){ .slot = -1 };
	if (vgpu_domain_parse(domain, xml, length, err) < 0 ||
	    vgpu_domain_inspect(*domain, info, err) < 0) {
		if (memmem(xml, length, VGPU_DOMAIN_NAMESPACE, strlen(VGPU_DOMAIN_NAMESPACE)))
			return -1;
		vgpu_error_free(err);
		return 0;
	}
	return info->state == VGPU_DOMAIN_REQUESTED || info->state == VGPU_DOMAIN_ATTACHED;
}

/* Adds a field where there is a value. Returns 0, or -1 where there is no memory. */
static int add_field(json_t *body, const char *field, const char *value)
{
	return *value ? json_object_set_new(body, field, json_string(value)) : 0;
}

char *hook_registration(const struct vgpu_domain_info *info, const char *name,
			struct vgpu_error **err)
{
	json_t *name_value = json_string(name);
	json_t *body = json_object();
	char *text = NULL;

	if (!name_value) {
		vgpu_error_set(err, EINVAL, "the domain's name is not UTF-8");
		json_decref(body);
		return NULL;
	}
	/* json_object_set_new() takes the value over, also where it fails. */
	if (json_object_set_new(body, "name", name_value) == 0 &&
	    add_field(body, "profile", info->profile) == 0 &&
	    add_field(body, "pool", info->pool) == 0 &&
	    add_field(body, "priority", info->priority) == 0)
		text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!text)
		vgpu_error_set(err, ENOMEM, "out of memory");
	return text;
}
