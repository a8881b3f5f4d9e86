/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/hook.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "common/json_auto.h"
#include "common/text.h"

/* Of a message; libvirt puts the line into its own error message. */
#define MESSAGE_BYTES 512

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

static bool has_text(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text && *text;
}

enum hook_verdict hook_judge(const struct rest_reply *reply, const char *uuid,
			     struct vgpu_error **err)
{
	VGPU_AUTO_JSON
	json_t *body = json_loadb(reply->body, reply->length, JSON_REJECT_DUPLICATES, NULL);
	const char *vm = json_string_value(json_object_get(body, "uuid"));
	VGPU_AUTO_FREE char *problem = NULL;

	if (rest_success(reply) && vm && strcasecmp(vm, uuid) == 0)
		return HOOK_ADMITTED;
	if (rest_success(reply)) {
		vgpu_error_set(err, EPROTO, "the mediator's answer is not about the VM");
		return HOOK_UNSERVED;
	}
	problem = rest_reply_problem(reply);
	vgpu_error_set(err, EACCES, "%s", problem ? problem : "out of memory");
	return reply->status >= 400 && reply->status < 500 &&
			       (has_text(body, "detail") || has_text(body, "title"))
		       ? HOOK_REFUSED
		       : HOOK_UNSERVED;
}

char *hook_line(const char *message, const char *consequence)
{
	char cut[MESSAGE_BYTES];
	char *line;

	vgpu_text_cut(cut, sizeof(cut), message);
	if (asprintf(&line, "vgpu: %s%s%s", cut, strlen(cut) < strlen(message) ? "..." : "",
		     consequence) < 0)
		return NULL;
	vgpu_text_one_line(line);
	return line;
}
