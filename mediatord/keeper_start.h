/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_MEDIATORD_KEEPER_START_H
#define VGPU_MEDIATORD_KEEPER_START_H

#include "common/error.h"
#include "mediatord/keeper_client.h"

/*
 * Starts a keeper as a process of its own session that is nobody's child, for a host where no
 * service manager runs one. It is listening a little later. Returns 0, or -1 and err. Callable
 * while there are other threads.
 */
int keeper_start(const struct keeper_settings *settings, struct vgpu_error **err);

#endif
