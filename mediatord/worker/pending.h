/* SPDX-License-Identifier: Apache-2.0 */
/* Synchronisations whose work has not ended yet, in the order in which they came. */
#ifndef VGPU_WORKER_PENDING_H
#define VGPU_WORKER_PENDING_H

#include "mediatord/worker/channel.h"

/* With that many the worker takes nothing more until one is over. */
#define PENDING_MAX 256u

struct pending {
	uint32_t count;
	struct pending_wait {
		struct channel_wait wait;
		uint64_t tag;
	} waits[PENDING_MAX];
};

/* Adds one; there must be room. */
void pending_add(struct pending *pending, const struct channel_wait *wait, uint64_t tag);

/*
 * Takes out the first wait from *from on that is over. Returns whether there was one, with its tag
 * and result; *from is then where to go on.
 */
bool pending_take(struct pending *pending, struct channel *channel, uint32_t *from, uint64_t *tag,
		  struct channel_result *result);

#endif
