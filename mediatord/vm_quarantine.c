/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"
#include "mediatord/vm.h"

bool vm_quarantined(struct vm *vm)
{
	return vm->config.hold == VM_HOLD_QUARANTINED ||
	       quarantine_active(&vm->quarantine, vgpu_now_ns());
}

/* It has begun. */
static void enforce(struct vm *vm, const char *why)
{
	vm->usage.quarantines++;
	vm_log(vm, VGPU_LOG_WARNING, "is in quarantine: %s", why);
	vm_tell(vm, EVENT_VM_QUARANTINED, 0, why);
	vm_end(vm, VGPU_ERR_QUARANTINED, VM_QUARANTINE_TEXT);
}

void vm_quarantine(struct vm *vm, int64_t until_ns)
{
	quarantine_begin(&vm->quarantine, until_ns);
	enforce(vm, "by the operator");
}

void vm_release(struct vm *vm)
{
	if (!quarantine_release(&vm->quarantine))
		return;
	vm_log(vm, VGPU_LOG_INFO, "is released from quarantine");
	vm_tell(vm, EVENT_VM_RELEASED, 0, "");
}

void vm_count_fault(struct vm *vm, const char *text)
{
	const struct quarantine_config *config = &vm->mediator->config->quarantine;
	char why[128];

	vm->usage.faults++;
	if (!quarantine_fault(&vm->quarantine, config, vgpu_now_ns()))
		return;
	snprintf(why, sizeof(why), "%u faults, the last: %s", config->faults, text);
	enforce(vm, why);
}
