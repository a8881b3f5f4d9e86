/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels of others: whose they are, and closing those that nobody has any more. All but
 * owner_close_abandoned() is for one thread and a handle that opens no channels of its own.
 */
#ifndef VGPU_GUEST_OWNER_H
#define VGPU_GUEST_OWNER_H

#include "guest-agent/handle.h"

/* What the registers say of a channel. */
struct owner_sight {
	uint32_t state;	      /* VGPU_CHANNEL_STATE_*; anything else: the device is gone */
	uint32_t owner;	      /* the process that opened it, as it knows itself; 0 where CLOSED */
	uint64_t owner_start; /* its start time; 0 where CLOSED */
};

/* How many channels the device has: at most VGPU_CHANNELS_MAX. */
unsigned int owner_channels(struct vgpu *vgpu);

void owner_look(struct vgpu *vgpu, unsigned int channel, struct owner_sight *sight);

/*
 * Takes a channel's lock, which its opener and those that it forked hold: false while one of them
 * lives. Nobody else opens or closes the channel until owner_unclaim().
 */
bool owner_claim(struct vgpu *vgpu, unsigned int channel);
void owner_unclaim(struct vgpu *vgpu, unsigned int channel);

/* Has the device close a claimed channel, and does not wait. */
void owner_close(struct vgpu *vgpu, unsigned int channel);

/*
 * Closes the channels whose processes died, so that what they held is free for a channel that is to
 * be opened; waits for that until deadline. A device that does not close them is no failure here.
 */
void owner_close_abandoned(struct vgpu *vgpu, int64_t deadline);

/*
 * Takes the lock of who watches all of a device's channels, until the handle is closed: false where
 * another process has it.
 */
bool owner_claim_watch(struct vgpu *vgpu);

#endif
