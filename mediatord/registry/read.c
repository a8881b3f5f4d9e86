/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "common/uuid.h"
#include "mediatord/registry/internal.h"

size_t registry_find(const struct registry *registry, const uint8_t uuid[16], bool *found)
{
	size_t low = 0, high = registry->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(registry->vms[middle]->stored.uuid, uuid, 16);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = false;
	return low;
}

struct registry_vm *registry_lookup(const struct registry *registry, const uint8_t uuid[16])
{
	bool found;
	size_t at = registry_find(registry, uuid, &found);

	return found ? registry->vms[at] : NULL;
}

int registry_not_found(const uint8_t uuid[16], struct vgpu_error **err)
{
	char text[VGPU_UUID_TEXT];

	vgpu_uuid_format(uuid, text);
	return vgpu_error_set(err, NOT_FOUND, "no VM %s is registered", text);
}

int registry_get(struct registry *registry, const uint8_t uuid[16], struct registry_vm *vm,
		 struct vgpu_error **err)
{
	const struct registry_vm *found;

	pthread_rwlock_rdlock(&registry->lock);
	found = registry_lookup(registry, uuid);
	if (found) {
		*vm = *found;
		vm->text = NULL;
	}
	pthread_rwlock_unlock(&registry->lock);
	return found ? 0 : registry_not_found(uuid, err);
}

struct vm_text *registry_text(struct registry *registry, const uint8_t uuid[16],
			      struct vgpu_error **err)
{
	const struct registry_vm *found;
	struct vm_text *text = NULL;

	pthread_rwlock_rdlock(&registry->lock);
	found = registry_lookup(registry, uuid);
	if (found)
		text = vm_text_reference(found->text);
	pthread_rwlock_unlock(&registry->lock);
	if (!found)
		registry_not_found(uuid, err);
	else if (!text)
		vgpu_error_set(err, INTERNAL, "out of memory");
	return text;
}

int registry_texts(struct registry *registry, const uint8_t after[16], size_t limit,
		   struct vm_text ***texts, size_t *count, bool *more, struct vgpu_error **err)
{
	struct vm_text **list = calloc(limit + 1, sizeof(*list));
	bool found = false;
	size_t at = 0, n = 0;

	if (!list)
		return vgpu_error_set(err, INTERNAL, "out of memory");
	pthread_rwlock_rdlock(&registry->lock);
	if (after)
		at = registry_find(registry, after, &found);
	at += found;
	for (; at < registry->count && n < limit; at++)
		if (registry->vms[at]->text)
			list[n++] = vm_text_reference(registry->vms[at]->text);
	*more = at < registry->count;
	pthread_rwlock_unlock(&registry->lock);
	*texts = list;
	*count = n;
	return 0;
}

void registry_follow(struct registry *registry, struct event_feed *feed)
{
	registry->feed = feed;
}

/* A line for each event, but for a reload's: who asked for that writes it, and why it failed. */
static void log_event(enum event_type type, const uint8_t uuid[16], const char *text)
{
	const char *name = event_type_name(type);
	char vm[VGPU_UUID_TEXT] = "";
	const struct vgpu_log_field fields[] = {
		{ "VGPU_EVENT", name },
		{ uuid ? "VGPU_VM" : NULL, vm },
		{ NULL, NULL },
	};

	if (type == EVENT_CONFIGURATION)
		return;
	if (uuid)
		vgpu_uuid_format(uuid, vm);
	vgpu_log_fields(type == EVENT_POOL_FULL ? VGPU_LOG_WARNING : VGPU_LOG_INFO, fields,
			"%s:%s%s%s%s", name, uuid ? " VM " : "", vm, text ? " " : "",
			text ? text : "");
}

void registry_tell(struct registry *registry, enum event_type type, const uint8_t uuid[16],
		   const char *text)
{
	struct event event = { .time_ms = event_now_ms(), .type = type, .has_vm = uuid };

	if (uuid)
		memcpy(event.vm, uuid, sizeof(event.vm));
	if (text)
		vgpu_text_cut(event.text, sizeof(event.text), text);
	log_event(type, uuid, text);
	event_feed_add(registry->feed, &event);
}
