/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a guest, or a worker that it controls, may have something done: some at once, then one
 * in a while. What that costs the host stays small, whatever the guest does. Pure.
 */
#ifndef VGPU_MEDIATORD_PACE_H
#define VGPU_MEDIATORD_PACE_H

#include <stdint.h>

#include "common/clock.h"

struct pace_limit {
	int64_t at_once;
	int64_t interval_ns;
};

/* A process is started, and ended. */
static const struct pace_limit pace_starts = { 64, 20 * VGPU_NS_PER_MS };
/*
 * A message is read, of all the workers of a VM: more than honest ones have to say, and less than a
 * fifth of the mediator's time.
 */
static const struct pace_limit pace_messages = { 1000, 20 * VGPU_NS_PER_US };

struct pace {
	int64_t paid_ns; /* when what was done so far is paid for, at the rate that is allowed */
};

/* When the next is allowed; at once where that is not in the future. */
static inline int64_t pace_earliest(const struct pace *pace, const struct pace_limit *limit)
{
	return pace->paid_ns - limit->at_once * limit->interval_ns;
}

static inline void pace_count(struct pace *pace, const struct pace_limit *limit, int64_t now_ns)
{
	if (pace->paid_ns < now_ns)
		pace->paid_ns = now_ns;
	pace->paid_ns += limit->interval_ns;
}

#endif
