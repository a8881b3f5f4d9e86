/* SPDX-License-Identifier: Apache-2.0 */
/* One resync: what the service offerings of a host's VMs say goes to the host's mediator. */
#ifndef VGPU_CLOUDSTACK_SYNC_H
#define VGPU_CLOUDSTACK_SYNC_H

#include <stdbool.h>

#include "cloudstack-plugin/api.h"

struct sync_target {
	const char *host;   /* its name or id in CloudStack */
	const char *socket; /* the mediator's control socket */
	long timeout_ms;    /* for one answer of the mediator */
	bool dry_run;	    /* prints what would be sent, and sends nothing */
};

struct sync_result {
	unsigned int vms;	   /* that CloudStack has on the host */
	unsigned int same;	   /* whose values the mediator has */
	unsigned int told;	   /* whose values it took */
	unsigned int unregistered; /* that the mediator does not know: they have no vGPU */
	unsigned int skipped;	   /* whose offering is not known, or makes no sense */
	unsigned int refused;	   /* whose values the mediator refused */
};

/*
 * Asks CloudStack for everything before it tells the mediator anything: where an answer is an
 * error, half, or none, nothing changes. Returns 0 and *result; or -1 and err, as cs_call() and
 * rest_call(), ENOENT where CloudStack has no such host.
 */
int sync_run(struct cs_api *api, const struct sync_target *target, struct sync_result *result,
	     struct vgpu_error **err);

#endif
