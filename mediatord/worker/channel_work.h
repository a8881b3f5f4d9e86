/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's work for the GPU: what it costs there, and its pieces. For channel_execute.c. */
#ifndef VGPU_WORKER_CHANNEL_WORK_H
#define VGPU_WORKER_CHANNEL_WORK_H

#include "mediatord/worker/channel.h"

/* Starts the next piece of a copy or set, or a launch. */
cuda_error channel_start(struct channel *channel, const struct channel_request *request);

/*
 * Accounts for a request's piece that was started at now_ns. Returns whether there is more of it,
 * which *request then is.
 */
bool channel_started(struct channel *channel, struct channel_request *request, int64_t now_ns);

#endif
