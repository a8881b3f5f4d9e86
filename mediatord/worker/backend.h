/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs a worker's jobs. The calls have the shape of the CUDA driver API, and give its error
 * numbers at the points where it would give them: a kernel's fault is seen by the synchronize()
 * after it and, being sticky, by every call from then on until reset().
 *
 * A worker has one backend, and so one context. One thread calls it. Only synchronize(), the
 * copies and reset() may take as long as kernels run; nothing else waits for them.
 */
#ifndef VGPU_WORKER_BACKEND_H
#define VGPU_WORKER_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/protocol.h"
#include "mediatord/worker/cuda_error.h"

struct backend_info {
	uint32_t id; /* VGPU_BACKEND_* */
	uint32_t multiprocessors;
	uint32_t max_threads_per_block;
	uint32_t compute_capability; /* major << 16 | minor, or 0 */
	uint64_t memory_bytes;	     /* of the GPU */
	/* Address space that the process needs for it, for RLIMIT_AS; 0: it cannot be told. */
	uint64_t address_space_bytes;
	char gpu_name[VGPU_GPU_NAME_BYTES];
};

struct backend_launch {
	const char *name;
	uint32_t grid[3];
	uint32_t block[3];
	uint32_t shared_bytes;
	const uint8_t *arguments; /* of any alignment; valid during the call only */
	uint32_t argument_bytes;
};

/* Every implementation's struct begins with this one. */
struct backend {
	const struct backend_ops *ops;
	struct backend_info info;
	/* What the last call that failed has to add to its error's meaning, or "". */
	char detail[192];
};

struct backend_ops {
	/* As mediatord.conf says it: "cpu", "cuda". */
	const char *name;
	uint32_t id; /* VGPU_BACKEND_* */

	/*
	 * Opens a GPU, by its index. Called before the sandbox closes: files may still be opened.
	 * Returns 0 and *backend, which the caller closes, or -1 and err (ENODEV: no such GPU).
	 */
	int (*open)(uint32_t gpu, struct backend **backend, struct vgpu_error **err);

	/* Frees everything; *backend becomes NULL. NULL is fine. */
	void (*close)(struct backend **backend);

	/*
	 * What an allocation of `bytes` takes from the GPU, in bytes, and so from the VM's quota.
	 * 0 where it could not fit in any memory.
	 */
	uint64_t (*footprint)(const struct backend *backend, uint64_t bytes);

	/* Allocates memory that reads as zero. bytes is not 0. */
	cuda_error (*mem_alloc)(struct backend *backend, uint64_t bytes, uint64_t *pointer);

	/* Frees what mem_alloc() gave; *footprint is what that allocation took. */
	cuda_error (*mem_free)(struct backend *backend, uint64_t pointer, uint64_t *footprint);

	cuda_error (*copy_htod)(struct backend *backend, uint64_t destination, const void *source,
				uint64_t bytes);
	cuda_error (*copy_dtoh)(struct backend *backend, void *destination, uint64_t source,
				uint64_t bytes);
	/* The ranges may overlap. */
	cuda_error (*copy_dtod)(struct backend *backend, uint64_t destination, uint64_t source,
				uint64_t bytes);

	/* Starts a kernel. A fault of the kernel itself is no failure of this call. */
	cuda_error (*launch)(struct backend *backend, const struct backend_launch *launch);

	/* Waits until everything that was started is done. */
	cuda_error (*synchronize)(struct backend *backend);

	/*
	 * Frees every allocation and forgets a sticky error: the context is as new. *footprint is
	 * what the allocations took. A backend that cannot do it in this process gives the error
	 * that remains.
	 */
	cuda_error (*reset)(struct backend *backend, uint64_t *footprint);
};

extern const struct backend_ops backend_cpu;

/* The backend with this number, or NULL where this build has none. */
const struct backend_ops *backend_find(uint32_t id);

/* Fills backend->detail. */
void backend_explain(struct backend *backend, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
