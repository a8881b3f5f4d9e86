/* SPDX-License-Identifier: Apache-2.0 */
/* What the hook decides, apart from reading and asking. */
#ifndef VGPU_HOOK_HOOK_H
#define VGPU_HOOK_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "xml/domain.h"

enum hook_action {
	HOOK_IGNORE,   /* nothing to do, and nothing to fail */
	HOOK_REGISTER, /* prepare/begin: a failure keeps the domain from starting */
	HOOK_RELEASE,  /* release/end: the domain is gone, whatever comes of it */
};

/* What to do for an operation of libvirt's; one that is not known is ignored. */
enum hook_action hook_action(const char *operation, const char *sub_operation);

/*
 * Whether the domain on standard input concerns the hook, which is where its metadata asks for a
 * vGPU. Returns 1 and *info; 0; or -1 and err where it does and cannot be read. A document that
 * cannot be read and does not even hold the metadata's namespace is none of the hook's: a domain
 * without a vGPU is never kept from starting. The caller clears *info in any case.
 */
int hook_read_domain(const char *xml, size_t length, struct vgpu_domain **domain,
		     struct vgpu_domain_info *info, struct vgpu_error **err);

/*
 * The JSON body that registers a domain; freed with free(). Returns NULL and err (EINVAL: the name
 * is not UTF-8; ENOMEM).
 */
char *hook_registration(const struct vgpu_domain_info *info, const char *name,
			struct vgpu_error **err);

#endif
