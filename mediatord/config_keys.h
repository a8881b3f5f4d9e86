/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of mediatord.conf: one function for each, which checks its value and stores it. */
#ifndef VGPU_MEDIATORD_CONFIG_KEYS_H
#define VGPU_MEDIATORD_CONFIG_KEYS_H

#include "mediatord/config_file.h"

/* The file as far as it was read. */
struct config_reader {
	struct config *config;
	struct config_file_names *names;
	/* The section that is being read. Indices: appending moves the arrays. */
	enum {
		SECTION_NONE,
		SECTION_MEDIATORD,
		SECTION_POOL,
		SECTION_PROFILE,
		SECTION_SCHEDULER
	} section;
	size_t index;
	uint64_t seen; /* bit n: the section's nth key was there */
	bool mediatord_seen, scheduler_seen;
	struct vgpu_error **err;
};

static inline struct config_pool *config_pool_of(struct config_reader *reader)
{
	return &reader->config->pools[reader->index];
}

static inline struct config_profile *config_profile_of(struct config_reader *reader)
{
	return &reader->config->profiles[reader->index];
}

/* One value into its place. Returns 0, or -1 and err. */
typedef int config_set_function(struct config_reader *reader, const char *value);

struct config_key {
	const char *name;
	config_set_function *set;
};

/* config_listen.c */
config_set_function config_set_listen;
/* That nobody can listen in where REST listens. Returns 0, or -1 and err. */
int config_check_listen(const struct config *config, struct vgpu_error **err);

/* Of each section; a name of NULL ends them. At most 64 keys each. */
extern const struct config_key config_mediatord_keys[], config_pool_keys[], config_profile_keys[],
	config_scheduler_keys[];

#endif
