/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the mediator's events, on a thread of its own: a VM that begins has no offering's values
 * yet. */
#ifndef VGPU_CLOUDSTACK_FOLLOW_H
#define VGPU_CLOUDSTACK_FOLLOW_H

#include "common/error.h"

/*
 * Adds 1 to the eventfd whenever a VM was registered or attached, and when the mediator begins to
 * tell, as nobody knows what was before. For as long as the process runs; where the mediator does
 * not answer, it is asked again and again. The eventfd must live as long. Returns 0, or -1 and err.
 */
int follow_start(const char *socket, int eventfd, struct vgpu_error **err);

#endif
