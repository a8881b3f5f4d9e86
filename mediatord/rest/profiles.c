/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of /v1/profiles. */
#include <stdio.h>

#include "mediatord/problem.h"
#include "mediatord/rest/internal.h"

#define ALL_FIELDS  ((UINT32_C(1) << VM_FIELDS) - 1)
#define FIELD(name) (UINT32_C(1) << VM_FIELD_##name)

/* NULL where there is no memory. */
static json_t *to_json(const struct registry_profile *entry)
{
	const struct config_profile *profile = &entry->profile;
	struct vm_config values = {
		.priority = profile->priority,
		.weight = profile->weight,
		.seats = profile->seats,
		.quotas = profile->quotas,
	};
	json_t *json = json_object();

	memcpy(values.pool, profile->pool, sizeof(values.pool));
	if (json_object_set_new(json, "name", problem_text_to_json(profile->name)) |
	    vm_values_to_json(&values,
			      ALL_FIELDS & ~(FIELD(NAME) | FIELD(VM_ID) | FIELD(PROFILE) |
					     FIELD(LINK_UID) | FIELD(SEAT)),
			      json) |
	    json_object_set_new(json, "origin",
				json_string(entry->from_file ? "file" : "operator")) |
	    json_object_set_new(json, "vms", json_integer(entry->vms))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

void rest_profile_list(struct rest *rest, const struct rest_request *request,
		       struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE struct registry_profile *profiles = NULL;
	json_t *list = json_array();
	size_t count;

	(void)request;
	if (registry_profiles(rest->registry, &profiles, &count, &err) < 0) {
		json_decref(list);
		rest_error(reply, err, NULL);
		return;
	}
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, to_json(&profiles[i]));
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:o}", "profiles", list);
}

static void reply_profile(struct rest *rest, const char *name, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct registry_profile profile;

	if (registry_profile_get(rest->registry, name, &profile, &err) < 0) {
		rest_error(reply, err, NULL);
		return;
	}
	if (!reply->status)
		reply->status = MHD_HTTP_OK;
	memcpy(reply->etag, profile.etag, sizeof(reply->etag));
	reply->body = to_json(&profile);
}

void rest_profile_get(struct rest *rest, const struct rest_request *request,
		      struct rest_reply *reply)
{
	reply_profile(rest, request->target.name, reply);
}

void rest_profile_put(struct rest *rest, const struct rest_request *request,
		      struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field = { "" };
	struct vm_layer values;
	bool created;

	if (vm_layer_decode(request->body, request->length, &values, &field, &err) < 0 ||
	    registry_profile_put(rest->registry, request->target.name, &values, &request->condition,
				 &created, &field, &err) < 0) {
		rest_error(reply, err, &field);
		return;
	}
	if (created) {
		snprintf(reply->location, sizeof(reply->location), "/v1/profiles/%s",
			 request->target.name);
		reply->status = MHD_HTTP_CREATED;
	}
	reply_profile(rest, request->target.name, reply);
}

void rest_profile_patch(struct rest *rest, const struct rest_request *request,
			struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field;

	if (!rest_may_patch(request, reply))
		return;
	if (registry_profile_patch(rest->registry, request->target.name, request->body,
				   request->length, &request->condition, &field, &err) < 0)
		rest_error(reply, err, &field);
	else
		reply_profile(rest, request->target.name, reply);
}

void rest_profile_delete(struct rest *rest, const struct rest_request *request,
			 struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (registry_profile_delete(rest->registry, request->target.name, &request->condition,
				    &err) < 0)
		rest_error(reply, err, NULL);
	else
		reply->status = MHD_HTTP_NO_CONTENT;
}
