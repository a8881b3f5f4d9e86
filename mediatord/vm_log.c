/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "mediatord/vm.h"

#define PERIOD_S 10

void vm_log_init(struct vm *vm)
{
	const struct vgpu_log_limit limit = { .period_ns = PERIOD_S * VGPU_NS_PER_SECOND };

	vm->refusal_log = limit;
	vm->refusal_log.burst = 5;
	vm->event_log = limit;
	vm->event_log.burst = 40;
	vm->told_limit = limit;
	vm->told_limit.burst = 200;
}

void vm_log(struct vm *vm, int level, const char *format, ...)
{
	struct vgpu_log_limit *limit = &vm->event_log;
	char text[512];
	va_list args;

	if (!vgpu_log_allowed(limit, vgpu_now_ns()))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vgpu_log(level, "%s: %s", vm->label, text);
	if (limit->said == limit->burst)
		vgpu_log_warning("%s: %u events within %d s; those that follow are not logged",
				 vm->label, limit->burst, PERIOD_S);
}
