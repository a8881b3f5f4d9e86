/* SPDX-License-Identifier: Apache-2.0 */
/* Other programs that `doctor` asks. */
#ifndef VGPU_CTL_PROGRAM_H
#define VGPU_CTL_PROGRAM_H

#include "common/error.h"

/* More output than this is cut off. */
#define PROGRAM_OUTPUT_MAX ((size_t)1 << 20)

/*
 * Runs arguments[0], a path, and waits for its end, at most so long; then it is killed. Its
 * standard input is empty; *output is what it wrote on standard output and standard error, with a
 * terminator, and freed with free(). Returns its exit status (128 + a signal's number), or -1 and
 * err: ETIMEDOUT, or what starting it gave.
 */
int program_run(const char *const arguments[], unsigned int timeout_ms, char **output,
		struct vgpu_error **err);

#endif
