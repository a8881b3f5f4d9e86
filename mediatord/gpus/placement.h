/* SPDX-License-Identifier: Apache-2.0 */
/* On which GPU of its pool a worker is started: the scheduler chooses; here is what it cannot know.
 */
#ifndef VGPU_MEDIATORD_PLACEMENT_H
#define VGPU_MEDIATORD_PLACEMENT_H

struct vm;

/*
 * Before sched_channel_add(): tells the scheduler which GPUs have no room for one more context and
 * for what the VM's quota of GPU memory still allows. Without a quota a context is all that is
 * asked for, and a GPU whose memory is not known has room.
 */
void placement_prepare(struct vm *vm);

#endif
