/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where on the machine's root bus the vGPU goes. Libvirt does not see the addresses of
 * <qemu:commandline> devices, so the slot must be one that nothing in the document has and that
 * libvirt would hand out last.
 */
#ifndef VGPU_XML_ADDRESS_H
#define VGPU_XML_ADDRESS_H

#include "xml/commandline.h"
#include "xml/document.h"

/*
 * The slots of the root bus that are taken, as bits: by the chipset, by <address> of any device,
 * by other -device arguments. Returns 0, or -1 and err (ENOMEM).
 */
int address_used(const struct vgpu_domain *domain, const struct machine *machine,
		 const struct commandline *commandline, uint32_t *used, struct vgpu_error **err);

/* The best free slot. Returns it, or -1 and err (EINVAL: there is none). */
int address_choose(const struct machine *machine, uint32_t used, struct vgpu_error **err);

#endif
