/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's end of its socket to the mediator; mediatord/worker_protocol.h has the messages. */
#ifndef VGPU_WORKER_MEDIATOR_H
#define VGPU_WORKER_MEDIATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/worker/backend.h"
#include "mediatord/worker/execute.h"
#include "mediatord/worker/ring_map.h"
#include "mediatord/worker_protocol.h"

struct mediator_socket {
	int fd;
	uint32_t number;     /* of the last RESERVE */
	uint64_t held_bytes; /* RESERVEs that were granted less RELEASEs, for ADOPTED */
	bool context;	     /* whether there is one on the GPU, for ADOPTED */
	uint32_t wanted; /* VGPU_WORKER_WANT_*: what it was told, and has not been allowed since */
	uint32_t wakes;	 /* WAKEs that came; wraps */
};

/*
 * All of these block until the mediator has read or written. The statuses of their errors are
 * EPIPE (the mediator is gone: the worker's regular end), EBADMSG (it sent what it must not) or
 * what the system call gave. ADOPT is answered wherever one of them waits.
 */

/*
 * Receives the next message, which must be of this type (PREPARE or JOB), and checks its size and
 * every field that has but one right value. Returns 0, or -1 and err.
 */
int mediator_receive(struct mediator_socket *mediator, uint32_t type,
		     union vgpu_worker_message *message, struct vgpu_error **err);

/*
 * Receives START, with the descriptors of a channel where it has one; fds[] are the caller's, and
 * -1 where there are none. Returns 0, or -1 and err.
 */
int mediator_receive_start(struct mediator_socket *mediator, struct vgpu_worker_start *start,
			   int fds[RING_FDS], struct vgpu_error **err);

/*
 * Takes, without waiting, what the mediator has sent to a channel's worker. Returns 0, or -1 and
 * err, with the status ESHUTDOWN where it ended the channel.
 */
int mediator_check(struct mediator_socket *mediator, struct vgpu_error **err);

/* Sends PREPARED, READY, FAILED or DONE. Returns 0, or -1 and err. */
int mediator_send_prepared(const struct mediator_socket *mediator, const struct backend_info *info,
			   struct vgpu_error **err);
int mediator_send_ready(const struct mediator_socket *mediator, struct vgpu_error **err);
int mediator_send_failed(const struct mediator_socket *mediator, const char *text,
			 struct vgpu_error **err);
int mediator_send_done(const struct mediator_socket *mediator, uint64_t job,
		       const struct execution *execution, struct vgpu_error **err);

/*
 * Sends WANT, for what is in `wanted` and this; a mediator that takes over hears it once more.
 * Returns 0, or -1 and err.
 */
int mediator_send_want(struct mediator_socket *mediator, uint32_t what, struct vgpu_error **err);
int mediator_send_yielded(const struct mediator_socket *mediator, struct vgpu_error **err);

/* The mediator as a ledger, which may also end the channel; opaque is its mediator_socket. */
int mediator_reserve(void *opaque, uint64_t bytes, struct vgpu_error **err);
int mediator_release(void *opaque, uint64_t bytes, struct vgpu_error **err);
int mediator_take_context(void *opaque, struct vgpu_error **err);
int mediator_give_context_back(void *opaque, struct vgpu_error **err);

#endif
