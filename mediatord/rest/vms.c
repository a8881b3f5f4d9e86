/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of /v1/vms. */
#include <errno.h>
#include <stdio.h>

#include "common/uuid.h"
#include "mediatord/actions.h"
#include "mediatord/rest/internal.h"

/* Answers with a VM: its status as it is now, or as it was a moment ago. */
static void reply_vm(struct rest *rest, const uint8_t uuid[16], bool now, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_CLEANUP(vm_text_release)
	struct vm_text *vm = registry_text(rest->registry, uuid, &err);
	struct json_text text = { .length = 0 };
	struct vm_status status;

	if (!vm) {
		rest_error(reply, err, NULL);
		return;
	}
	if (!now)
		rest_status_get(rest->status, uuid, &status);
	else if (control_vm_status(rest->control, uuid, &status, NULL) < 0)
		status = (struct vm_status){ 0 };
	rest_vm_write(&text, rest, vm, &status);
	if (!reply->status)
		reply->status = MHD_HTTP_OK;
	memcpy(reply->etag, vm->etag, sizeof(reply->etag));
	rest_text(reply, &text);
}

/* Answers with a VM that was changed, as everybody is shown it from now on. */
static void reply_changed(struct rest *rest, const uint8_t uuid[16], struct rest_reply *reply)
{
	rest_status_expire(rest->status);
	reply_vm(rest, uuid, true, reply);
}

void rest_vm_get(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	reply_vm(rest, request->target.uuid, false, reply);
}

void rest_vm_list(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	const struct rest_query *query = &request->query;
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE struct vm_text **vms = NULL;
	struct json_text text = { .length = 0 };
	char last[VGPU_UUID_TEXT] = "";
	bool more = false;
	size_t count = 0;

	if (registry_texts(rest->registry, query->has_after ? query->after_uuid : NULL,
			   query->limit ? query->limit : REST_LIMIT_MAX, &vms, &count, &more,
			   &err) < 0) {
		rest_error(reply, err, NULL);
		return;
	}
	JSON_TEXT_ADD(&text, "{\"vms\":[");
	for (size_t i = 0; i < count; i++) {
		struct vm_status status;

		if (i > 0)
			JSON_TEXT_ADD(&text, ",");
		rest_status_get(rest->status, vms[i]->uuid, &status);
		rest_vm_write(&text, rest, vms[i], &status);
		vgpu_uuid_format(vms[i]->uuid, last);
		vm_text_release(&vms[i]);
	}
	JSON_TEXT_ADD(&text, "]");
	if (more)
		json_text_format(&text, ",\"next\":\"/v1/vms?after=%s&limit=%u\"", last,
				 query->limit ? query->limit : REST_LIMIT_MAX);
	JSON_TEXT_ADD(&text, "}");
	reply->status = MHD_HTTP_OK;
	rest_text(reply, &text);
}

/* What a VM that is registered does. Returns false and the reply where it is not. */
static bool get_status(struct rest *rest, const uint8_t uuid[16], struct vm_status *status,
		       struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_CLEANUP(vm_text_release)
	struct vm_text *vm = registry_text(rest->registry, uuid, &err);

	if (!vm) {
		rest_error(reply, err, NULL);
		return false;
	}
	rest_status_get(rest->status, uuid, status);
	reply->status = MHD_HTTP_OK;
	return true;
}

void rest_vm_channels(struct rest *rest, const struct rest_request *request,
		      struct rest_reply *reply)
{
	struct json_text text = { .length = 0 };
	struct vm_status status;

	if (!get_status(rest, request->target.uuid, &status, reply))
		return;
	JSON_TEXT_ADD(&text, "{\"channels\":");
	rest_channels_write(&text, &status);
	JSON_TEXT_ADD(&text, "}");
	rest_text(reply, &text);
}

void rest_vm_times(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	struct json_text text = { .length = 0 };
	struct vm_status status;

	if (!get_status(rest, request->target.uuid, &status, reply))
		return;
	rest_times_write(&text, &status.usage);
	rest_text(reply, &text);
}

static void put(struct rest *rest, const struct rest_request *request, enum vm_hand hand,
		struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field = { "" };
	char uuid[VGPU_UUID_TEXT];
	struct registry_vm vm;
	struct vm_layer layer;
	bool created;

	if (vm_layer_decode(request->body, request->length, &layer, &field, &err) < 0 ||
	    registry_put(rest->registry, request->target.uuid, hand, &layer, &request->condition,
			 &created, &vm, &field, &err) < 0) {
		rest_error(reply, err, &field);
		return;
	}
	if (created) {
		vgpu_uuid_format(request->target.uuid, uuid);
		snprintf(reply->location, sizeof(reply->location), "/v1/vms/%s", uuid);
		reply->status = MHD_HTTP_CREATED;
	}
	reply_changed(rest, request->target.uuid, reply);
}

void rest_vm_put(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	put(rest, request, VM_HAND_OPERATOR, reply);
}

void rest_domain_put(struct rest *rest, const struct rest_request *request,
		     struct rest_reply *reply)
{
	put(rest, request, VM_HAND_DOMAIN, reply);
}

void rest_cloudstack_get(struct rest *rest, const struct rest_request *request,
			 struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *values = NULL;
	struct json_text text = { .length = 0 };
	struct registry_vm vm;

	if (registry_get(rest->registry, request->target.uuid, &vm, &err) < 0) {
		rest_error(reply, err, NULL);
		return;
	}
	values = vm_layer_encode(&vm.stored.layers[VM_HAND_CLOUDSTACK]);
	if (!values) {
		rest_problem(reply, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory", "");
		return;
	}
	json_text_format(&text, "%s", values);
	reply->status = MHD_HTTP_OK;
	rest_text(reply, &text);
}

void rest_cloudstack_put(struct rest *rest, const struct rest_request *request,
			 struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field = { "" };
	struct vm_layer layer;

	if (vm_layer_decode(request->body, request->length, &layer, &field, &err) < 0 ||
	    vm_layer_check_offering(&layer, &field, &err) < 0 ||
	    registry_put_offering(rest->registry, request->target.uuid, &layer, &field, &err) < 0)
		rest_error(reply, err, &field);
	else
		reply_changed(rest, request->target.uuid, reply);
}

void rest_vm_patch(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field = { "" };

	if (!rest_may_patch(request, reply))
		return;
	if (registry_patch(rest->registry, request->target.uuid, request->body, request->length,
			   &request->condition, &field, &err) < 0) {
		rest_error(reply, err, &field);
		return;
	}
	reply_changed(rest, request->target.uuid, reply);
}

void rest_vm_delete(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (registry_delete(rest->registry, request->target.uuid, &request->condition, &err) < 0)
		rest_error(reply, err, NULL);
	else
		reply->status = MHD_HTTP_NO_CONTENT;
	rest_status_expire(rest->status);
}

void rest_domain_delete(struct rest *rest, const struct rest_request *request,
			struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (registry_detach(rest->registry, request->target.uuid, &err) < 0)
		rest_error(reply, err, NULL);
	else
		reply->status = MHD_HTTP_NO_CONTENT;
}

void rest_domain_report(struct rest *rest, const struct rest_request *request,
			struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field;
	struct domain_report report;

	if (domain_report_decode(request->body, request->length, &report, &field, &err) < 0)
		rest_error(reply, err, &field);
	else if (registry_report(rest->registry, request->target.uuid, &report, &err) < 0)
		rest_error(reply, err, NULL);
	else
		reply->status = MHD_HTTP_NO_CONTENT;
	rest_status_expire(rest->status);
}

static void hold(struct rest *rest, const struct rest_request *request, enum vm_hold what,
		 struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (registry_hold(rest->registry, request->target.uuid, what, &err) < 0) {
		rest_error(reply, err, NULL);
		return;
	}
	reply_changed(rest, request->target.uuid, reply);
}

void rest_vm_pause(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	hold(rest, request, VM_HOLD_PAUSED, reply);
}

void rest_vm_resume(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	hold(rest, request, VM_HOLD_NONE, reply);
}

void rest_vm_drain(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	hold(rest, request, VM_HOLD_DRAINING, reply);
}

/* What the loop does to a VM that is in force; one that is not has nothing that runs. */
static void act(struct rest *rest, const struct rest_request *request,
		int (*action)(struct control *control, const uint8_t uuid[16],
			      struct vgpu_error **err),
		struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct registry_vm vm;

	if (registry_get(rest->registry, request->target.uuid, &vm, &err) < 0) {
		rest_error(reply, err, NULL);
		return;
	}
	if (!vm.problem[0] && action(rest->control, request->target.uuid, &err) < 0) {
		rest_problem(reply,
			     err->status == ESHUTDOWN ? MHD_HTTP_SERVICE_UNAVAILABLE
						      : MHD_HTTP_NOT_FOUND,
			     err->message, "");
		return;
	}
	reply_changed(rest, request->target.uuid, reply);
}

void rest_vm_reset(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	act(rest, request, action_reset, reply);
}

/* First that what it asks for is refused, then that it loses what it has. */
void rest_vm_quarantine(struct rest *rest, const struct rest_request *request,
			struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (registry_hold(rest->registry, request->target.uuid, VM_HOLD_QUARANTINED, &err) < 0)
		rest_error(reply, err, NULL);
	else
		act(rest, request, action_quarantine, reply);
}

void rest_vm_release(struct rest *rest, const struct rest_request *request,
		     struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct registry_vm vm;

	if (registry_get(rest->registry, request->target.uuid, &vm, &err) < 0 ||
	    (vm.stored.hold == VM_HOLD_QUARANTINED &&
	     registry_hold(rest->registry, request->target.uuid, VM_HOLD_NONE, &err) < 0))
		rest_error(reply, err, NULL);
	else
		act(rest, request, action_release, reply);
}
