/* SPDX-License-Identifier: Apache-2.0 */
/* What `top` makes of two looks at the mediator. Pure. */
#ifndef VGPU_CTL_TOP_H
#define VGPU_CTL_TOP_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* One look: /v1/gpus and /v1/vms, with when it was. */
struct top_look {
	int64_t when_ns;
	json_t *gpus;
	json_t *vms;
};

struct top_vm {
	const json_t *vm;	    /* the later look's */
	double gpu_percent;	    /* of one GPU's time, since the earlier look; -1: not known */
	double requests_per_second; /* the same */
};

/*
 * Compares two looks. earlier may have no vms; VMs that only it has are left out. Counters that
 * went back, as after a restart of the mediator, count from 0. Returns the VMs, those with the most
 * GPU time first, freed with free(), and *count; NULL where there is no memory.
 */
struct top_vm *top_compare(const struct top_look *earlier, const struct top_look *later,
			   size_t *count);

#endif
