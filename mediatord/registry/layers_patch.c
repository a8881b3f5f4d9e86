/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that is changed by a JSON merge patch. The patch is applied to the layer's JSON, and what
 * comes of that is decoded as any layer: so there is one place that says what values are good.
 */
#include <string.h>

#include "common/json_auto.h"

#include "mediatord/registry/layers.h"

#define BAD_REQUEST 400
#define QUOTAS	    "quotas"

static bool is_field(const char *prefix, const char *key)
{
	size_t length = strlen(prefix);

	for (unsigned int field = 0; field < VM_FIELDS; field++) {
		const char *name = vm_field_name(field);

		if (strncmp(name, prefix, length) == 0 && strcmp(name + length, key) == 0)
			return true;
	}
	return false;
}

/*
 * Applies what is no object; a null of a field that there is not is left for the decoder to find.
 * Returns 0, or -1 where there is no memory.
 */
static int apply(json_t *target, const char *prefix, const char *key, json_t *value)
{
	if (!json_is_null(value) || !is_field(prefix, key))
		return json_object_set(target, key, value);
	json_object_del(target, key);
	return 0;
}

static int apply_quotas(json_t *target, json_t *patch)
{
	json_t *quotas = json_object_get(target, QUOTAS);
	const char *key;
	json_t *value;

	if (json_is_null(patch)) {
		json_object_del(target, QUOTAS);
		return 0;
	}
	if (!json_is_object(patch))
		return json_object_set(target, QUOTAS, patch);
	json_object_foreach (patch, key, value)
		if (apply(quotas, QUOTAS ".", key, value) < 0)
			return -1;
	return 0;
}

int vm_layer_patch(const char *text, size_t length, struct vm_layer *layer,
		   struct vm_field_name *field, struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *patch = NULL;
	VGPU_AUTO_JSON json_t *target = json_object();
	VGPU_AUTO_FREE char *result = NULL;
	struct vm_layer changed;
	const char *key;
	json_t *value;
	int failed;

	patch = body_decode(text, length, field, err);
	if (!patch)
		return -1;
	if (!json_is_object(patch))
		return vgpu_error_set(err, BAD_REQUEST, "the patch must be a JSON object");
	failed = vm_values_to_json(&layer->values, layer->given, target);
	json_object_foreach (patch, key, value) {
		if (!failed && strcmp(key, QUOTAS) == 0)
			failed = apply_quotas(target, value);
		else if (!failed)
			failed = apply(target, "", key, value);
	}
	result = failed ? NULL : json_dumps(target, JSON_COMPACT);
	if (!result)
		return vgpu_error_set(err, 500, "out of memory");
	if (vm_layer_decode(result, strlen(result), &changed, field, err) < 0)
		return -1;
	*layer = changed;
	return 0;
}
