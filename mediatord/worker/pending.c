/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/pending.h"

#include <string.h>

void pending_add(struct pending *pending, const struct channel_wait *wait, uint64_t tag)
{
	pending->waits[pending->count++] = (struct pending_wait){ *wait, tag };
}

bool pending_take(struct pending *pending, struct channel *channel, uint32_t *from, uint64_t *tag,
		  struct channel_result *result)
{
	for (uint32_t i = *from; i < pending->count; i++) {
		struct pending_wait *place = &pending->waits[i];

		if (!channel_poll(channel, &place->wait, result))
			continue;
		*tag = place->tag;
		*from = i;
		pending->count--;
		memmove(place, place + 1, (pending->count - i) * sizeof(*place));
		return true;
	}
	return false;
}
