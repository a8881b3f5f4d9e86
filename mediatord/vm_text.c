/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/vm_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/uuid.h"
#include "mediatord/problem.h"
#include "mediatord/registry/registry.h"

static const char *const hold_names[VM_HOLDS] = {
	[VM_HOLD_NONE] = "none",
	[VM_HOLD_PAUSED] = "paused",
	[VM_HOLD_DRAINING] = "draining",
	[VM_HOLD_QUARANTINED] = "quarantined",
};

const char *vm_hold_name(enum vm_hold hold)
{
	return (size_t)hold < VM_HOLDS ? hold_names[hold] : "";
}

/* FNV-1a: no secret, and nobody gains by two texts with the same tag but who made both. */
void etag_make(const char *text, char etag[VM_ETAG_BYTES])
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (const char *c = text; *c; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
	snprintf(etag, VM_ETAG_BYTES, "\"%016" PRIx64 "\"", hash);
}

int etag_matches(const char *if_match, const char *etag)
{
	size_t length = strlen(etag);
	const char *at = if_match + strspn(if_match, " \t");

	if (*at == '*')
		return at[1 + strspn(at + 1, " \t")] == '\0';
	/* Weak tags never match here (RFC 9110, 13.1.1): they begin with W/, not with a quote. */
	while (*at) {
		size_t tag = strcspn(at, ",");

		while (tag > 0 && (at[tag - 1] == ' ' || at[tag - 1] == '\t'))
			tag--;
		if (tag == length && memcmp(at, etag, length) == 0)
			return 1;
		at += strcspn(at, ",");
		at += strspn(at, ", \t");
	}
	return 0;
}

/* Adds the etag of what the hands said and what came of it. Returns 0, or -1 without memory. */
static int tag(const struct registry_vm *vm, const char *values, char etag[VM_ETAG_BYTES])
{
	VGPU_AUTO_FREE char *domain = vm_layer_encode(&vm->stored.layers[VM_HAND_DOMAIN]);
	VGPU_AUTO_FREE char *offering = vm_layer_encode(&vm->stored.layers[VM_HAND_CLOUDSTACK]);
	VGPU_AUTO_FREE char *operator= vm_layer_encode(&vm->stored.layers[VM_HAND_OPERATOR]);
	VGPU_AUTO_FREE char *all = NULL;

	if (!domain || !offering ||
	    !operator|| asprintf(&all, "%s%s%s%s", domain, offering, operator, values) < 0)
		return -1;
	etag_make(all, etag);
	return 0;
}

static json_t *to_json(const struct registry_vm *vm)
{
	json_t *json = json_object();
	char uuid[VGPU_UUID_TEXT];
	int failed;

	vgpu_uuid_format(vm->stored.uuid, uuid);
	failed = json_object_set_new(json, "uuid", json_string(uuid));
	if (vm->problem[0])
		failed |= json_object_set_new(json, "vm_id", json_integer(vm->stored.vm_id)) |
			  json_object_set_new(json, "problem", problem_text_to_json(vm->problem));
	else
		failed |= vm_merged_to_json(&vm->merged, json);
	if (!failed)
		return json;
	json_decref(json);
	return NULL;
}

struct vm_text *vm_text_new(const struct registry_vm *vm)
{
	json_t *json = to_json(vm);
	json_t *domain_json = domain_report_to_json(&vm->domain);
	VGPU_AUTO_FREE char *values = json ? json_dumps(json, JSON_COMPACT) : NULL;
	VGPU_AUTO_FREE char *domain = domain_json ? json_dumps(domain_json, JSON_COMPACT) : NULL;
	VGPU_AUTO_FREE char *all = NULL;
	struct vm_text *text;
	int length;

	json_decref(json);
	json_decref(domain_json);
	if (!values || !domain)
		return NULL;
	values[strlen(values) - 1] = '\0';
	length = asprintf(&all, "%s,\"attached\":%s,\"hold\":\"%s\",\"domain\":%s", values + 1,
			  vm->stored.attached ? "true" : "false", vm_hold_name(vm->stored.hold),
			  domain);
	if (length < 0) {
		all = NULL;
		return NULL;
	}
	text = malloc(sizeof(*text) + (size_t)length + 1);
	if (!text)
		return NULL;
	atomic_init(&text->references, 1);
	memcpy(text->uuid, vm->stored.uuid, sizeof(text->uuid));
	text->length = (size_t)length;
	memcpy(text->json, all, (size_t)length + 1);
	if (tag(vm, values, text->etag) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

struct vm_text *vm_text_reference(struct vm_text *text)
{
	if (text)
		atomic_fetch_add_explicit(&text->references, 1, memory_order_relaxed);
	return text;
}

void vm_text_release(struct vm_text **text)
{
	struct vm_text *old = *text;

	*text = NULL;
	if (old && atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) == 1)
		free(old);
}
