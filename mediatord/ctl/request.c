/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the mediator, and its answers, which need not be sound. */
#include <stdio.h>
#include <string.h>

#include "mediatord/config_value.h"
#include "mediatord/ctl/ctl.h"
#include "mediatord/vm_config.h"

/* Of a list; more than any host's VMs fill. */
#define PAGES_MAX 1000u

int ctl_check_name(const struct ctl *ctl, const char *name)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char checked[VGPU_PROFILE_NAME_MAX + 1];

	return config_value_name(&err, name, checked, sizeof(checked)) < 0
		       ? ctl_fail_error(ctl, err)
		       : 0;
}

int ctl_name_path(const struct ctl *ctl, const char *collection, const char *name,
		  char path[CTL_NAME_PATH_BYTES])
{
	int status = ctl_check_name(ctl, name);

	if (status == 0)
		snprintf(path, CTL_NAME_PATH_BYTES, "/v1/%s/%s", collection, name);
	return status;
}

int ctl_call(struct ctl *ctl, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	int status = server_prepare(ctl);

	*reply = (struct rest_reply){ 0 };
	if (status)
		return status;
	return rest_call(&ctl->server, request, reply, &err) < 0 ? ctl_fail_error(ctl, err) : 0;
}

int ctl_parse(const struct ctl *ctl, const struct rest_reply *reply, json_t **answer)
{
	json_error_t error;
	json_t *json = json_loadb(reply->body, reply->length, JSON_REJECT_DUPLICATES, &error);

	if (!json_is_object(json)) {
		json_decref(json);
		return ctl_fail(ctl, EX_PROTOCOL, "the mediator's answer is no JSON object%s%s",
				json ? "" : ": ", json ? "" : error.text);
	}
	*answer = json;
	return 0;
}

int ctl_send(struct ctl *ctl, const char *method, const char *path, const char *header,
	     const json_t *body, json_t **answer)
{
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_FREE char *text = NULL;
	struct rest_request request = { .method = method, .path = path, .header = header };
	int status;

	*answer = NULL;
	if (body) {
		text = json_dumps(body, JSON_COMPACT);
		if (!text)
			return ctl_fail(ctl, EX_OSERR, "out of memory");
		request.body = text;
	}
	status = ctl_call(ctl, &request, &reply);
	if (status)
		return status;
	if (!rest_success(&reply))
		return ctl_fail_reply(ctl, &reply);
	return reply.length ? ctl_parse(ctl, &reply, answer) : 0;
}

int ctl_get(struct ctl *ctl, const char *path, json_t **answer)
{
	int status = ctl_send(ctl, "GET", path, NULL, NULL, answer);

	if (status == 0 && !*answer)
		return ctl_fail(ctl, EX_PROTOCOL, "the mediator's answer is empty");
	return status;
}

/* The path of the next page, which must be one of the same list; NULL: there is none. */
static const char *next_page(const char *path, const json_t *page)
{
	const char *next = json_string_value(json_object_get(page, "next"));
	size_t length = strcspn(path, "?");

	return next && strncmp(next, path, length) == 0 && next[length] == '?' ? next : NULL;
}

int ctl_get_list(struct ctl *ctl, const char *path, const char *key, json_t **answer)
{
	VGPU_AUTO_JSON json_t *page = NULL;
	VGPU_AUTO_JSON json_t *list = json_array();

	*answer = NULL;
	for (unsigned int i = 0; i < PAGES_MAX; i++) {
		/* path may be a part of it until the next is known */
		VGPU_AUTO_JSON __attribute__((unused)) json_t *old = page;
		int status;

		page = NULL;
		status = ctl_get(ctl, path, &page);
		if (status)
			return status;
		if (!json_is_array(json_object_get(page, key)))
			return ctl_fail(ctl, EX_PROTOCOL, "the mediator's answer has no list '%s'",
					key);
		json_array_extend(list, json_object_get(page, key));
		path = next_page(path, page);
		if (!path) {
			*answer = json_pack("{s:O}", key, list);
			return *answer ? 0 : ctl_fail(ctl, EX_OSERR, "out of memory");
		}
	}
	return ctl_fail(ctl, EX_PROTOCOL, "the mediator's list '%s' has no end", key);
}

int ctl_print_json(const json_t *json)
{
	/* main() looks at the stream. */
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	return EX_OK;
}
