/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-cloudstack sync as a service: when to resync, and what becomes of failures. */
#ifndef VGPU_CLOUDSTACK_SERVICE_H
#define VGPU_CLOUDSTACK_SERVICE_H

#include "cloudstack-plugin/sync.h"
#include "cloudstack-plugin/sync_config.h"

struct service {
	const struct sync_config *config;
	bool dry_run;
	unsigned int retry_after_s; /* that the last answer asked for */
};

/* One resync, which is logged. Returns 0, or -1 and err: nothing or not all was sent. */
int service_sync(struct service *service, struct vgpu_error **err);

/*
 * Resyncs until SIGTERM or SIGINT: at start, after the configuration's interval with some jitter,
 * upon SIGHUP, when the webhook's address is told of an event, and when the mediator has a new VM
 * (cloudstack-plugin/plan.h). A failure changes nothing that is in force, and is tried again later
 * and later. SIGHUP reads the configuration of `path` and its keys anew, into *config; one that is
 * wrong leaves what is there. Returns 0, or -1 and err where it cannot begin.
 */
int service_run(struct sync_config *config, const char *path, struct vgpu_error **err);

#endif
