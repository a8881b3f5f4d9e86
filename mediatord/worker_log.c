/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "mediatord/vm.h"
#include "mediatord/warm.h"
#include "mediatord/worker.h"

void worker_log_event(const struct worker *worker, int level, const char *event, const char *format,
		      ...)
{
	const struct channel *channel = worker->channel;
	char text[384], pid[16], gpu[16], number[16];
	struct vgpu_log_field fields[] = {
		{ "VGPU_WORKER", pid }, { "VGPU_GPU", gpu }, { NULL, NULL },
		{ NULL, NULL },		{ NULL, NULL },
	};
	size_t count = 2;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (worker->warm && !warm_may_log(worker))
		return;
	snprintf(pid, sizeof(pid), "%d", (int)worker_pid(worker));
	snprintf(gpu, sizeof(gpu), "%u", worker->gpu);
	if (channel) {
		snprintf(number, sizeof(number), "%u", channel->number);
		fields[count++] = (struct vgpu_log_field){ "VGPU_CHANNEL", number };
	}
	if (event)
		fields[count] = (struct vgpu_log_field){ "VGPU_EVENT", event };
	if (!worker->vm)
		vgpu_log_fields(level, fields, "%s: %s", worker->warm ? "warm" : "no VM", text);
	else if (channel)
		vm_log_fields(worker->vm, level, fields, "channel %u: %s", channel->number, text);
	else
		vm_log_fields(worker->vm, level, fields, "%s", text);
}
