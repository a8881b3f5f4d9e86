/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/mediator.h"

#include <stdio.h>
#include <string.h>

#include "common/rest_client.h"
#include "hook/registration.h"

#define TIMEOUT_MS 10000
#define REPLY_MAX  ((size_t)4 << 20)
#define PATH_BYTES 128

static int ask(const char *socket, const char *method, const char *path, const char *body,
	       struct rest_reply *reply, struct vgpu_error **err)
{
	const struct rest_server server = {
		.socket = socket,
		.timeout_ms = TIMEOUT_MS,
		.reply_max = REPLY_MAX,
	};
	const struct rest_request request = { .method = method, .path = path, .body = body };

	return rest_call(&server, &request, reply, err);
}

/* Says in err why an answer is no success. Returns -1. */
static int refused(const struct rest_reply *reply, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *problem = rest_reply_problem(reply);

	return vgpu_error_set(err, EACCES, "%s", problem ? problem : "out of memory");
}

static void make_path(char path[PATH_BYTES], const uint8_t uuid[16], const char *suffix)
{
	char text[VGPU_UUID_TEXT];

	vgpu_uuid_format(uuid, text);
	snprintf(path, PATH_BYTES, "/v1/vms/%s%s", text, suffix);
}

int mediator_list(const char *socket, uint8_t (**uuids)[16], size_t *count, struct vgpu_error **err)
{
	char path[PATH_BYTES] = "/v1/vms?limit=100";

	while (path[0]) {
		REST_AUTO_REPLY struct rest_reply reply = { 0 };

		if (ask(socket, "GET", path, NULL, &reply, err) < 0)
			return -1;
		if (!rest_success(&reply))
			return refused(&reply, err);
		if (vm_page_read(reply.body, reply.length, uuids, count, path, err) < 0)
			return -1;
	}
	return 0;
}

int mediator_get(const char *socket, const uint8_t uuid[16], struct vm_view *vm,
		 struct vgpu_error **err)
{
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	char path[PATH_BYTES];

	*vm = (struct vm_view){ .registered = false };
	make_path(path, uuid, "");
	if (ask(socket, "GET", path, NULL, &reply, err) < 0)
		return -1;
	if (reply.status == 404)
		return 0;
	if (!rest_success(&reply))
		return refused(&reply, err);
	return vm_view_read(reply.body, reply.length, vm, err);
}

int mediator_register(const char *socket, const uint8_t uuid[16],
		      const struct vgpu_domain_info *info, struct vm_view *vm,
		      struct vgpu_error **err)
{
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_FREE char *body = registration_body(info, info->name ? info->name : "", err);
	char path[PATH_BYTES];

	make_path(path, uuid, "/domain");
	if (!body || ask(socket, "PUT", path, body, &reply, err) < 0)
		return -1;
	if (rest_success(&reply))
		return vm_view_read(reply.body, reply.length, vm, err) < 0 ? -1 : 1;
	refused(&reply, err);
	return reply.status < 500 ? 0 : -1;
}

int mediator_report(const char *socket, const uint8_t uuid[16], enum vm_domain_state state,
		    uint32_t starts, const struct vm_drift *drift, struct vgpu_error **err)
{
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_FREE char *body = vm_state_body(state, starts, drift);
	char path[PATH_BYTES];

	if (!body)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	make_path(path, uuid, "/domain/state");
	if (ask(socket, "PUT", path, body, &reply, err) < 0)
		return -1;
	if (rest_success(&reply))
		return 1;
	return reply.status == 404 || reply.status == 409 ? 0 : refused(&reply, err);
}
