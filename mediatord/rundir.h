/* SPDX-License-Identifier: Apache-2.0 */
/* The folders that sockets live in, and the locks that keep a second daemon out of them. */
#ifndef VGPU_MEDIATORD_RUNDIR_H
#define VGPU_MEDIATORD_RUNDIR_H

#include "common/error.h"

/* Makes the folder, with those above it, mode 0755, where it is not there. Returns 0, or -1 and
 * err.
 */
int rundir_make(const char *path, struct vgpu_error **err);

/* As rundir_make(), for the folder that the file at path is in. */
int rundir_make_for(const char *path, struct vgpu_error **err);

/*
 * Takes the lock file at path, which is made where it is not there and stays. Returns a descriptor
 * that holds the lock until it is closed (or its process ends), or -1 and err: EBUSY where another
 * process has it.
 */
int rundir_lock(const char *path, struct vgpu_error **err);

#endif
