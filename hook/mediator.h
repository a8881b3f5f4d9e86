/* SPDX-License-Identifier: Apache-2.0 */
/* What the reconciler asks of the mediator. Every call waits for the answer, 10 s at most. */
#ifndef VGPU_HOOK_MEDIATOR_H
#define VGPU_HOOK_MEDIATOR_H

#include "hook/vm_view.h"

/* Adds all registered VMs to *uuids, as vm_page_read(). Returns 0, or -1 and err. */
int mediator_list(const char *socket, uint8_t (**uuids)[16], size_t *count,
		  struct vgpu_error **err);

/* Returns 0 and *vm, also where it is not registered; or -1 and err. */
int mediator_get(const char *socket, const uint8_t uuid[16], struct vm_view *vm,
		 struct vgpu_error **err);

/*
 * Registers a domain that runs. Returns 1 and *vm as it is then, 0 and err where the mediator
 * refuses it, or -1 and err.
 */
int mediator_register(const char *socket, const uint8_t uuid[16],
		      const struct vgpu_domain_info *info, struct vm_view *vm,
		      struct vgpu_error **err);

/*
 * Says what libvirt has of a VM's domain. Returns 1; 0 where that is out of date, or the VM is not
 * registered any more; or -1 and err.
 */
int mediator_report(const char *socket, const uint8_t uuid[16], enum vm_domain_state state,
		    uint32_t starts, const struct vm_drift *drift, struct vgpu_error **err);

#endif
