/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of /v1/vms. */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "common/uuid.h"
#include "mediatord/problem.h"
#include "mediatord/rest_internal.h"

static const char *const worker_states[] = {
	[VGPU_WORKER_NONE] = "none",
	[VGPU_WORKER_STARTING] = "starting",
	[VGPU_WORKER_READY] = "ready",
	[VGPU_WORKER_FAILED] = "failed",
};

static const char *worker_state_name(uint32_t state)
{
	return state < sizeof(worker_states) / sizeof(*worker_states) ? worker_states[state]
								      : "none";
}

static json_t *pid_to_json(pid_t pid)
{
	return pid > 0 ? json_integer(pid) : json_null();
}

static const char *channel_state_name(uint32_t state)
{
	static const char *const names[] = {
		[VGPU_CHANNEL_STATE_CLOSED] = "closed",	  [VGPU_CHANNEL_STATE_OPENING] = "opening",
		[VGPU_CHANNEL_STATE_OPEN] = "open",	  [VGPU_CHANNEL_STATE_FAILED] = "failed",
		[VGPU_CHANNEL_STATE_CLOSING] = "closing",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : "closed";
}

/* NULL where there is no memory. */
static json_t *channels_to_json(const struct vm_status *status)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < status->channel_count; i++) {
		const struct vm_channel_status *channel = &status->channels[i];
		json_t *json = json_pack(
			"{s:I, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "channel",
			(json_int_t)channel->number, "state", channel_state_name(channel->state),
			"worker_pid", pid_to_json(channel->worker_pid), "region_bytes",
			(json_int_t)channel->region_bytes, "submissions",
			(json_int_t)channel->submissions, "errors", (json_int_t)channel->errors,
			"gpu_time_ns", (json_int_t)channel->gpu_time_ns, "memory_used_bytes",
			(json_int_t)channel->memory_used_bytes, "context", channel->context, "gpu",
			channel->gpu_name[0] ? problem_text_to_json(channel->gpu_name)
					     : json_null());

		if (json_array_append_new(list, json) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* Adds what the loop knows of the VM. Returns 0, or -1 where there is no memory. */
static int add_status(json_t *json, const struct vm_status *status, const char *link_socket)
{
	json_t *link, *worker, *usage, *counters;

	link = json_pack("{s:o, s:s, s:o}", "socket", problem_text_to_json(link_socket), "state",
			 status->link_state == VGPU_LINK_UP ? "up" : "down", "pid",
			 pid_to_json(status->link_pid));
	worker = json_pack(
		"{s:s, s:o, s:I, s:o}", "state", worker_state_name(status->worker_state), "pid",
		pid_to_json(status->worker_pid), "jobs", (json_int_t)status->worker_jobs, "gpu",
		status->gpu_name[0] ? problem_text_to_json(status->gpu_name) : json_null());
	usage = json_pack("{s:I, s:I, s:I}", "gpu_memory_bytes",
			  (json_int_t)status->memory_used_bytes, "window_bytes",
			  (json_int_t)status->window_used_bytes, "gpu_time_ns",
			  (json_int_t)status->usage.gpu_time_ns);
	counters = json_pack("{s:I, s:I, s:I, s:I, s:I}", "requests",
			     (json_int_t)status->usage.requests, "completed",
			     (json_int_t)status->usage.completed, "failed",
			     (json_int_t)status->usage.failed, "workers_lost",
			     (json_int_t)status->usage.workers_lost, "links_refused",
			     (json_int_t)status->usage.links_refused);
	/* Each is taken over, also where one fails; a NULL fails. */
	return json_object_set_new(json, "link", link) |
	       json_object_set_new(json, "worker", worker) |
	       json_object_set_new(json, "channels", channels_to_json(status)) |
	       json_object_set_new(json, "usage", usage) |
	       json_object_set_new(json, "counters", counters);
}

/* A VM as REST shows it; NULL where there is no memory. */
static json_t *vm_to_json(struct rest *rest, const struct registry_vm *vm)
{
	json_t *json = json_object();
	struct vm_status status = { 0 };
	VGPU_AUTO_FREE char *link_socket = NULL;
	char uuid[VGPU_UUID_TEXT];
	int failed;

	vgpu_uuid_format(vm->stored.uuid, uuid);
	if (asprintf(&link_socket, "%s/%s.sock", rest->config->link_dir, uuid) < 0)
		link_socket = NULL;
	/* The loop does not know a VM that is not in force, or was deleted meanwhile. */
	if (control_vm_status(rest->control, vm->stored.uuid, &status, NULL) < 0)
		status = (struct vm_status){ 0 };
	failed = json_object_set_new(json, "uuid", json_string(uuid));
	if (vm->problem[0])
		failed |= json_object_set_new(json, "vm_id", json_integer(vm->stored.vm_id)) |
			  json_object_set_new(json, "problem", problem_text_to_json(vm->problem));
	else
		failed |= vm_merged_to_json(&vm->merged, json);
	failed |= json_object_set_new(json, "attached", json_boolean(vm->stored.attached));
	if (failed || !link_socket || add_status(json, &status, link_socket) != 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static void reply_error(struct rest_reply *reply, const struct vgpu_error *err,
			const struct vm_field_name *field)
{
	rest_problem(reply, (unsigned int)err->status, err->message, field ? field->text : "");
}

void rest_vm_list(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE struct registry_vm *vms = NULL;
	json_t *list;
	size_t count;

	(void)request;
	if (registry_list(rest->registry, &vms, &count, &err) < 0) {
		reply_error(reply, err, NULL);
		return;
	}
	list = json_array();
	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(list, vm_to_json(rest, &vms[i])) < 0) {
			json_decref(list);
			list = NULL;
			break;
		}
	}
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:o}", "vms", list);
}

void rest_vm_get(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct registry_vm vm;

	if (registry_get(rest->registry, request->target.uuid, &vm, &err) < 0) {
		reply_error(reply, err, NULL);
		return;
	}
	reply->status = MHD_HTTP_OK;
	reply->body = vm_to_json(rest, &vm);
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
	    registry_put(rest->registry, request->target.uuid, hand, &layer, &created, &vm, &field,
			 &err) < 0) {
		reply_error(reply, err, &field);
		return;
	}
	if (created) {
		vgpu_uuid_format(request->target.uuid, uuid);
		snprintf(reply->location, sizeof(reply->location), "/v1/vms/%s", uuid);
	}
	reply->status = created ? MHD_HTTP_CREATED : MHD_HTTP_OK;
	reply->body = vm_to_json(rest, &vm);
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

void rest_vm_delete(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (registry_delete(rest->registry, request->target.uuid, &err) < 0)
		reply_error(reply, err, NULL);
	else
		reply->status = MHD_HTTP_NO_CONTENT;
}

void rest_domain_delete(struct rest *rest, const struct rest_request *request,
			struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (registry_detach(rest->registry, request->target.uuid, &err) < 0)
		reply_error(reply, err, NULL);
	else
		reply->status = MHD_HTTP_NO_CONTENT;
}
