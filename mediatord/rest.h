/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's face: HTTP/1.1 with JSON on a Unix socket. data/openapi.yaml describes it.
 * It has threads of its own; handlers may wait for disk and loop, never for libvirt.
 */
#ifndef VGPU_MEDIATORD_REST_H
#define VGPU_MEDIATORD_REST_H

#include "common/error.h"
#include "mediatord/config.h"
#include "mediatord/control.h"
#include "mediatord/registry.h"

struct rest;

/*
 * Binds config's control socket, which only root and the control group may use, and serves on it.
 * All three stay the caller's and must live longer. A socket that an ended mediator left behind is
 * replaced: the caller holds the lock that says it has ended. Call it after registry_start().
 * Returns 0 and *rest, or -1 and err with an errno value.
 */
int rest_start(const struct config *config, struct registry *registry, struct control *control,
	       struct rest **rest, struct vgpu_error **err);

/*
 * Removes the socket, waits for the requests under way, and frees *rest. These wait for the loop:
 * it must still run, or have ended so that control.h's calls fail. NULL is fine.
 */
void rest_stop(struct rest **rest);

#endif
