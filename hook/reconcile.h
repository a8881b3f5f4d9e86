/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libvirt has of a domain, against what the mediator has of the VM: what is to be done, and
 * where the two differ. Pure: no libvirt, no mediator, no clock.
 */
#ifndef VGPU_HOOK_RECONCILE_H
#define VGPU_HOOK_RECONCILE_H

#include <stdbool.h>

#include "hook/vm_view.h"
#include "xml/domain.h"

/* Of one of a domain's documents: more of it is not read. */
#define DOMAIN_XML_MAX ((size_t)4 << 20)

/* One of a domain's documents. */
struct domain_xml {
	bool there;
	char problem[160]; /* why its vGPU cannot be read, or "" */
	char misfit[160];  /* why its vGPU does not fit it, or "" */
	struct vgpu_domain_info info;
};

struct domain_view {
	bool running;
	bool persistent;
	struct domain_xml live;	    /* where it runs */
	struct domain_xml inactive; /* where it is persistent: what the next start takes */
};

void domain_view_clear(struct domain_view *view);
#define DOMAIN_AUTO_VIEW VGPU_CLEANUP(domain_view_clear)

/*
 * Reads a document. One that does not name the metadata's namespace is not parsed: whatever it
 * holds, it costs nothing.
 */
void domain_xml_read(struct domain_xml *document, const char *xml);

struct reconcile_plan {
	bool attach;	  /* the definition is to get its vGPU, or one that fits */
	bool register_vm; /* as the running document says */
	bool report;	  /* state and drift are not what the mediator has */
	enum vm_domain_state state;
	struct vm_drift drift;
};

/*
 * no_attach says why a definition gets no vGPU by itself, as the end of a sentence; NULL: it does.
 * vm->registered is as of before the domain was looked at: what was attached then and does not run
 * now has ended.
 */
void reconcile(const struct domain_view *domain, const struct vm_view *vm, const char *no_attach,
	       struct reconcile_plan *plan);

#endif
