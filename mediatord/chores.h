/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the mediator does beside serving: it reads its configuration anew when it is told to, has
 * clients answered before it ends, and tells the service manager that its loop answers. A thread
 * does it, which may wait for the disk.
 */
#ifndef VGPU_MEDIATORD_CHORES_H
#define VGPU_MEDIATORD_CHORES_H

#include "common/error.h"
#include "mediatord/config.h"
#include "mediatord/control.h"
#include "mediatord/registry/registry.h"
#include "mediatord/rest/rest.h"

struct chores;

/* All the caller's, to live longer. */
struct chores_parts {
	const char *path;      /* of the configuration */
	bool may_lack;	       /* it need not be there */
	struct config *config; /* that is in force */
	struct control *control;
	struct registry *registry;
	struct rest *rest;
	/* Eventfds: the configuration is to be read anew; the mediator is to end. */
	int reload_fd, end_fd;
	/* Tells the service manager; NULL: nobody. */
	void (*notify)(const char *state);
	int64_t watchdog_ns; /* within so long it wants to hear "WATCHDOG=1"; 0: it does not */
};

/* Starts the thread. Returns 0 and *chores, or -1 and err. */
int chores_start(const struct chores_parts *parts, struct chores **chores, struct vgpu_error **err);
/* NULL is fine. */
void chores_stop(struct chores **chores);

#endif
