/* SPDX-License-Identifier: Apache-2.0 */
/* The socket that mediators connect to. */
#ifndef VGPU_MEDIATORD_KEEPER_LISTEN_H
#define VGPU_MEDIATORD_KEEPER_LISTEN_H

#include "common/error.h"

struct listener {
	int fd;	    /* -1: none */
	int lock;   /* -1: none */
	char *path; /* NULL: a service manager made it */
};

#define LISTENER_NONE                                                                              \
	{                                                                                          \
		.fd = -1, .lock = -1                                                               \
	}

/*
 * Takes the socket that a service manager passed, or, where it passed none, makes one at path, mode
 * 0600, in the place of a stale one. Returns 0, or -1 and err (EBUSY: a keeper serves this path).
 */
int listener_open(struct listener *listener, const char *path, struct vgpu_error **err);

/* Removes the socket, where it is ours, and lets another keeper have its path. */
void listener_close(struct listener *listener);

#endif
