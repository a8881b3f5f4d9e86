/* SPDX-License-Identifier: Apache-2.0 */
/* <vgpu:quotas> in the vGPU's metadata: an attribute a quota, as mediatord.conf writes it. */
#ifndef VGPU_XML_QUOTAS_H
#define VGPU_XML_QUOTAS_H

#include <libxml/tree.h>

#include "xml/domain.h"

/*
 * Reads the attributes of <quotas>. Ranges are the mediator's affair. Returns 0, or -1 and err
 * (EINVAL: an unknown attribute, no size, number or time; ENOMEM).
 */
int quotas_read(const xmlNode *element, struct vgpu_domain_quotas *quotas, struct vgpu_error **err);

#endif
