/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a process that keeps failing may be started again: at once after the first failure, then
 * after pauses that double. Pure.
 */
#ifndef VGPU_MEDIATORD_BACKOFF_H
#define VGPU_MEDIATORD_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

#define BACKOFF_FIRST_NS (100 * VGPU_NS_PER_MS)
#define BACKOFF_LAST_NS	 (10 * VGPU_NS_PER_SECOND)

struct backoff {
	unsigned int failures; /* in a row */
	int64_t retry_ns;      /* no new start before */
};

static inline void backoff_fail(struct backoff *backoff, int64_t now_ns)
{
	int64_t delay = backoff->failures > 0 ? BACKOFF_FIRST_NS : 0;

	for (unsigned int i = 1; i < backoff->failures && delay < BACKOFF_LAST_NS; i++)
		delay *= 2;
	if (delay > BACKOFF_LAST_NS)
		delay = BACKOFF_LAST_NS;
	if (backoff->failures < 100)
		backoff->failures++;
	backoff->retry_ns = now_ns + delay;
}

/* It did something: the next failure is the first of a row. */
static inline void backoff_succeed(struct backoff *backoff)
{
	backoff->failures = 0;
}

static inline bool backoff_waits(const struct backoff *backoff, int64_t now_ns)
{
	return now_ns < backoff->retry_ns;
}

#endif
