/* SPDX-License-Identifier: Apache-2.0 */
/* Does something again and again, from a thread of its own, until it is stopped. */
#ifndef VGPU_MEDIATORD_TICKER_H
#define VGPU_MEDIATORD_TICKER_H

#include <stdint.h>

#include "common/error.h"

struct ticker;

/*
 * Calls tick, which may block, period_ns from now and then each time period_ns after it has
 * returned. Returns 0 and *ticker, or -1 and err, whose message says whose thread cannot be
 * started.
 */
int ticker_start(const char *whose, int64_t period_ns, void (*tick)(void *opaque), void *opaque,
		 struct ticker **ticker, struct vgpu_error **err);

/* Waits for a call that is under way; none follows. For another thread. NULL is fine. */
void ticker_stop(struct ticker **ticker);

#endif
