/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps vgpu-reconciler(8) running, which follows libvirt's domains and speaks REST as any other
 * client: nothing here knows libvirt, or waits for it.
 */
#ifndef VGPU_MEDIATORD_RECONCILER_H
#define VGPU_MEDIATORD_RECONCILER_H

#include "mediatord/config.h"

struct reconciler;

/*
 * Starts it, and again whenever it ends. Where the configuration follows no libvirt, or the program
 * is not installed, there is none: *reconciler is NULL then. config stays the caller's. Returns 0,
 * or -1 and err.
 */
int reconciler_start(const struct config *config, struct reconciler **reconciler,
		     struct vgpu_error **err);
/* Ends it, and waits until it has. NULL is fine. */
void reconciler_stop(struct reconciler **reconciler);

#endif
