/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The epoll loop: descriptors with a type, and deadlines. One thread runs it and owns everything
 * that it dispatches to; nothing here takes a lock.
 */
#ifndef VGPU_MEDIATORD_LOOP_H
#define VGPU_MEDIATORD_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/timer.h"

struct loop;

/* What a descriptor is; each kind has one kind of owner. */
enum source_kind {
	SOURCE_COMMANDS, /* struct control: another thread left a command */
	SOURCE_SIGNALS,	 /* struct mediator */
	SOURCE_LISTENER, /* struct vm: a device wants to connect */
	SOURCE_LINK,	 /* struct link */
	SOURCE_WORKER,	 /* struct worker: its control socket */
	SOURCE_KEEPER,	 /* struct keeper_client */
	SOURCE_DEVICE,	 /* struct vm: the process of a device that is to come back */
};

/* One descriptor in the loop, which the owner opens and closes. */
struct source {
	enum source_kind kind;
	int fd; /* -1 once removed */
	void *owner;
	struct source *next_removed;
};

struct loop_ops {
	/* The source's descriptor is readable, or its peer is gone; level-triggered. */
	void (*ready)(void *opaque, struct source *source);
	void (*due)(void *opaque, struct timer *timer);
	/* After each round of the two above, before the loop sleeps. */
	void (*idle)(void *opaque);
};

/* Returns 0 and a loop to free with loop_free(), or -1 and err. */
int loop_new(const struct loop_ops *ops, void *opaque, struct loop **loop, struct vgpu_error **err);
void loop_free(struct loop **loop);

struct timers *loop_timers(struct loop *loop);

/* Watches fd for reading. Returns a source to end with loop_remove(), or NULL with errno. */
struct source *loop_add(struct loop *loop, enum source_kind kind, int fd, void *owner);

/*
 * Ends the watch; call it before closing the descriptor. *source becomes NULL; NULL is fine. Events
 * that were already taken from the kernel are not dispatched any more, so the owner may go at once.
 */
void loop_remove(struct loop *loop, struct source **source);

/* Dispatches until loop_stop(). Returns 0, or -1 and err where the kernel fails to wait. */
int loop_run(struct loop *loop, struct vgpu_error **err);

/* Dispatches what is ready, waiting at most timeout_ns for it. Returns 0, or -1 with errno. */
int loop_step(struct loop *loop, int64_t timeout_ns);

void loop_stop(struct loop *loop);

#endif
