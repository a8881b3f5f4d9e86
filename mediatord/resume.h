/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a mediator's start until a VM's device is on its link again: the workers that were adopted
 * go on serving it, as long as its process is there.
 */
#ifndef VGPU_MEDIATORD_RESUME_H
#define VGPU_MEDIATORD_RESUME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/link.h"

struct link;
struct loop;
struct record;
struct source;
struct vm;

/* The process whose device is to come back. */
struct resume {
	pid_t pid;
	uint64_t start;
	int pidfd;
	struct source *source; /* NULL: nobody is expected */
};

/*
 * Expects the device that the record names; the VM's other records must name the same. Returns
 * NULL, or why it will not come.
 */
const char *resume_expect(struct vm *vm, const struct record *record);

/* Expects nobody any more. Nothing happens where nobody was. */
void resume_forget(struct vm *vm);

/* SOURCE_DEVICE is readable: the process has ended. Ends all that it had. */
void resume_device_gone(struct vm *vm);

/*
 * RESUME, of `length` bytes, as the first message on a link: what it names goes on where it is
 * there, and is answered with CLOSED where it is not; what it does not name is ended. Returns NULL,
 * or why the link has to go. May drop the link.
 */
const char *resume_handle(struct link *link, const struct vgpu_link_resume *message, size_t length);

#endif
