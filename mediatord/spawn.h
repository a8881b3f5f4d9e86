/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a worker's process. */
#ifndef VGPU_MEDIATORD_SPAWN_H
#define VGPU_MEDIATORD_SPAWN_H

#include <sys/types.h>

#include "common/error.h"

/*
 * Executes program with nothing of ours but standard error and the control socket, which becomes
 * VGPU_WORKER_CONTROL_FD: no environment, no other descriptor, "/" as its directory, a session of
 * its own. control stays the caller's. Returns its pid, or -1 and err.
 * Blocks until the program is executed (some hundred microseconds).
 */
pid_t spawn_worker(const char *program, int control, struct vgpu_error **err);

#endif
