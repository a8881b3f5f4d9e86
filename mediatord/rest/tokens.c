/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of /v1/tokens. */
#include <errno.h>

#include "mediatord/problem.h"
#include "mediatord/rest/internal.h"
#include "mediatord/token.h"
#include "mediatord/token_body.h"

static json_t *token_to_json(const struct state_token *token)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "name", token->name, "role",
			 token_role_name(token->role), "created", rest_time_to_json(token->created),
			 "expires",
			 token->expires ? rest_time_to_json(token->expires) : json_null());
}

void rest_token_add(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field;
	struct token_body wanted;
	char text[TOKEN_TEXT_BYTES];

	if (token_body_decode(request->body, request->length, &wanted, &field, &err) < 0) {
		rest_error(reply, err, &field);
		return;
	}
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
