/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where on the machine's root bus the vGPU goes. Libvirt does not see the addresses of
 * <qemu:commandline> devices, so it must be one that nothing in the document has and that libvirt
 * never hands out.
 */
#ifndef VGPU_XML_ADDRESS_H
#define VGPU_XML_ADDRESS_H

#include "xml/commandline.h"
#include "xml/document.h"

#define ADDRESS_SLOTS 32

struct address {
	int slot;
	int function;
};

/* What is taken on the root bus: for each slot its functions, as bits. */
struct addresses {
	const struct machine *machine;
	uint8_t used[ADDRESS_SLOTS];
};

/*
 * Collects what is taken: by the chipset, by <address> of any device, by other -device arguments.
 * Returns 0, or -1 and err (ENOMEM).
 */
int address_used(const struct vgpu_domain *domain, const struct machine *machine,
		 const struct commandline *commandline, struct addresses *addresses,
		 struct vgpu_error **err);

/* Whether the vGPU can be there: QEMU takes it, and nothing else has it. */
bool address_fits(const struct addresses *addresses, const struct address *address);

/* The best free address. Returns 0, or -1 and err (EINVAL: there is none). */
int address_choose(const struct addresses *addresses, struct address *address,
		   struct vgpu_error **err);

#endif
