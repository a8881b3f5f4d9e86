/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the details of a service offering say about the vGPU of its VMs: keys "vgpu.*", which only
 * CloudStack's administrators write. The details of VMs and resource tags, which tenants can edit,
 * are never read. Pure.
 */
#ifndef VGPU_CLOUDSTACK_OFFERING_H
#define VGPU_CLOUDSTACK_OFFERING_H

#include <jansson.h>

#include "common/error.h"

#define OFFERING_PREFIX "vgpu."

/* Adds the key and the value that it has as a text to what the mediator takes for a VM. Returns 0,
 * or -1 and err. */
int offering_set(json_t *values, const char *key, const char *text, struct vgpu_error **err);

/*
 * Translates an offering's details (an object of strings, or NULL) to the mediator's values: an
 * object, empty where no key begins with "vgpu.". Returns it, to be released; or NULL and err where
 * a key is unknown or its value makes no sense: then nothing of the offering counts.
 */
json_t *offering_values(const json_t *details, struct vgpu_error **err);

#endif
