/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the mediator's REST interface, one at a time, over its control socket or TCP. */
#ifndef VGPU_COMMON_REST_CLIENT_H
#define VGPU_COMMON_REST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/* Where the mediator is. The strings are borrowed. */
struct rest_server {
	const char *socket; /* the control socket, or NULL: url */
	const char *url;    /* "https://HOST:PORT", without a final slash */
	const char *cacert; /* file of the certificates to trust, or NULL: the system's */
	const char *token;  /* for Authorization: Bearer; or NULL */
	long timeout_ms;    /* for everything but a stream; more than 0 */
	size_t reply_max;   /* a longer body is an error, but for a stream's */
};

/*
 * Takes a part of a successful answer's body. Returns false to end the transfer, and may then have
 * filled *err.
 */
typedef bool rest_sink(void *opaque, const char *bytes, size_t length, struct vgpu_error **err);

/* The strings are borrowed. */
struct rest_request {
	const char *method;
	const char *path;	  /* from "/" on, escaped */
	const char *body;	  /* JSON, or NULL */
	const char *content_type; /* NULL: application/json */
	const char *header;	  /* one more, as "If-Match: x"; or NULL */
	/* For bodies of any length: a sink, where not NULL, gets what a success brings. */
	rest_sink *sink;
	void *opaque;
	/* With a sink: no end is set to the transfer but this much silence, 0: none. */
	long silence_seconds;
};

struct rest_reply {
	long status; /* HTTP's */
	char *body;  /* with a terminator; "" where there is none, or a sink had it */
	size_t length;
	char etag[96]; /* with its quotes; "" where there is none, or a longer one */
};

void rest_reply_clear(struct rest_reply *reply);
#define REST_AUTO_REPLY VGPU_CLEANUP(rest_reply_clear)

/*
 * Sends a request and waits for the answer. Returns 0 and *reply whatever the answer's status is;
 * or -1 and err: ENOENT, ECONNREFUSED and the like where nobody listens, ETIMEDOUT, EPROTO where
 * the answer is no HTTP, ends early or is too long, EACCES where the server's certificate is not
 * trusted, ECANCELED or the sink's error where the sink ended it, ENOMEM. The caller clears *reply
 * in either case. Not for use by several threads before one of them returned from it.
 */
int rest_call(const struct rest_server *server, const struct rest_request *request,
	      struct rest_reply *reply, struct vgpu_error **err);

static inline bool rest_success(const struct rest_reply *reply)
{
	return reply->status >= 200 && reply->status < 300;
}

/*
 * What a human should read of an answer that is no success: the problem document's detail, or its
 * title, or the status alone. Freed with free(); NULL where there is no memory.
 */
char *rest_reply_problem(const struct rest_reply *reply);

#endif
