/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/owner.h"

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

bool owner_claim_watch(struct vgpu *vgpu)
{
	HANDLE_LOCK(vgpu);

	return vgpu->transport->ops->claim(vgpu->transport, TRANSPORT_CLAIM_WATCH);
}
