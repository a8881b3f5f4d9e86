/* SPDX-License-Identifier: Apache-2.0 */
/* What backend-check's files share. */
#ifndef VGPU_TESTS_GPU_BACKEND_CHECK_H
#define VGPU_TESTS_GPU_BACKEND_CHECK_H

#include "mediatord/worker/backend.h"
#include "mediatord/worker/backend_cuda.h"

#define MIB    (UINT64_C(1) << 20)
#define WINDOW (UINT64_C(1) << 30)

static const struct backend_ops *const ops = &backend_cuda;
extern struct backend *gpu;
extern uint8_t *window; /* WINDOW bytes */

/* The backend's calls, which must work. */
uint64_t alloc(uint64_t bytes);
void give(uint64_t pointer);
void wait_stream(uint64_t stream);
uint64_t function_of(uint64_t module, const char *name);

cuda_error start(uint64_t function, uint64_t stream, uint32_t grid, uint32_t block,
		 const void *arguments, uint32_t bytes);
void fill_random(void *memory, uint64_t bytes);
void *read_file(const char *folder, const char *name, uint64_t *bytes);

/* Times ours beside the driver's own calls, and prints a table. */
void measure(const char *folder);

#endif
