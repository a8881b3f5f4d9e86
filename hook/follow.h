/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libvirt's domains: which there are, what becomes of them, and what each is. One thread. Every
 * call may block for as long as libvirt does; the caller bounds that.
 */
#ifndef VGPU_HOOK_FOLLOW_H
#define VGPU_HOOK_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hook/reconcile.h"

struct follow;

/* Something became of a domain. */
typedef void follow_changed(void *opaque, const uint8_t uuid[16]);

/* Prepares to follow the libvirt of this URI, without asking it. Returns 0, or -1 and err. */
int follow_new(const char *uri, follow_changed *changed, void *opaque, struct follow **follow,
	       struct vgpu_error **err);
/* NULL is fine. */
void follow_free(struct follow **follow);

/* Whether there is a connection. It may have ended since. */
bool follow_connected(const struct follow *follow);

/* Connects, and asks for the domains' events. Returns 0, or -1 and err. */
int follow_connect(struct follow *follow, struct vgpu_error **err);

/*
 * Waits for up to ms until an event was told or the connection ended, or standard input did, which
 * makes it return false.
 */
bool follow_wait(struct follow *follow, int ms);

/* All domains, as *uuids, which the caller frees with free(). Returns 0, or -1 and err. */
int follow_list(struct follow *follow, uint8_t (**uuids)[16], size_t *count,
		struct vgpu_error **err);

/*
 * What a domain is now, cleared by the caller in any case; none of that uuid is one that neither
 * runs nor is persistent. Returns 0, or -1 and err.
 */
int follow_look(struct follow *follow, const uint8_t uuid[16], struct domain_view *view,
		struct vgpu_error **err);

/*
 * Puts the vGPU into a domain's definition. Where somebody else has changed or removed the
 * definition meanwhile, that stays: an event tells of it. Returns 1 where it has the vGPU now, 0
 * where that happened, or -1 and err.
 */
int follow_attach(struct follow *follow, const uint8_t uuid[16],
		  const struct vgpu_domain_options *options, struct vgpu_error **err);

#endif
