/* SPDX-License-Identifier: Apache-2.0 */
/* What a VM does, for those who follow the events. */
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "mediatord/event_feed.h"
#include "mediatord/vm.h"

static struct event begin(const struct vm *vm, enum event_type type, pid_t pid)
{
	struct event event = {
		.time_ms = event_now_ms(),
		.type = type,
		.has_vm = true,
		.pid = (int32_t)pid,
	};

	memcpy(event.vm, vm->config.uuid, sizeof(event.vm));
	return event;
}

static void post(struct vm *vm, const struct event *event)
{
	/* What a guest can bring about without an end must not push all else out of the ring. */
	if (vgpu_log_allowed(&vm->told_limit, vgpu_now_ns()))
		event_feed_post(vm->mediator->feed, event);
}

void vm_tell(struct vm *vm, enum event_type type, pid_t pid, const char *text)
{
	struct event event = begin(vm, type, pid);

	vgpu_text_cut(event.text, sizeof(event.text), text);
	post(vm, &event);
}

void vm_tell_channel(struct vm *vm, enum event_type type, uint32_t channel)
{
	struct event event = begin(vm, type, 0);

	event.has_number = true;
	event.number = channel;
	vm_log_channel(vm, type, channel);
	post(vm, &event);
}
