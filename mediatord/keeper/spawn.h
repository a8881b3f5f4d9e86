/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a worker's process. */
#ifndef VGPU_MEDIATORD_KEEPER_SPAWN_H
#define VGPU_MEDIATORD_KEEPER_SPAWN_H

#include <sys/types.h>

/* Why a worker could not be started. */
struct spawn_failure {
	const char *step; /* what failed; static storage */
	int errnum;
};

/*
 * Reads what workers get back of what the keeper changes for itself; call it before that. Sees
 * whether they can have process namespaces, and says in the log where they cannot.
 */
void spawn_init(void);

/*
 * Executes program with nothing of ours but standard error and the control socket, which becomes
 * VGPU_WORKER_CONTROL_FD: no environment, no other descriptor, "/" as its directory, a session of
 * its own, and where the host allows it a process namespace. control stays the caller's. Returns
 * its pid in our namespace, and a pidfd that the caller owns, or -1 and *failure. Blocks until the
 * program is executed (some hundred microseconds).
 */
pid_t spawn_worker(const char *program, int control, int *pidfd, struct spawn_failure *failure);

#endif
