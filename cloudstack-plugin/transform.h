/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a domain's XML on its way from CloudStack's agent to libvirt. No I/O. */
#ifndef VGPU_CLOUDSTACK_TRANSFORM_H
#define VGPU_CLOUDSTACK_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>

#include "cloudstack-plugin/profiles.h"
#include "cloudstack-plugin/seats.h"
#include "xml/domain.h"

/*
 * Puts a vGPU in place of the seat that the domain is given as a mediated device; or, where it has
 * no seat, one of the profile that its metadata has by `profiles`. Returns 1 and the new document,
 * freed with free(); 0 where it is to have no vGPU, or is a system VM's: it stays as it is, to the
 * byte; or -1 and err. *needed: it is to have one, and nothing that is in it keeps it from starting
 * without.
 */
int transform(const char *xml, size_t length, const struct seats *seats,
	      const struct profiles *profiles, char **new, size_t *new_length, bool *needed,
	      struct vgpu_error **err);

#endif
