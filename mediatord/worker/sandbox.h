/* SPDX-License-Identifier: Apache-2.0 */
/* How a worker gives up what it could do to its host. sandbox.c says what falls when, and why. */
#ifndef VGPU_WORKER_SANDBOX_H
#define VGPU_WORKER_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "mediatord/worker/backend.h"

struct sandbox {
	int keep_fd; /* the one descriptor above standard error that stays open */
	bool gpu;    /* a GPU's driver runs in the process, and needs more */
	/* A channel's eventfds, opened since: the one may be read, the other written. Else -1. */
	int doorbell, completion;
	const struct backend_path *paths; /* of the backend; NULL: none */
	/* Set by sandbox_prepare(). */
	bool namespaces; /* the process has its own */
	int root_maker;	 /* the socket to the process that makes the root; else -1 */
	pid_t root_maker_pid;
};

/*
 * The first part, before anything is read or any thread started: inherited descriptors, the
 * controlling session, namespaces, capabilities. Returns 0, or -1 and err; that the host allows no
 * namespaces is a line in the log and no failure.
 */
int sandbox_prepare(struct sandbox *sandbox, struct vgpu_error **err);

/*
 * The second part, once the backend was opened: every thread becomes this user and group and has no
 * capability left. Both are VGPU_WORKER_NO_ID where the process was not started as root, and
 * neither is root's where it was. Returns 0, or -1 and err: the process must end.
 */
int sandbox_become(uint32_t uid, uint32_t gid, struct vgpu_error **err);

/*
 * The third part, once everything is opened: root, limits, system calls. address_space_bytes is the
 * limit of the address space, 0 for none. Returns 0, or -1 and err: the process is then half
 * confined, and must end.
 */
int sandbox_enter(struct sandbox *sandbox, uint64_t address_space_bytes, struct vgpu_error **err);

/* Stage 4 of sandbox.c, and 7, which uses it; see sandbox_root.c. */
void sandbox_start_root_maker(struct sandbox *sandbox);
void sandbox_enter_root(struct sandbox *sandbox);

/* Whether /proc has the process under the number by which it knows itself, and not another's. */
bool sandbox_proc_is_ours(void);

/* Stage 5; see sandbox_user.c. */
int sandbox_drop_capabilities(struct vgpu_error **err);

/* sandbox_enter()'s last stage; see sandbox_seccomp.c. */
int sandbox_filter_system_calls(const struct sandbox *sandbox, struct vgpu_error **err);

/* Sanitizers need more address space and more system calls than a worker of its own does. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_FOR_SANITIZERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_FOR_SANITIZERS 1
#endif
#endif
#ifndef SANDBOX_FOR_SANITIZERS
#define SANDBOX_FOR_SANITIZERS 0
#endif

#endif
