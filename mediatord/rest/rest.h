/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's face: HTTP/1.1 with JSON on a Unix socket, and, where that is configured, on
 * TCP with TLS. data/openapi.yaml describes it. It has threads of its own; handlers may wait for
 * disk and loop, never for libvirt.
 */
#ifndef VGPU_MEDIATORD_REST_H
#define VGPU_MEDIATORD_REST_H

#include "common/error.h"
#include "mediatord/config.h"
#include "mediatord/control.h"
#include "mediatord/registry/registry.h"

struct event_feed;
struct gpus;
struct rest;

/* What REST works on: all the caller's, and to live longer than it. */
struct rest_parts {
	const struct config *config;
	struct state *state;
	struct registry *registry; /* was started */
	struct control *control;
	struct gpus *gpus;
	struct event_feed *feed;
};

/*
 * Binds the configured sockets and serves on them; only root and the control group may use the
 * control socket. One that an ended mediator left behind is replaced: the caller holds the lock
 * that says it has ended. Returns 0 and *rest, or -1 and err with an errno value.
 */
int rest_start(const struct rest_parts *parts, struct rest **rest, struct vgpu_error **err);

/*
 * Removes the socket and waits until every request that came was answered, 2 s at most: for the end
 * of a mediator whose loop still runs. Not from a thread that serves REST.
 */
void rest_drain(struct rest *rest);

/*
 * Removes the socket, waits for the requests under way, and frees *rest. These wait for the loop:
 * it must still run, or have ended so that control.h's calls fail. NULL is fine.
 */
void rest_stop(struct rest **rest);

#endif
