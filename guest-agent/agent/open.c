/* SPDX-License-Identifier: Apache-2.0 */
/* Which way to the GPU, where nobody said: the device, and without one the host's folder. */
#include <stdio.h>
#include <unistd.h>

#include "guest-agent/agent/agent.h"

static void say_which(struct vgpu *vgpu)
{
	struct vgpu_info info;

	if (vgpu_get_info(vgpu, &info) == VGPU_OK)
		fprintf(stderr, "vgpu-agent: using %s\n", info.transport);
}

enum vgpu_result agent_open(const struct agent *agent, unsigned int flags, struct vgpu **vgpu)
{
	enum vgpu_result result = vgpu_open(agent->transport, flags, agent->timeout_ms, vgpu);

	/* Told of the device, where there is no folder either. */
	if (!agent->transport && result == VGPU_E_NO_DEVICE && access(AGENT_FOLDER, F_OK) == 0)
		result = vgpu_open("file:" AGENT_FOLDER, flags, agent->timeout_ms, vgpu);
	if (!agent->transport && result == VGPU_OK)
		say_which(*vgpu);
	return result;
}
