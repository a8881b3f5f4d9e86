/* SPDX-License-Identifier: Apache-2.0 */
/* What control.h asks of all VMs, or of the GPUs. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "common/uuid.h"
#include "mediatord/event_feed.h"
#include "mediatord/mediator.h"
#include "mediatord/vm.h"
#include "mediatord/warm.h"

/* Logs what became of a GPU, and tells those who follow the events. */
static void tell(struct mediator *mediator, enum event_type type, int level, uint32_t gpu,
		 const char *text, const char *line)
{
	char number[16];
	const struct vgpu_log_field fields[] = {
		{ "VGPU_GPU", number },
		{ "VGPU_EVENT", event_type_name(type) },
		{ NULL, NULL },
	};
	struct event event = {
		.time_ms = event_now_ms(), .type = type, .has_number = true, .number = gpu
	};

	vgpu_text_cut(event.text, sizeof(event.text), text);
	snprintf(number, sizeof(number), "%u", gpu);
	vgpu_log_fields(level, fields, "GPU %u%s%s%s", gpu, *text ? ": " : "", text, line);
	event_feed_post(mediator->feed, &event);
}

/* What a GPU that the driver gives up, or takes up again, means for those that use it. */
static void change_gpu(struct mediator *mediator, struct pool_gpu *gpu, const struct gpu *report)
{
	bool failed = report->state == GPU_LOST || report->state == GPU_HUNG;

	if (report->memory_bytes)
		gpu->memory_bytes = report->memory_bytes;
	/* Where the driver cannot be asked, it is as it was. */
	if (report->state == GPU_UNKNOWN || failed == gpu->failed)
		return;
	gpu->failed = failed;
	warm_gpu_failed(mediator->warm, gpu->index, failed);
	if (failed) {
		tell(mediator, EVENT_GPU_FAILED, VGPU_LOG_ERROR, gpu->index, report->problem,
		     "; its work is ended, and the pool goes on without it");
		sched_gpu_fail(mediator->sched, gpu->index, vgpu_now_ns());
	} else {
		tell(mediator, EVENT_GPU_RESTORED, VGPU_LOG_INFO, gpu->index, "", " works again");
		sched_gpu_restore(mediator->sched, gpu->index);
	}
}

void mediator_gpus(struct mediator *mediator, const struct gpu_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		struct pool_gpu *gpu = pools_gpu(&mediator->pools, report->gpus[i].index);

		if (gpu)
			change_gpu(mediator, gpu, &report->gpus[i]);
	}
}

void mediator_publish(struct mediator *mediator)
{
	for (size_t i = 0; i < MEDIATOR_BUCKETS; i++)
		for (struct vm *vm = mediator->by_uuid[i]; vm; vm = vm->next_uuid)
			channels_publish(vm);
}

/* What is to be kept of a VM, its uuid excepted. An operator's quarantine is kept with the VM. */
static struct vm_usage usage_of(const struct vm *vm)
{
	struct vm_usage usage = { .usage = vm->usage };

	if (vm->config.hold != VM_HOLD_QUARANTINED)
		usage.quarantine = vm->quarantine_kept;
	return usage;
}

int mediator_usages(struct mediator *mediator, bool all, struct vm_usage **usages, size_t *count,
		    struct vgpu_error **err)
{
	*count = 0;
	*usages = calloc(mediator->vm_count + 1, sizeof(**usages));
	if (!*usages)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < MEDIATOR_BUCKETS; i++)
		for (struct vm *vm = mediator->by_uuid[i]; vm; vm = vm->next_uuid) {
			struct vm_usage usage;

			channels_sample(vm);
			usage = usage_of(vm);
			if (!all && memcmp(&usage, &vm->kept, sizeof(usage)) == 0)
				continue;
			vm->kept = usage;
			memcpy(usage.uuid, vm->config.uuid, sizeof(usage.uuid));
			(*usages)[(*count)++] = usage;
		}
	return 0;
}

int mediator_usage_restore(struct mediator *mediator, const struct vm_usage *usage,
			   struct vgpu_error **err)
{
	struct vm *vm = mediator_vm_by_uuid(mediator, usage->uuid);
	char text[VGPU_UUID_TEXT];

	if (!vm) {
		vgpu_uuid_format(usage->uuid, text);
		return vgpu_error_set(err, ENOENT, "there is no VM %s", text);
	}
	usage_add(&vm->usage, &usage->usage);
	vm_quarantine_restore(vm, &usage->quarantine);
	vm->kept = usage_of(vm);
	return 0;
}
