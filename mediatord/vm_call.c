/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/vm_call.h"

#include <errno.h>
#include <stdio.h>

#include "mediatord/vm.h"

/* Whether what the call says of its VM is so; otherwise the text says what is not. */
static bool claims_hold(const struct vm *vm, const struct vm_call *call, char *text, size_t size)
{
	if (!call->claims)
		return true;
	if (call->pool != vm->pool->letter) {
		snprintf(text, size, "the first field, the pool, is %c, and vm %u is in pool %c",
			 call->pool, vm->config.vm_id, vm->pool->letter);
		return false;
	}
	if (call->priority != vm->config.priority) {
		snprintf(text, size,
			 "the second field, the priority, is %u, and vm %u has priority %u",
			 call->priority, vm->config.vm_id, vm->config.priority);
		return false;
	}
	return true;
}

int vm_call_submit(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	struct vm_call *call = argument;
	const struct vm_asker asker = { .call = call };
	struct vm *vm = mediator_vm_by_id(mediator, call->vm_id);
	char text[128];

	if (!vm)
		return vgpu_error_set(err, ENOENT, "no VM with vm_id %u is registered",
				      call->vm_id);
	if (call->fault || !claims_hold(vm, call, text, sizeof(text))) {
		vm->usage.requests++;
		vm_refuse(vm, asker, VGPU_ERR_INVALID_REQUEST, call->fault ? call->fault : text);
		return 0;
	}
	vm_request(vm, asker, call->request, call->length);
	return 0;
}
