/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of numbers, one a line. */
#ifndef VGPU_AGENT_VECTOR_H
#define VGPU_AGENT_VECTOR_H

#include <stdint.h>
#include <stdio.h>

#include "common/error.h"
#include "guest-agent/agent/number.h"

/* A line's longest; a float has at most some 110 digits that matter. */
#define VECTOR_LINE_MAX 255

/* So that a length fits the kernels' 32 bits. */
#define VECTOR_COUNT_MAX UINT32_MAX

struct vector {
	enum number_type type;
	void *elements; /* NUMBER_BYTES each; owned */
	size_t count;
};

/*
 * Reads a vector from a stream to its end: one number a line, as number_parse() takes it, with
 * blanks around it and lines ended by LF or CR LF; blank lines only at the end; at least one
 * number. `name` is what errors call the stream ("NAME:LINE: what is wrong"). Returns 0 and a
 * vector for vector_free(), or -1 and err, whose status is the exit status: EX_DATAERR, EX_IOERR
 * or EX_OSERR.
 */
int vector_read(FILE *stream, const char *name, enum number_type type, struct vector *vector,
		struct vgpu_error **err);

/* As vector_read(), from a file; "-" is standard input. EX_NOINPUT where it cannot be opened. */
int vector_read_file(const char *path, enum number_type type, struct vector *vector,
		     struct vgpu_error **err);

void vector_free(struct vector *vector);
#define VECTOR_AUTO VGPU_CLEANUP(vector_free)

#endif
