/* SPDX-License-Identifier: Apache-2.0 */
/* Which profile a domain without a seat gets by what its XML says: an operator's file. */
#ifndef VGPU_CLOUDSTACK_PROFILES_H
#define VGPU_CLOUDSTACK_PROFILES_H

#include <stdbool.h>

#include <jansson.h>

#include "common/error.h"
#include "xml/offering.h"

struct profiles {
	json_t *file;			     /* or NULL: there is none */
	const json_t *offerings, *host_tags; /* objects, profiles under names; or NULL */
	bool extraconfig;		     /* a vGPU that other metadata asks for is put in */
};

/*
 * Reads a file, {"offerings": {NAME: PROFILE}, "host_tags": {TAG: PROFILE}, "extraconfig": BOOL},
 * of which each part may be left out; one that is not there is an empty one. Returns 0 and
 * *profiles, or -1 and err.
 */
int profiles_load(struct profiles *profiles, const char *path, struct vgpu_error **err);

void profiles_clear(struct profiles *profiles);
#define PROFILES_AUTO VGPU_CLEANUP(profiles_clear)

/*
 * The profile of an offering's name, or else of its host tags: *profile, borrowed, or NULL. Returns
 * 0, or -1 and err (EINVAL: its tags have several).
 */
int profiles_find(const struct profiles *profiles, const struct offering_names *names,
		  const char **profile, struct vgpu_error **err);

#endif
