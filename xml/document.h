/* SPDX-License-Identifier: Apache-2.0 */
/* What a domain document is to the files of this folder. */
#ifndef VGPU_XML_DOCUMENT_H
#define VGPU_XML_DOCUMENT_H

#include <libxml/tree.h>

#include "xml/domain.h"

struct vgpu_domain {
	xmlDoc *doc;
	xmlNode *root;	  /* <domain> */
	bool declaration; /* the document began with <?xml */
};

/* The machine's root bus, where the vGPU goes. */
struct machine {
	const char *bus; /* QEMU's name of it */
	bool q35;
};

/*
 * Which kind of machine the domain is. Returns 0, or -1 and err (EINVAL: not one that takes a
 * vGPU, with the reason; ENOMEM).
 */
int document_machine(const struct vgpu_domain *domain, struct machine *machine,
		     struct vgpu_error **err);

/*
 * Reads <uuid> as libvirt does: dashes anywhere between bytes, either case, blanks around it.
 * Returns 1; 0 where the domain has none; or -1 and err (EINVAL, ENOMEM).
 */
int document_uuid(const struct vgpu_domain *domain, uint8_t uuid[16], struct vgpu_error **err);

/* Reads a uuid's text as libvirt does. Returns whether it is one. */
bool document_read_uuid(const char *text, uint8_t uuid[16]);

/*
 * What a function of xml/domain.h returns. A document's values are of any length, and stand in
 * messages: those are cut off.
 */
int document_result(int result, struct vgpu_error **err);

/* The <emulator> that libvirt uses: the first one of all <devices>; or NULL. */
xmlNode *document_emulator(const struct vgpu_domain *domain);

#endif
