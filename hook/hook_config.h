/* SPDX-License-Identifier: Apache-2.0 */
/* The hook's configuration, vgpu-hook.conf(5). */
#ifndef VGPU_HOOK_HOOK_CONFIG_H
#define VGPU_HOOK_HOOK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "common/error.h"

/* Libvirt waits: the hook is to be gone a second after it was started. */
#define HOOK_LIMIT_MS	    950 /* of all that it does */
#define HOOK_TIMEOUT_MS	    900 /* until the mediator has answered */
#define HOOK_TIMEOUT_MS_MIN 10
#define HOOK_TIMEOUT_MS_MAX HOOK_TIMEOUT_MS

struct hook_config {
	bool best_effort; /* a domain starts also where the mediator cannot be asked */
	char control_socket[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	long timeout_ms; /* until the mediator has answered */
};

/* The values that hold where the file does not say. */
void hook_config_defaults(struct hook_config *config);

/*
 * Reads the text of a configuration file over *config. Returns 0, or -1 and err (EINVAL), whose
 * message begins with "NAME:LINE: ".
 */
int hook_config_parse(struct hook_config *config, const char *text, size_t length, const char *name,
		      struct vgpu_error **err);

/*
 * Reads a file over *config; where it is not there and may lack, *config stays. Returns 0, or -1
 * and err. Blocks on the disk.
 */
int hook_config_load(struct hook_config *config, const char *path, bool may_lack,
		     struct vgpu_error **err);

#endif
