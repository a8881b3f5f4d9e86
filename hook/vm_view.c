/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/vm_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "common/json_auto.h"
#include "common/text.h"
#include "hook/registration.h"

static const char *const states[] = {
	[VM_DOMAIN_UNKNOWN] = "unknown",
	[VM_DOMAIN_NONE] = "none",
	[VM_DOMAIN_INACTIVE] = "inactive",
	[VM_DOMAIN_RUNNING] = "running",
};
#define STATES (sizeof(states) / sizeof(states[0]))

/* What is not UTF-8, as parts of a hostile document may be, could not be sent. */
static void make_sendable(char *text)
{
	json_t *json = json_string(text);

	for (; !json && *text; text++)
		if ((unsigned char)*text >= 0x80)
			*text = '?';
	json_decref(json);
}

void vm_drift_add(struct vm_drift *drift, const char *what, const char *format, ...)
{
	char detail[2048];
	va_list args;

	if (drift->count == VM_DRIFT_MAX)
		return;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	vgpu_text_cut(drift->items[drift->count].what, sizeof(drift->items[0].what), what);
	vgpu_text_cut(drift->items[drift->count].detail, sizeof(drift->items[0].detail), detail);
	make_sendable(drift->items[drift->count].detail);
	drift->count++;
}

const char *vm_value_name(unsigned int value)
{
	static const char *const names[VM_VALUES] = {
		[VM_VALUE_NAME] = "name",
		[VM_VALUE_PROFILE] = "profile",
		[VM_VALUE_POOL] = "pool",
		[VM_VALUE_PRIORITY] = "priority",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_GPU_MEMORY] = "quotas.gpu_memory_bytes",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_WINDOW] = "quotas.window_bytes",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_GPU_TIME_GUARANTEED] =
			"quotas.gpu_time_guaranteed_percent",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_GPU_TIME_MAX] = "quotas.gpu_time_max_percent",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_REQUESTS_PER_SECOND] = "quotas.requests_per_second",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_BURST] = "quotas.burst",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_QUEUE_DEPTH] = "quotas.queue_depth",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_CHANNELS] = "quotas.channels",
		[VM_VALUE_QUOTAS + VGPU_DOMAIN_LONGEST_JOB] = "quotas.longest_job_ms",
	};

	return names[value];
}

static const json_t *value_of(const json_t *vm, unsigned int value)
{
	if (value < VM_VALUE_QUOTAS)
		return json_object_get(vm, vm_value_name(value));
	return json_object_get(json_object_get(vm, "quotas"),
			       registration_quota_field(value - VM_VALUE_QUOTAS));
}

/* Hands that are not known here go before the domain's: there is no drift to tell then. */
static enum vm_source source_of(const json_t *vm, unsigned int value)
{
	const char *source = json_string_value(
		json_object_get(json_object_get(vm, "sources"), vm_value_name(value)));

	if (!source || strcmp(source, "default") == 0 || strcmp(source, "profile") == 0)
		return VM_SOURCE_LOWER;
	return strcmp(source, "domain") == 0 ? VM_SOURCE_DOMAIN : VM_SOURCE_HIGHER;
}

static void read_values(const json_t *vm, struct vm_view *view)
{
	for (unsigned int i = 0; i < VM_VALUES; i++) {
		const json_t *value = value_of(vm, i);

		view->values[i].source = source_of(vm, i);
		if (json_is_integer(value))
			snprintf(view->values[i].text, sizeof(view->values[i].text), "%" PRId64,
				 (int64_t)json_integer_value(value));
		else if (json_is_string(value))
			vgpu_text_cut(view->values[i].text, sizeof(view->values[i].text),
				      json_string_value(value));
	}
}

static int read_domain(const json_t *domain, struct vm_view *view)
{
	const char *state = json_string_value(json_object_get(domain, "state"));
	const json_t *starts = json_object_get(domain, "starts");
	const json_t *drift = json_object_get(domain, "drift"), *item;
	unsigned int known = 0;
	size_t i;

	while (state && known < STATES && strcmp(states[known], state) != 0)
		known++;
	if (!state || known == STATES || !json_is_integer(starts) ||
	    json_integer_value(starts) < 0 || json_integer_value(starts) > UINT32_MAX)
		return -1;
	view->state = (enum vm_domain_state)known;
	view->starts = (uint32_t)json_integer_value(starts);
	json_array_foreach (drift, i, item) {
		const char *what = json_string_value(json_object_get(item, "what"));
		const char *detail = json_string_value(json_object_get(item, "detail"));

		if (!what || !detail)
			return -1;
		vm_drift_add(&view->drift, what, "%s", detail);
	}
	return 0;
}

int vm_view_read(const char *text, size_t length, struct vm_view *view, struct vgpu_error **err)
{
	VGPU_AUTO_JSON
	json_t *vm = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

	*view = (struct vm_view){ .registered = true };
	if (!json_is_string(json_object_get(vm, "uuid")) ||
	    read_domain(json_object_get(vm, "domain"), view) < 0)
		return vgpu_error_set(err, EPROTO, "the mediator's answer is not about a VM");
	view->attached = json_is_true(json_object_get(vm, "attached"));
	view->in_force = json_object_get(vm, "sources") != NULL;
	read_values(vm, view);
	return 0;
}

int vm_page_read(const char *text, size_t length, uint8_t (**uuids)[16], size_t *count,
		 char next[128], struct vgpu_error **err)
{
	VGPU_AUTO_JSON
	json_t *page = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	const json_t *vms = json_object_get(page, "vms"), *vm;
	const char *path = json_string_value(json_object_get(page, "next"));
	uint8_t(*grown)[16];
	size_t i;

	next[0] = '\0';
	if (!json_is_array(vms) ||
	    (path && (strncmp(path, "/v1/vms?", 8) != 0 || strlen(path) >= 128)))
		return vgpu_error_set(err, EPROTO, "the mediator's answer is no list of VMs");
	grown = reallocarray(*uuids, *count + json_array_size(vms) + 1, sizeof(**uuids));
	if (!grown)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	*uuids = grown;
	json_array_foreach (vms, i, vm) {
		const char *uuid = json_string_value(json_object_get(vm, "uuid"));

		if (uuid && vgpu_uuid_parse(uuid, grown[*count]) == 0)
			(*count)++;
	}
	if (path)
		strcpy(next, path);
	return 0;
}

char *vm_state_body(enum vm_domain_state state, uint32_t starts, const struct vm_drift *drift)
{
	VGPU_AUTO_JSON json_t *body = NULL;
	json_t *items = json_array();

	for (size_t i = 0; i < drift->count; i++)
		json_array_append_new(items, json_pack("{s:s, s:s}", "what", drift->items[i].what,
						       "detail", drift->items[i].detail));
	body = json_pack("{s:s, s:I, s:o}", "state", states[state], "starts", (json_int_t)starts,
			 "drift", items);
	return body ? json_dumps(body, JSON_COMPACT) : NULL;
}
