/* SPDX-License-Identifier: Apache-2.0 */
/* What a domain's metadata says, in the words of the mediator's REST interface. */
#ifndef VGPU_HOOK_REGISTRATION_H
#define VGPU_HOOK_REGISTRATION_H

#include "common/error.h"
#include "xml/domain.h"

/*
 * The body that registers a domain, PUT /v1/vms/UUID/domain; freed with free(). Returns NULL and
 * err (EINVAL: the name is not UTF-8; ENOMEM).
 */
char *registration_body(const struct vgpu_domain_info *info, const char *name,
			struct vgpu_error **err);

/* A quota's field in "quotas", as "gpu_memory_bytes". */
const char *registration_quota_field(enum vgpu_domain_quota quota);

#endif
