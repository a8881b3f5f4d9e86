/* SPDX-License-Identifier: Apache-2.0 */
/* The values of VMs and profiles as an operator writes them: KEY=VALUE, as in mediatord.conf. */
#ifndef VGPU_CTL_VALUES_H
#define VGPU_CTL_VALUES_H

#include <stdbool.h>

#include <jansson.h>

#include "common/error.h"
#include "mediatord/ctl/show.h"

struct value_key {
	const char *name; /* "gpu-memory" */
	const char *path; /* "quotas.gpu_memory_bytes" */
	enum show_kind kind;
	bool number;  /* of a SHOW_PLAIN: not a text */
	bool vm_only; /* a profile has none */
	bool profile_only;
	bool limit; /* 0 is "no limit" */
};

/* All of them, ended by a NULL name. */
extern const struct value_key value_keys[];

/*
 * Adds one "KEY=VALUE" to the body of a PUT or a PATCH. "KEY=" takes the value back, which only a
 * patch may (as null). Returns 0, or -1 and err (EINVAL, ENOMEM).
 */
int values_add(json_t *body, const char *assignment, bool of_profile, bool patch,
	       struct vgpu_error **err);

/* Adds the key's value in a VM or a profile as a cell. */
void values_cell(struct table *table, const json_t *json, const struct value_key *key);

#endif
