/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel's turns on its GPU: the scheduler's decisions carried out through the grant page, and
 * what the worker says of them. The page decides, not the messages: a worker that was revoked and
 * holds nothing can start nothing, and one that holds the GPU keeps it until it says otherwise, or
 * was reaped.
 */
#ifndef VGPU_MEDIATORD_CHANNEL_TURN_H
#define VGPU_MEDIATORD_CHANNEL_TURN_H

#include "mediatord/channel.h"
#include "mediatord/sched/sched.h"

/* The channel has its place in the scheduler and its grant page. */
void channel_turn_begin(struct channel *channel);

/*
 * Its state says that it ends. It gets no turn any more; the GPU that it holds it keeps until it
 * yields, or its worker was reaped.
 */
void channel_turn_end(struct channel *channel);

/* SCHED_GRANT to SCHED_TOKENS, of one of the VM's channels. May drop the link. */
void channel_decide(struct vm *vm, const struct sched_decision *decision);

/* The worker's WANT and YIELDED; what is a VGPU_WORKER_WANT_*. */
void channel_worker_wants(struct channel *channel, uint32_t what);
void channel_worker_yielded(struct channel *channel);

/* The VM's rate was changed. */
void channels_rate_changed(struct vm *vm);

#endif
