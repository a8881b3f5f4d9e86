/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CloudStack 4.23 and later writes into a domain's <metadata> about its service offering:
 *
 *     <cloudstack:instance xmlns:cloudstack="http://cloudstack.apache.org/instance">
 *       <service_offering><name>gpu.gold</name><host_tags>gpu,ssd</host_tags></service_offering>
 *
 * What else is there, resource tags above all, tenants may have written: it is not read.
 */
#ifndef VGPU_XML_OFFERING_H
#define VGPU_XML_OFFERING_H

#include "xml/domain.h"

#define OFFERING_NAMESPACE "http://cloudstack.apache.org/instance"

struct offering_names {
	char *name;  /* or NULL */
	char **tags; /* host tags */
	size_t tag_count;
};

/*
 * Reads it. Returns 0 and *names, which the caller clears in either case; or -1 and err (EINVAL:
 * several instances or offerings, so that one of them is not CloudStack's; ENOMEM).
 */
int offering_names_read(const struct vgpu_domain *domain, struct offering_names *names,
			struct vgpu_error **err);

void offering_names_clear(struct offering_names *names);
#define OFFERING_NAMES_AUTO VGPU_CLEANUP(offering_names_clear)

#endif
