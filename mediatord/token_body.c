/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/token_body.h"

#include <stdio.h>
#include <string.h>

#include "common/json_auto.h"

#define BAD_REQUEST 400

static bool take_name(const char *name, struct token_body *wanted)
{
	struct rest_target target;
	char path[sizeof("/v1/tokens/") + REST_NAME_MAX + 1];

	/* It has to fit its own path. */
	if (!name || strlen(name) > REST_NAME_MAX || strchr(name, '/'))
		return false;
	snprintf(path, sizeof(path), "/v1/tokens/%s", name);
	if (rest_route("DELETE", path, &target) != 0)
		return false;
	strcpy(wanted->name, name);
	return true;
}

/* Takes one member. Returns NULL, or what is wrong with it. */
static const char *take(struct token_body *wanted, const char *key, const json_t *value)
{
	if (strcmp(key, "name") == 0)
		return take_name(json_string_value(value), wanted)
			       ? NULL
			       : "name must be 1 to 63 letters, digits and . _ -, not "
				 "\".\" or \"..\"";
	if (strcmp(key, "role") == 0)
		return json_is_string(value) &&
				       token_role_parse(json_string_value(value), &wanted->role)
			       ? NULL
			       : "role must be \"read\", \"operate\" or \"hook\"";
	if (strcmp(key, "expires_in_seconds") == 0) {
		wanted->seconds = json_integer_value(value);
		return json_is_integer(value) && wanted->seconds >= 1 &&
				       wanted->seconds <= TOKEN_SECONDS_MAX
			       ? NULL
			       : "expires_in_seconds must be an integer from 1 to 316224000";
	}
	return "there is no such field";
}

int token_body_decode(const char *text, size_t length, struct token_body *wanted,
		      struct vm_field_name *field, struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *json = body_decode(text, length, field, err);
	const char *key, *wrong;
	json_t *value;

	*wanted = (struct token_body){ .name = "", .role = TOKEN_ROLES };
	if (!json)
		return -1;
	if (!json_is_object(json))
		return vgpu_error_set(err, BAD_REQUEST, "the body must be a JSON object");
	json_object_foreach (json, key, value) {
		wrong = take(wanted, key, value);
		if (wrong) {
			body_blame(field, "", key, strlen(key));
			return vgpu_error_set(err, BAD_REQUEST, "%s", wrong);
		}
	}
	if (wanted->name[0] && wanted->role != TOKEN_ROLES)
		return 0;
	strcpy(field->text, wanted->name[0] ? "role" : "name");
	return vgpu_error_set(err, BAD_REQUEST, "name and role must be given");
}
