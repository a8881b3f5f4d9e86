/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/domain_report.h"

#include <string.h>

#include "common/json_auto.h"

#define BAD_REQUEST 400

static const char *const states[DOMAIN_STATES] = {
	[DOMAIN_UNKNOWN] = "unknown",
	[DOMAIN_NONE] = "none",
	[DOMAIN_INACTIVE] = "inactive",
	[DOMAIN_RUNNING] = "running",
};

static int refuse(struct vm_field_name *field, const char *name, const char *reason,
		  struct vgpu_error **err)
{
	strcpy(field->text, name);
	return vgpu_error_set(err, BAD_REQUEST, "%s %s", name, reason);
}

static int decode_state(const json_t *value, struct domain_report *report,
			struct vm_field_name *field, struct vgpu_error **err)
{
	const char *text = json_string_value(value);

	for (unsigned int i = DOMAIN_NONE; text && i < DOMAIN_STATES; i++)
		if (strcmp(text, states[i]) == 0) {
			report->state = (enum domain_state)i;
			return 0;
		}
	return refuse(field, "state", "must be \"none\", \"inactive\" or \"running\"", err);
}

static int decode_starts(const json_t *value, struct domain_report *report,
			 struct vm_field_name *field, struct vgpu_error **err)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > UINT32_MAX)
		return refuse(field, "starts", "must be an integer from 0 to 4294967295", err);
	report->starts = (uint32_t)json_integer_value(value);
	return 0;
}

/* Copies a text that fits. Returns whether it does. */
static int copy(const json_t *value, char *to, size_t size)
{
	const char *text = json_string_value(value);

	if (!text || !*text || strlen(text) >= size)
		return 0;
	strcpy(to, text);
	return 1;
}

static int decode_drift(const json_t *value, struct domain_report *report,
			struct vm_field_name *field, struct vgpu_error **err)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > DOMAIN_DRIFT_MAX)
		return refuse(field, "drift", "must be an array of at most 16", err);
	json_array_foreach (value, i, entry) {
		struct domain_drift *drift = &report->drift[i];

		if (json_object_size(entry) != 2 ||
		    !copy(json_object_get(entry, "what"), drift->what, sizeof(drift->what)) ||
		    !copy(json_object_get(entry, "detail"), drift->detail, sizeof(drift->detail)))
			return refuse(field, "drift",
				      "must have objects of what (at most 39 bytes) and detail "
				      "(at most 215 bytes)",
				      err);
	}
	report->drift_count = json_array_size(value);
	return 0;
}

int domain_report_decode(const char *text, size_t length, struct domain_report *report,
			 struct vm_field_name *field, struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *json = NULL;

	*report = (struct domain_report){ .state = DOMAIN_UNKNOWN };
	json = body_decode(text, length, field, err);
	if (!json)
		return -1;
	if (!json_is_object(json) || json_object_size(json) != 3)
		return vgpu_error_set(err, BAD_REQUEST,
				      "the body must be an object of state, starts and drift");
	if (decode_state(json_object_get(json, "state"), report, field, err) < 0 ||
	    decode_starts(json_object_get(json, "starts"), report, field, err) < 0)
		return -1;
	return decode_drift(json_object_get(json, "drift"), report, field, err);
}

json_t *domain_report_to_json(const struct domain_report *report)
{
	json_t *drift = json_array();

	for (size_t i = 0; drift && i < report->drift_count; i++)
		if (json_array_append_new(drift,
					  json_pack("{s:s, s:s}", "what", report->drift[i].what,
						    "detail", report->drift[i].detail)) < 0) {
			json_decref(drift);
			return NULL;
		}
	return json_pack("{s:s, s:I, s:o}", "state", states[report->state], "starts",
			 (json_int_t)report->starts, "drift", drift);
}
