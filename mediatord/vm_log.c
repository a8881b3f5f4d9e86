/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "mediatord/vm.h"

#define PERIOD_S   10
#define FIELDS_MAX 8

void vm_log_init(struct vm *vm)
{
	const struct vgpu_log_limit limit = { .period_ns = PERIOD_S * VGPU_NS_PER_SECOND };

	vm->refusal_log = limit;
	vm->refusal_log.burst = 5;
	vm->event_log = limit;
	vm->event_log.burst = 40;
	vm->channel_log = vm->event_log;
	vm->told_limit = limit;
	vm->told_limit.burst = 200;
}

static void say(const struct vm *vm, int level, const struct vgpu_log_field *more, const char *text)
{
	char uuid[VGPU_UUID_TEXT], id[16];
	struct vgpu_log_field fields[FIELDS_MAX] = {
		{ "VGPU_VM", uuid },
		{ "VGPU_VM_ID", id },
		{ "VGPU_VM_NAME", vm->config.name },
	};
	size_t count = 3;

	vgpu_uuid_format(vm->config.uuid, uuid);
	snprintf(id, sizeof(id), "%u", vm->config.vm_id);
	for (; more && more->name && count < FIELDS_MAX - 1; more++)
		fields[count++] = *more;
	vgpu_log_fields(level, fields, "%s: %s", vm->label, text);
}

/* The last line of a limit says that it is. */
static void say_limited(struct vm *vm, struct vgpu_log_limit *limit, int level,
			const struct vgpu_log_field *fields, const char *text)
{
	if (!vgpu_log_allowed(limit, vgpu_now_ns()))
		return;
	say(vm, level, fields, text);
	if (limit->said == limit->burst)
		vm_log_always(vm, VGPU_LOG_WARNING,
			      "%u events within %d s; those that follow are not logged",
			      limit->burst, PERIOD_S);
}

void vm_log_fields(struct vm *vm, int level, const struct vgpu_log_field *fields,
		   const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say_limited(vm, &vm->event_log, level, fields, text);
}

void vm_log_channel(struct vm *vm, enum event_type type, uint32_t channel)
{
	char text[64], number[16];
	const struct vgpu_log_field fields[] = {
		{ "VGPU_EVENT", event_type_name(type) },
		{ "VGPU_CHANNEL", number },
		{ NULL, NULL },
	};

	snprintf(number, sizeof(number), "%u", channel);
	snprintf(text, sizeof(text), "channel %u %s", channel,
		 type == EVENT_CHANNEL_OPENED ? "is open" : "is closed");
	say_limited(vm, &vm->channel_log, VGPU_LOG_INFO, fields, text);
}

void vm_log_always(const struct vm *vm, int level, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say(vm, level, NULL, text);
}
