/* SPDX-License-Identifier: Apache-2.0 */
/* The address that CloudStack's webhook sends events to: HTTP, on a thread of its own. */
#ifndef VGPU_CLOUDSTACK_WEBHOOK_H
#define VGPU_CLOUDSTACK_WEBHOOK_H

#include "common/error.h"

struct webhook;

/*
 * Listens at "ADDRESS:PORT" or "[ADDRESS]:PORT", and adds 1 to the eventfd for each event that is
 * CloudStack's, new and of now. The eventfd must live as long. Returns NULL and err where that is
 * no such address, or cannot be had.
 */
struct webhook *webhook_start(const char *listen, const char *secret, int eventfd,
			      struct vgpu_error **err);

void webhook_stop(struct webhook **webhook);

#endif
