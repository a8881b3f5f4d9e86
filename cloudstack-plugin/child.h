/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work in processes of their own, with one deadline for all: what hangs is killed, with what it
 * started, and its output so far is nobody's.
 */
#ifndef VGPU_CLOUDSTACK_CHILD_H
#define VGPU_CLOUDSTACK_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

#define CHILD_OUTPUT_MAX ((size_t)16 << 20)

struct child {
	const char *name; /* for messages */
	pid_t pid;	  /* or 0 */
	int fd;		  /* its standard output; or -1 */
	char *output;	  /* with a terminator, once there is some */
	size_t length;
	bool succeeded; /* its output is whole, and it ended with status 0 */
};

/*
 * Starts a process in a group of its own, with nothing on standard input and error: `run` writes to
 * its standard output and returns its exit status. Returns 0, or -1 and err.
 */
int child_start(struct child *child, const char *name, int (*run)(void *opaque), void *opaque,
		struct vgpu_error **err);

/* Reads what the children say until all have ended, or now_ns is the deadline (vgpu_now_ns()). */
void children_wait(struct child *children, size_t count, int64_t deadline_ns);

void child_clear(struct child *child);

#endif
