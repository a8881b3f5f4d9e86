/* SPDX-License-Identifier: Apache-2.0 */
/* How the text of mediatord.conf becomes values: private to config.c and config_file.c. */
#ifndef VGPU_MEDIATORD_CONFIG_FILE_H
#define VGPU_MEDIATORD_CONFIG_FILE_H

#include "mediatord/config.h"

/* What can be resolved only when the whole file was read; names are "" where not given. */
struct config_file_names {
	char default_pool[VGPU_POOL_NAME_MAX + 1];
	char default_profile[VGPU_PROFILE_NAME_MAX + 1];
	bool has_control_group;
	bool has_context_memory;
	bool has_warm_workers;
};

/* config.c's: a configuration with the built-in values but without pools and profiles, or NULL. */
struct config *config_new(void);
void config_profile_defaults(struct config_profile *profile);
/* config.c's: one more, with built-in values; NULL without memory. Moves the earlier ones. */
struct config_pool *config_pool_append(struct config *config);
struct config_profile *config_profile_append(struct config *config);

/*
 * Puts the text's values into config and names. Returns 0, or -1 and err, whose message begins with
 * "NAME:LINE: ".
 */
int config_file_read(struct config *config, struct config_file_names *names, const char *text,
		     size_t length, const char *name, struct vgpu_error **err);

#endif
