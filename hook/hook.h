/* SPDX-License-Identifier: Apache-2.0 */
/* What the hook decides, apart from reading and asking. */
#ifndef VGPU_HOOK_HOOK_H
#define VGPU_HOOK_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/rest_client.h"
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

enum hook_verdict {
	HOOK_ADMITTED,
	HOOK_REFUSED, /* by the mediator, which says why */
	HOOK_UNSERVED /* the mediator cannot do it now, or it was not the mediator that answered */
};

/*
 * What an answer to the registration of that VM means; the reply may be of anybody. *err says it
 * where it is not HOOK_ADMITTED.
 */
enum hook_verdict hook_judge(const struct rest_reply *reply, const char *uuid,
			     struct vgpu_error **err);

/*
 * One line for a person, as libvirt shows it: "vgpu: ", the message, cut where it is very long, and
 * what comes of it. Without line breaks and other control characters, whatever the message holds.
 * Freed with free(); NULL: no memory.
 */
char *hook_line(const char *message, const char *consequence);

#endif
