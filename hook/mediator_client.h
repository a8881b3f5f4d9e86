/* SPDX-License-Identifier: Apache-2.0 */
/* One REST request to the mediator over its control socket. */
#ifndef VGPU_HOOK_MEDIATOR_CLIENT_H
#define VGPU_HOOK_MEDIATOR_CLIENT_H

#include <stddef.h>

#include "common/error.h"

/* More than this of an answer's body is an error. */
#define MEDIATOR_REPLY_MAX ((size_t)64 << 10)

struct mediator_reply {
	long status; /* HTTP's */
	char *body;  /* with a terminator; "" where there is none */
	size_t length;
};

void mediator_reply_clear(struct mediator_reply *reply);
#define MEDIATOR_AUTO_REPLY VGPU_CLEANUP(mediator_reply_clear)

/*
 * Sends a request and waits for the answer, at most timeout_ms (more than 0) for everything. body
 * is JSON or NULL. Returns 0 and *reply whatever the answer's status is; or -1 and err: ENOENT,
 * ECONNREFUSED and the like where nobody listens, ETIMEDOUT, EPROTO where the answer is no HTTP or
 * too long, ENOMEM. The caller clears *reply in either case. Not for use by several threads before
 * one of them returned from it.
 */
int mediator_request(const char *control_socket, long timeout_ms, const char *method,
		     const char *path, const char *body, struct mediator_reply *reply,
		     struct vgpu_error **err);

/*
 * What a human should read of an answer that is no success: the problem document's detail, or its
 * title, or the status alone. Freed with free(); NULL where there is no memory.
 */
char *mediator_reply_problem(const struct mediator_reply *reply);

#endif
