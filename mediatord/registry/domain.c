/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a VM's record as its domain ends and goes. */
#include "mediatord/registry/internal.h"

/* With the mutex held: stores the VM as detached, and makes it the registry's record of old. */
static int detach(struct registry *registry, struct registry_vm *old, struct registry_vm *new,
		  struct vgpu_error **err)
{
	const uint8_t *uuid = new->stored.uuid;
	bool was_attached = old->stored.attached;

	new->stored.attached = false;
	if (was_attached && registry_store(registry, uuid, &new->stored, err) < 0)
		return -1;
	registry_replace(registry, old, new);
	if (was_attached)
		registry_tell(registry, EVENT_VM_DETACHED, uuid, NULL);
	return 0;
}

int registry_detach(struct registry *registry, const uint8_t uuid[16], struct vgpu_error **err)
{
	struct registry_vm *old, vm;
	int status = 0;

	pthread_mutex_lock(&registry->change);
	old = registry_lookup(registry, uuid);
	if (!old) {
		status = registry_not_found(uuid, err);
	} else if (old->stored.attached) {
		vm = *old;
		status = detach(registry, old, &vm, err);
	}
	registry_end_change(registry);
	return status;
}

/* Whether a domain of libvirt's was ever registered for it, and not an operator alone. */
static bool had_domain(const struct registry_vm *vm)
{
	return vm->stored.attached || vm->stored.layers[VM_HAND_DOMAIN].given;
}

/* registry_report() with the mutex held. */
static int take_report(struct registry *registry, struct registry_vm *old,
		       const struct domain_report *report, struct vgpu_error **err)
{
	struct registry_vm vm = *old;

	if (report->starts != old->domain.starts)
		return vgpu_error_set(err, CONFLICT,
				      "the VM's domain was registered %u times, not %u: look again",
				      old->domain.starts, report->starts);
	if (report->state == DOMAIN_NONE && had_domain(old))
		return registry_delete_vm(registry, old, err);
	vm.domain = *report;
	if (report->state != DOMAIN_RUNNING)
		return detach(registry, old, &vm, err);
	registry_replace(registry, old, &vm);
	return 0;
}

int registry_report(struct registry *registry, const uint8_t uuid[16],
		    const struct domain_report *report, struct vgpu_error **err)
{
	struct registry_vm *old;
	int status;

	pthread_mutex_lock(&registry->change);
	old = registry_lookup(registry, uuid);
	status = old ? take_report(registry, old, report, err) : registry_not_found(uuid, err);
	registry_end_change(registry);
	return status;
}
