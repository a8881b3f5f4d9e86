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
	/* Who the worker becomes; needed where it is started as root, else without a meaning. */
	bool has_ids;
	uid_t uid;
	gid_t gid;
	int keep_fd; /* the one descriptor above standard error that stays open */
	/* A channel's eventfds, opened since: the one may be read, the other written. Else -1. */
	int doorbell, completion;
	const struct backend_path *paths; /* of the backend */
	bool namespaces;		  /* set by sandbox_prepare(): the process has its own */
	/* Set by sandbox_prepare_gpu(). */
	bool gpu;
	int helper; /* the socket to the process that builds the root; else -1 */
	pid_t helper_pid;
};

/*
 * The first half, before anything is read or any thread started: inherited descriptors, the
 * controlling session, and namespaces. Returns 0, or -1 and err; that the host allows no
 * namespaces is a line in the log and no failure.
 */
int sandbox_prepare(struct sandbox *sandbox, struct vgpu_error **err);

/*
 * After sandbox_prepare(), before a backend with a GPU's driver is opened, still with one thread:
 * see sandbox_gpu.c. Returns 0, or -1 and err.
 */
int sandbox_prepare_gpu(struct sandbox *sandbox, struct vgpu_error **err);

/*
 * The second half, once the backend has opened what it needs: empty root, limits, user,
 * capabilities, system calls. address_space_bytes is the limit of the address space, 0 for none.
 * Returns 0, or -1 and err: the process is then half confined, and must end.
 */
int sandbox_enter(struct sandbox *sandbox, uint64_t address_space_bytes, struct vgpu_error **err);

/* Stages 6 and 7 of sandbox.c. */
int sandbox_drop_privileges(const struct sandbox *sandbox, struct vgpu_error **err);
/* Stage 4 where a GPU's driver runs. */
void sandbox_drop_root_gpu(struct sandbox *sandbox);

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
