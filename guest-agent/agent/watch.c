/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/watch.h"

/*
 * A channel whose lock this process has: nobody else opens or closes it, only the device or its
 * reset.
 */
static enum watch_action decide_claimed(const struct owner_sight *sight)
{
	switch (sight->state) {
	case VGPU_CHANNEL_STATE_CLOSED:
		return WATCH_RELEASE;
	case VGPU_CHANNEL_STATE_CLOSING:
		return WATCH_WAIT;
	default:
		return WATCH_CLOSE;
	}
}

enum watch_action watch_decide(const struct watch *watch, const struct owner_sight *sight)
{
	if (watch->claimed)
		return decide_claimed(sight);
	if (sight->state == VGPU_CHANNEL_STATE_CLOSED)
		return watch->fate == WATCH_NONE ? WATCH_REST : WATCH_FORGET;
	/* Another process may have closed and opened it since it was last looked at. */
	if (watch->fate == WATCH_NONE || watch->owner != sight->owner ||
	    watch->owner_start != sight->owner_start)
		return WATCH_LOOK_UP;
	/* Running or stopped, with the lock or, after it called exec, without. */
	if (watch->fate == WATCH_LIVES)
		return WATCH_REST;
	/*
	 * The lock knows better than the process table: a child may have it, or a process that
	 * cannot be seen from here, as one outside of this container.
	 */
	return WATCH_CLAIM;
}
