/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service offerings that a file describes, and what is to be done so that CloudStack has them.
 * Pure.
 */
#ifndef VGPU_CLOUDSTACK_OFFERINGS_H
#define VGPU_CLOUDSTACK_OFFERINGS_H

#include <jansson.h>

#include "common/error.h"

#define OFFERINGS_MAX 100

/*
 * Reads {"offerings": [{"name", "displaytext", "parameters": {...}, "details": {"vgpu.*": ...}}]}.
 * Returns the array, to be released; or NULL and err (EINVAL), which says where.
 */
json_t *offerings_read(const char *text, size_t length, struct vgpu_error **err);

enum offering_step_kind {
	OFFERING_CREATE,
	OFFERING_SET,	  /* these details */
	OFFERING_REMOVE,  /* one detail */
	OFFERING_DIFFERS, /* a parameter, which CloudStack cannot change */
};

/* What is to be done about an offering. The strings and objects are borrowed. */
struct offering_step {
	enum offering_step_kind kind;
	const json_t *wanted; /* of the file */
	const char *id;	      /* where it exists */
	const char *name;     /* of a detail or parameter */
	const char *was, *is; /* its values as texts; was is NULL for a new detail */
};

/*
 * Compares an offering of the file with those that CloudStack has, and calls `each` for every step,
 * until it returns not 0. Returns that, or 0; or -1 and err where CloudStack has several of the
 * name.
 */
int offerings_plan(const json_t *wanted, const json_t *there,
		   int (*each)(void *opaque, const struct offering_step *step,
			       struct vgpu_error **err),
		   void *opaque, struct vgpu_error **err);

#endif
