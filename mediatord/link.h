/* SPDX-License-Identifier: Apache-2.0 */
/* Link sockets: one listener a VM, the handshake, and the device's messages. */
#ifndef VGPU_MEDIATORD_LINK_H
#define VGPU_MEDIATORD_LINK_H

#include "common/link.h"
#include "mediatord/peer.h"
#include "mediatord/vm.h"

#define LINK_HELLO_NS	   (5 * VGPU_NS_PER_SECOND)
#define LINK_HALF_OPEN_MAX 4u /* per VM, and as many of peers that will be refused */

struct link {
	struct link *next; /* among the half-open ones */
	struct vm *vm;
	int fd;
	int window_fd; /* the device's BAR2; -1 before HELLO */
	uint64_t window_bytes;
	struct source *source;
	struct timer hello; /* set while half-open */
	struct peer peer;
	enum peer_verdict verdict;
	bool up;
	bool resuming;	  /* its first message has not come: RESUME or RESET */
	bool outstanding; /* a request was not answered yet */
	struct {
		bool used;
		bool closed;	 /* and answered with CLOSED, or forgotten with a RESET */
		uint32_t serial; /* of the last OPEN */
	} channels[VGPU_CHANNELS_MAX];
};

/* Makes the VM's listening socket. Returns 0, or -1 and err. */
int link_listen(struct vm *vm, struct vgpu_error **err);
/* Ends it and removes the socket's name. */
void link_unlisten(struct vm *vm);
/* Removes the names of link sockets in a folder: those that a mediator which was killed left. */
int link_remove_stale(const char *dir, struct vgpu_error **err);

/* The listener has connections. */
void link_accept(struct vm *vm);
/* A connection has packets, or its peer went. */
void link_ready(struct link *link);
void link_hello_due(struct link *link);

/*
 * Closes a connection and frees it; where it was the VM's device, its jobs and its worker go too.
 * why is for the log, NULL for a peer that simply went.
 */
void link_drop(struct link *link, const char *why);

/* Every connection of the VM. */
void link_drop_all(struct vm *vm, const char *why);

/* The same, but nothing of the VM's ends: the mediator itself goes. */
void link_leave(struct vm *vm);

/*
 * Sends one message of header.length bytes. Returns 0, or -1 with errno; EAGAIN: the device does
 * not read. Never closes the link.
 */
int link_send(struct link *link, const struct vgpu_link_header *message);

#endif
