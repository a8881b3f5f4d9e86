/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a guest may have a worker started: some at once, then one in a while. What it costs the
 * host to start a process and to end it stays small that way, whatever the guest does. Pure.
 */
#ifndef VGPU_MEDIATORD_PACE_H
#define VGPU_MEDIATORD_PACE_H

#include <stdint.h>

#include "common/clock.h"

#define PACE_AT_ONCE	 64
#define PACE_INTERVAL_NS (20 * VGPU_NS_PER_MS)

struct pace {
	int64_t paid_ns; /* when the starts so far are paid for, at the rate that is allowed */
};

/* When the next start is allowed; at once where that is not in the future. */
static inline int64_t pace_earliest(const struct pace *pace)
{
	return pace->paid_ns - PACE_AT_ONCE * PACE_INTERVAL_NS;
}

static inline void pace_start(struct pace *pace, int64_t now_ns)
{
	if (pace->paid_ns < now_ns)
		pace->paid_ns = now_ns;
	pace->paid_ns += PACE_INTERVAL_NS;
}

#endif
