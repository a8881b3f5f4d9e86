/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's end of its socket to the mediator; mediatord/worker_protocol.h has the messages. */
#ifndef VGPU_WORKER_MEDIATOR_H
#define VGPU_WORKER_MEDIATOR_H

#include <stdint.h>

#include "common/error.h"
#include "mediatord/worker/backend.h"
#include "mediatord/worker/execute.h"
#include "mediatord/worker/ring_map.h"
#include "mediatord/worker_protocol.h"

/*
 * All of these block until the mediator has read or written. The statuses of their errors are
 * EPIPE (the mediator is gone: the worker's regular end), EBADMSG (it sent what it must not) or
 * what the system call gave.
 */

/*
 * Receives the next message, which must be of this type (JOB), and checks its
 * size and every field that has but one right value. Returns 0, or -1 and err.
 */
int mediator_receive(int socket, uint32_t type, union vgpu_worker_message *message,
		     struct vgpu_error **err);

/*
 * Receives START, with the descriptors of a channel where it has one; fds[] are the caller's, and
 * -1 where there are none. Returns 0, or -1 and err.
 */
int mediator_receive_start(int socket, struct vgpu_worker_start *start, int fds[RING_FDS],
			   struct vgpu_error **err);

/*
 * Looks, without waiting, whether the mediator ended the channel. Returns 0 where it did not, or -1
 * and err, with the status ESHUTDOWN where END came.
 */
int mediator_check_end(int socket, struct vgpu_error **err);

/* Sends READY, FAILED or DONE. Returns 0, or -1 and err. */
int mediator_send_ready(int socket, const struct backend_info *info, struct vgpu_error **err);
int mediator_send_failed(int socket, const char *text, struct vgpu_error **err);
int mediator_send_done(int socket, uint64_t job, const struct execution *execution,
		       struct vgpu_error **err);

/* The mediator as a ledger, which may also end the channel; opaque is a pointer to the socket. */
int mediator_reserve(void *opaque, uint64_t bytes, struct vgpu_error **err);
int mediator_release(void *opaque, uint64_t bytes, struct vgpu_error **err);

#endif
