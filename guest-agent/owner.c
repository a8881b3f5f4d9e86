/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/owner.h"

#include "common/clock.h"

/* Of the handle's mutex while the device closes channels, so that other threads get turns. */
#define STEP_NS VGPU_NS_PER_MS

static uint32_t reg_read(struct vgpu *vgpu, unsigned int channel, uint32_t offset)
{
	return vgpu->transport->ops->read(vgpu->transport,
					  VGPU_REG_CHANNEL_BLOCK(channel) + offset);
}

unsigned int owner_channels(struct vgpu *vgpu)
{
	const struct transport_ops *ops = vgpu->transport->ops;
	uint32_t channels;

	HANDLE_LOCK(vgpu);

	if (!(ops->read(vgpu->transport, VGPU_REG_CAPABILITIES) & VGPU_CAP_CHANNELS))
		return 0;
	channels = ops->read(vgpu->transport, VGPU_REG_CHANNELS);
	return channels < VGPU_CHANNELS_MAX ? channels : VGPU_CHANNELS_MAX;
}

void owner_look(struct vgpu *vgpu, unsigned int channel, struct owner_sight *sight)
{
	HANDLE_LOCK(vgpu);

	*sight = (struct owner_sight){ .state = reg_read(vgpu, channel, VGPU_CHANNEL_STATE) };
	if (sight->state == VGPU_CHANNEL_STATE_CLOSED)
		return;
	sight->owner = reg_read(vgpu, channel, VGPU_CHANNEL_OWNER);
	sight->owner_start = reg_read(vgpu, channel, VGPU_CHANNEL_OWNER_START) |
			     (uint64_t)reg_read(vgpu, channel, VGPU_CHANNEL_OWNER_START + 4) << 32;
}

bool owner_claim(struct vgpu *vgpu, unsigned int channel)
{
	HANDLE_LOCK(vgpu);

	return vgpu->transport->ops->claim(vgpu->transport, channel);
}

void owner_unclaim(struct vgpu *vgpu, unsigned int channel)
{
	HANDLE_LOCK(vgpu);

	vgpu->transport->ops->unclaim(vgpu->transport, channel);
}

void owner_close(struct vgpu *vgpu, unsigned int channel)
{
	HANDLE_LOCK(vgpu);

	vgpu->transport->ops->write(vgpu->transport,
				    VGPU_REG_CHANNEL_BLOCK(channel) + VGPU_CHANNEL_CONTROL,
				    VGPU_CHANNEL_CLOSE);
}

/* Claims the channel if it is open and nobody has it, and has the device close it. */
static bool close_if_abandoned(struct vgpu *vgpu, unsigned int channel)
{
	const struct transport_ops *ops = vgpu->transport->ops;
	uint32_t state;

	HANDLE_LOCK(vgpu);

	if (vgpu->claimed & 1u << channel)
		return false;
	state = reg_read(vgpu, channel, VGPU_CHANNEL_STATE);
	if (state == VGPU_CHANNEL_STATE_CLOSED || state > VGPU_CHANNEL_STATE_CLOSING ||
	    !ops->claim(vgpu->transport, channel))
		return false;
	vgpu->claimed |= 1u << channel;
	/* Ignored where it is closing, or was closed meanwhile. */
	ops->write(vgpu->transport, VGPU_REG_CHANNEL_BLOCK(channel) + VGPU_CHANNEL_CONTROL,
		   VGPU_CHANNEL_CLOSE);
	return true;
}

/* Lets the channel go if it is closed, or anyhow. Returns whether it did. */
static bool let_go(struct vgpu *vgpu, unsigned int channel, bool anyhow, int64_t since)
{
	const struct transport_ops *ops = vgpu->transport->ops;

	HANDLE_LOCK(vgpu);

	if (ops->refresh)
		ops->refresh(vgpu->transport);
	if (reg_read(vgpu, channel, VGPU_CHANNEL_STATE) == VGPU_CHANNEL_STATE_CLOSING && !anyhow) {
		ops->wait(vgpu->transport, since, vgpu_now_ns() + STEP_NS);
		return false;
	}
	ops->unclaim(vgpu->transport, channel);
	vgpu->claimed &= ~(1u << channel);
	return true;
}

void owner_close_abandoned(struct vgpu *vgpu, int64_t deadline)
{
	unsigned int channels = owner_channels(vgpu);
	int64_t since = vgpu_now_ns();
	uint32_t closing = 0;

	/* All first, and then all are waited for. */
	for (unsigned int n = 0; n < channels; n++) {
		if (close_if_abandoned(vgpu, n))
			closing |= 1u << n;
	}
	for (unsigned int n = 0; n < channels; n++) {
		while (closing & 1u << n) {
			if (let_go(vgpu, n, vgpu_now_ns() >= deadline, since))
				closing &= ~(1u << n);
		}
	}
}

bool owner_claim_watch(struct vgpu *vgpu)
{
	HANDLE_LOCK(vgpu);

	return vgpu->transport->ops->claim(vgpu->transport, TRANSPORT_CLAIM_WATCH);
}
