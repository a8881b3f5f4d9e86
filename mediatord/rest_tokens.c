/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of /v1/tokens. */
#include <errno.h>

#include "mediatord/problem.h"
#include "common/json_auto.h"
#include "mediatord/rest_internal.h"
#include "mediatord/token.h"

#define SECONDS_MAX (10ll * 366 * 86400)

/* What a client wants. */
struct wanted {
	const char *name;
	enum token_role role;
	bool has_role;
	json_int_t seconds;
};

static bool name_ok(const char *name)
{
	struct rest_target target;
	char path[sizeof("/v1/tokens/") + REST_NAME_MAX + 1];

	/* It has to fit its own path. */
	if (strlen(name) > REST_NAME_MAX || strchr(name, '/'))
		return false;
	snprintf(path, sizeof(path), "/v1/tokens/%s", name);
	return rest_route("DELETE", path, &target) == 0;
}

/* Takes one member. Returns NULL, or what is wrong with it. */
static const char *take(struct wanted *wanted, const char *key, json_t *value)
{
	if (strcmp(key, "name") == 0) {
		wanted->name = json_string_value(value);
		return wanted->name && name_ok(wanted->name)
			       ? NULL
			       : "name must be 1 to 63 letters, digits and . _ -, not "
				 "\".\" or \"..\"";
	}
	if (strcmp(key, "role") == 0) {
		wanted->has_role = json_is_string(value) &&
				   token_role_parse(json_string_value(value), &wanted->role);
		return wanted->has_role ? NULL : "role must be \"read\", \"operate\" or \"hook\"";
	}
	if (strcmp(key, "expires_in_seconds") == 0) {
		wanted->seconds = json_integer_value(value);
		return json_is_integer(value) && wanted->seconds >= 1 &&
				       wanted->seconds <= SECONDS_MAX
			       ? NULL
			       : "expires_in_seconds must be 1 to 316224000";
	}
	return "there is no such field";
}

/* Returns false and the reply where the body is not good; its texts are in *json. */
static bool decode(const struct rest_request *request, json_t **json, struct wanted *wanted,
		   struct rest_reply *reply)
{
	json_error_t problem;
	const char *key, *wrong;
	struct vm_field_name field;
	json_t *value;

	*json = json_loadb(request->body, request->length, JSON_REJECT_DUPLICATES, &problem);
	if (!json_is_object(*json)) {
		rest_problem(reply, MHD_HTTP_BAD_REQUEST, "the body must be a JSON object", "");
		return false;
	}
	json_object_foreach (*json, key, value) {
		wrong = take(wanted, key, value);
		if (wrong) {
			snprintf(field.text, sizeof(field.text), "%s", key);
			rest_problem(reply, MHD_HTTP_BAD_REQUEST, wrong, field.text);
			return false;
		}
	}
	if (!wanted->name || !wanted->has_role) {
		rest_problem(reply, MHD_HTTP_BAD_REQUEST, "name and role must be given",
			     wanted->name ? "role" : "name");
		return false;
	}
	return true;
}

static json_t *token_to_json(const struct state_token *token)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "name", token->name, "role",
			 token_role_name(token->role), "created", rest_time_to_json(token->created),
			 "expires",
			 token->expires ? rest_time_to_json(token->expires) : json_null());
}

void rest_token_add(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_JSON json_t *json = NULL;
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct wanted wanted = { .name = NULL };
	char text[TOKEN_TEXT_BYTES];

	if (!decode(request, &json, &wanted, reply))
		return;
	if (tokens_add(rest->tokens, wanted.name, wanted.role, wanted.seconds, text, &err) < 0) {
		bool there = err->status == EEXIST;

		rest_problem(reply,
			     there || err->status == EDQUOT ? MHD_HTTP_CONFLICT
			     : err->status == ENOSPC	    ? MHD_HTTP_INSUFFICIENT_STORAGE
							    : MHD_HTTP_INTERNAL_SERVER_ERROR,
			     err->message, there ? "name" : "");
		return;
	}
	reply->status = MHD_HTTP_CREATED;
	snprintf(reply->location, sizeof(reply->location), "/v1/tokens/%s", wanted.name);
	reply->body = json_pack("{s:s, s:s, s:s}", "name", wanted.name, "role",
				token_role_name(wanted.role), "token", text);
}

static void add_one(const struct state_token *token, void *opaque)
{
	json_array_append_new(opaque, token_to_json(token));
}

void rest_token_list(struct rest *rest, const struct rest_request *request,
		     struct rest_reply *reply)
{
	json_t *list = json_array();

	(void)request;
	tokens_each(rest->tokens, add_one, list);
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:o}", "tokens", list);
}

void rest_token_delete(struct rest *rest, const struct rest_request *request,
		       struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (tokens_delete(rest->tokens, request->target.name, &err) == 0)
		reply->status = MHD_HTTP_NO_CONTENT;
	else
		rest_problem(reply,
			     err->status == ENOENT ? MHD_HTTP_NOT_FOUND
						   : MHD_HTTP_INTERNAL_SERVER_ERROR,
			     err->message, "");
}
