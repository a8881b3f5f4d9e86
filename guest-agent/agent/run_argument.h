/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's arguments as `vgpu-agent run` takes them on its command line. */
#ifndef VGPU_AGENT_RUN_ARGUMENT_H
#define VGPU_AGENT_RUN_ARGUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

enum run_kind {
	RUN_I32,
	RUN_I64,
	RUN_F32,
	RUN_F64,
	RUN_IN,
	RUN_OUT,
	RUN_INOUT,
};

struct run_argument {
	enum run_kind kind;
	uint8_t value[8]; /* of a number, as the kernel gets it */
	char *path;	  /* of a file; owned */
	uint64_t bytes;	  /* of the buffer: given for RUN_OUT, else the file's, once it is known */
};

/*
 * "i32:N", "i64:N", "f32:X", "f64:X", "in:FILE", "out:FILE:BYTES", "inout:FILE". Returns 0, or -1
 * and err with status EX_USAGE.
 */
int run_argument_parse(const char *text, struct run_argument *argument, struct vgpu_error **err);
void run_argument_free(struct run_argument *argument);

/* How many bytes it takes among the parameters: 4 or 8. */
uint32_t run_argument_size(const struct run_argument *argument);

static inline bool run_argument_is_file(const struct run_argument *argument)
{
	return argument->kind >= RUN_IN;
}

/* "X", "X,Y" or "X,Y,Z", whole numbers from 1 to `most`; what is not given is 1. -1: it is not. */
int run_dimensions_parse(const char *text, uint32_t most, uint32_t dimensions[3]);

#endif
