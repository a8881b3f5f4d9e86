/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files without sections: lines "KEY = VALUE", empty ones, and comments with '#'. */
#ifndef VGPU_COMMON_SETTINGS_H
#define VGPU_COMMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define SETTINGS_KEYS_MAX 32

struct settings_key {
	const char *name;
	/* Takes a value without blanks around it, borrowed. Returns 0, or -1 and err. */
	int (*set)(void *opaque, const char *value, struct vgpu_error **err);
};

/*
 * Calls the keys' functions for a file's text, in its order. Returns 0; or -1 and err, which names
 * the line: what a function returned, or EINVAL for an unknown key, one that is there twice, a line
 * of another form, or bytes that are no text.
 */
int settings_parse(const char *text, size_t length, const char *name,
		   const struct settings_key *keys, size_t count, void *opaque,
		   struct vgpu_error **err);

/*
 * Reads the file at path, a regular one of 64 KiB at most, and parses it. Where `secret`, it must
 * be its reader's or root's, and nobody else may read or write it (a group may read). Returns as
 * settings_parse(), and an errno value where it cannot be read, ENOENT where it is not there.
 */
int settings_load(const char *path, bool secret, const struct settings_key *keys, size_t count,
		  void *opaque, struct vgpu_error **err);

#endif
