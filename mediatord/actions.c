/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/actions.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "mediatord/mediator.h"
#include "mediatord/vm.h"

/* VMs whose status the loop gives at a time: a fraction of a millisecond. */
#define STATUSES_AT_ONCE 64u

struct statuses_part {
	struct vm_statuses *statuses;
	size_t size;   /* room in statuses->vms */
	size_t bucket; /* of the mediator's table, the next one */
};

/* On the loop: whole buckets, as long as there is room for them. */
static int add_part(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	struct statuses_part *part = argument;
	struct vm_statuses *statuses = part->statuses;
	size_t end = statuses->count + STATUSES_AT_ONCE;

	(void)err;
	for (; part->bucket < MEDIATOR_BUCKETS && statuses->count < end; part->bucket++) {
		size_t count = 0;

		for (struct vm *vm = mediator->by_uuid[part->bucket]; vm; vm = vm->next_uuid)
			count++;
		if (count > part->size - statuses->count)
			return 0;
		for (struct vm *vm = mediator->by_uuid[part->bucket]; vm; vm = vm->next_uuid) {
			memcpy(statuses->vms[statuses->count].uuid, vm->config.uuid, 16);
			vm_status(vm, &statuses->vms[statuses->count].status);
			statuses->count++;
		}
	}
	return 0;
}

/* On the loop. */
static int count_vms(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	(void)err;
	*(size_t *)argument = mediator->vm_count;
	return 0;
}

int action_statuses(struct control *control, struct vm_statuses *statuses, struct vgpu_error **err)
{
	struct statuses_part part = { .statuses = statuses };

	*statuses = (struct vm_statuses){ .count = 0 };
	if (control_call(control, count_vms, &part.size, err) < 0)
		return -1;
	/* Some more may come meanwhile; a bucket that finds no room ends the walk. */
	part.size += STATUSES_AT_ONCE;
	statuses->vms = malloc(part.size * sizeof(*statuses->vms));
	if (!statuses->vms)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	for (size_t before = MEDIATOR_BUCKETS; part.bucket < MEDIATOR_BUCKETS;) {
		if (part.bucket == before)
			break;
		before = part.bucket;
		if (control_call(control, add_part, &part, err) < 0) {
			statuses_free(statuses);
			return -1;
		}
	}
	return 0;
}

void statuses_free(struct vm_statuses *statuses)
{
	free(statuses->vms);
	*statuses = (struct vm_statuses){ .count = 0 };
}

/* What is done to one VM. */
struct on_vm {
	uint8_t uuid[16];
	void (*does)(struct vm *vm);
};

/* On the loop. */
static int do_on_vm(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	const struct on_vm *on = argument;
	struct vm *vm = mediator_vm_by_uuid(mediator, on->uuid);
	char text[VGPU_UUID_TEXT];

	if (vm) {
		on->does(vm);
		return 0;
	}
	vgpu_uuid_format(on->uuid, text);
	return vgpu_error_set(err, ENOENT, "there is no VM %s", text);
}

static int call_on_vm(struct control *control, const uint8_t uuid[16], void (*does)(struct vm *vm),
		      struct vgpu_error **err)
{
	struct on_vm on = { .does = does };

	memcpy(on.uuid, uuid, sizeof(on.uuid));
	return control_call(control, do_on_vm, &on, err);
}

static void reset(struct vm *vm)
{
	vm_log(vm, VGPU_LOG_INFO, "is reset by an operator");
	vm_end(vm, VGPU_ERR_CONTEXT_LOST, "the VM was reset by an operator");
}

int action_reset(struct control *control, const uint8_t uuid[16], struct vgpu_error **err)
{
	return call_on_vm(control, uuid, reset, err);
}

static void quarantine(struct vm *vm)
{
	vm_quarantine(vm, QUARANTINE_FOREVER);
}

int action_quarantine(struct control *control, const uint8_t uuid[16], struct vgpu_error **err)
{
	return call_on_vm(control, uuid, quarantine, err);
}

int action_release(struct control *control, const uint8_t uuid[16], struct vgpu_error **err)
{
	return call_on_vm(control, uuid, vm_release, err);
}

struct pools_asked {
	struct pool_use *uses;
	size_t count;
};

/* On the loop. */
static int read_pools(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	const struct pools_asked *asked = argument;

	(void)err;
	for (size_t i = 0; i < asked->count; i++)
		pools_use(&mediator->pools, i, &asked->uses[i]);
	return 0;
}

int action_pools(struct control *control, struct pool_use *uses, size_t count,
		 struct vgpu_error **err)
{
	struct pools_asked asked = { .uses = uses, .count = count };

	return control_call(control, read_pools, &asked, err);
}

struct gpus_asked {
	struct pool_gpu *gpus;
	size_t count;
};

/* On the loop. */
static int read_gpus(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	const struct gpus_asked *asked = argument;
	const struct pools *pools = &mediator->pools;

	(void)err;
	for (size_t i = 0; i < asked->count && i < pools->gpu_count; i++)
		asked->gpus[i] = pools->gpus[i];
	return 0;
}

int action_gpus(struct control *control, struct pool_gpu *gpus, size_t count,
		struct vgpu_error **err)
{
	struct gpus_asked asked = { .gpus = gpus, .count = count };

	return control_call(control, read_gpus, &asked, err);
}

/* On the loop. */
static int end(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	(void)argument;
	(void)err;
	loop_stop(mediator->loop);
	return 0;
}

int action_end(struct control *control, struct vgpu_error **err)
{
	return control_call(control, end, NULL, err);
}

/* On the loop. */
static int answer(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	(void)mediator;
	(void)argument;
	(void)err;
	return 0;
}

int action_ping(struct control *control, struct vgpu_error **err)
{
	return control_call_within(control, 2 * VGPU_NS_PER_SECOND, answer, NULL, err);
}
