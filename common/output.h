/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An output file that is there in full or not at all: written beside its place under a temporary
 * name, and renamed when all of it is on the disk. An older file stays as it was until then.
 */
#ifndef VGPU_COMMON_OUTPUT_H
#define VGPU_COMMON_OUTPUT_H

#include <stdio.h>

#include "common/error.h"

struct output {
	FILE *stream;	  /* to write to */
	const char *path; /* borrowed */
	char *temporary;  /* NULL where the output is standard output */
};

/* "-" is standard output. Fails with status EX_CANTCREAT. */
int output_open(struct output *output, const char *path, struct vgpu_error **err);

/* Makes the file appear. Fails with status EX_IOERR or EX_CANTCREAT; nothing is left then. */
int output_commit(struct output *output, struct vgpu_error **err);

/* Removes what was not committed. Fine to call twice, and after output_commit(). */
void output_discard(struct output *output);
#define OUTPUT_AUTO VGPU_CLEANUP(output_discard)

#endif
