/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registered VMs: what is stored for each, and what is in force. A change is checked, written
 * to the database and put in force before its function returns; where one of the three fails, the
 * other two are as before.
 *
 * Changes run one at a time. Reads do not wait for a change that is on its way to the disk. All
 * functions but registry_open() and registry_close() may be called from any thread but the loop's.
 *
 * Errors carry the HTTP status that REST answers: 400, 404, 409, 422, 500,
 * 503 (shutting down) or 507 (disk full); *field names the field that is wrong, or is "".
 */
#ifndef VGPU_MEDIATORD_REGISTRY_H
#define VGPU_MEDIATORD_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/config.h"
#include "mediatord/control.h"
#include "mediatord/layers.h"
#include "mediatord/state.h"

struct registry;

struct registry_vm {
	struct state_vm stored;
	struct vm_merged merged; /* meaningless where problem is not "" */
	char problem[256];	 /* why a stored VM could not be put in force at start, or "" */
};

/*
 * Reads the VMs in state. config and state stay the caller's and must live longer than the
 * registry. Returns 0 and *registry, or -1 and err, which carries state_each()'s errno value.
 */
int registry_open(const struct config *config, struct state *state, struct registry **registry,
		  struct vgpu_error **err);

/* Frees the registry; what is in force stays so. NULL is fine. */
void registry_close(struct registry **registry);

/*
 * Puts every stored VM in force through control, which all later changes use too; call it once,
 * before those. A VM that cannot be (its profile left the configuration) is logged and shows the
 * reason as its problem; the others do not suffer. Returns how many those were.
 */
size_t registry_start(struct registry *registry, struct control *control);

/*
 * Replaces what one hand says about a VM, and registers the VM where it is not yet: *created says
 * so. VM_HAND_DOMAIN also marks it attached, and takes a name away from a detached VM that has it
 * from its domain: libvirt gave it to this one. Returns 0 and *vm, or -1, err and *field.
 */
int registry_put(struct registry *registry, const uint8_t uuid[16], enum vm_hand hand,
		 const struct vm_layer *layer, bool *created, struct registry_vm *vm,
		 struct vm_field_name *field, struct vgpu_error **err);

/* Marks a VM detached; its record stays. Returns 0, also where it was; or -1 and err. */
int registry_detach(struct registry *registry, const uint8_t uuid[16], struct vgpu_error **err);

/* Ends a VM and forgets it. Returns 0, or -1 and err. */
int registry_delete(struct registry *registry, const uint8_t uuid[16], struct vgpu_error **err);

/* Returns 0 and a copy of the VM, or -1 and err (404). */
int registry_get(struct registry *registry, const uint8_t uuid[16], struct registry_vm *vm,
		 struct vgpu_error **err);

/*
 * Returns 0 and a copy of all VMs, ordered by uuid, which the caller frees with free(); or -1 and
 * err (500: no memory).
 */
int registry_list(struct registry *registry, struct registry_vm **vms, size_t *count,
		  struct vgpu_error **err);

#endif
