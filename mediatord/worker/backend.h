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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/protocol.h"
#include "mediatord/worker/cuda_error.h"
#include "mediatord/worker/memory_ledger.h"

struct backend_info {
	uint32_t id; /* VGPU_BACKEND_* */
	uint32_t multiprocessors;
	uint32_t max_threads_per_block;
	uint32_t compute_capability; /* major << 16 | minor, or 0 */
	uint64_t memory_bytes;	     /* of the GPU */
	bool immediate; /* every call returns with its work done: its time is the call's */
	/* Address space that the process needs for it, for RLIMIT_AS; 0: it cannot be told. */
	uint64_t address_space_bytes;
	char gpu_name[VGPU_GPU_NAME_BYTES];
};

/* Flags of open(). */
#define BACKEND_ALLOW_PAGEABLE (1u << 0) /* also where kernels can reach the process's memory */

struct backend_launch {
	const char *name;
	uint32_t grid[3];
	uint32_t block[3];
	uint32_t shared_bytes;
	const uint8_t *arguments; /* of any alignment; valid during the call only */
	uint32_t argument_bytes;
};

/* What the process must still be able to open once it is confined. */
struct backend_path {
	const char *path;
	bool device; /* for reading and writing; else for reading */
};

/* Every implementation's struct begins with this one. */
struct backend {
	const struct backend_ops *ops;
	struct backend_info info;
	const struct backend_path *paths; /* a path of NULL ends them; NULL: none */
	/*
	 * The caller's to set after open(). It grants what the backend takes from the GPU besides
	 * allocations: modules, and the local memory of kernels. Without one such calls are
	 * refused.
	 */
	const struct memory_ledger *ledger;
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
	int (*open)(uint32_t gpu, uint32_t flags, struct backend **backend,
		    struct vgpu_error **err);

	/* Frees everything; *backend becomes NULL. NULL is fine. */
	void (*close)(struct backend **backend);

	/*
	 * What an allocation of `bytes` would take from the GPU now, beyond what is taken already,
	 * and so from the VM's quota. It says nothing of the allocation's extent: small ones may
	 * share memory, and the next then takes 0. UINT64_MAX where it fits in no memory.
	 */
	uint64_t (*footprint)(const struct backend *backend, uint64_t bytes);

	/* Allocates memory that reads as zero. bytes is not 0. */
	cuda_error (*mem_alloc)(struct backend *backend, uint64_t bytes, uint64_t *pointer);

	/*
	 * Frees what mem_alloc() gave; *footprint is what the GPU got back by it: 0 where others
	 * still share the memory. Over all allocations, the sums taken and given back are equal.
	 */
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

	/*
	 * What follows serves channels. The caller has checked every range of device memory against
	 * the channel's own allocations and every range of host memory against its window. Handles
	 * are the backend's, never 0, and each given only to calls of its kind. Stream 0 is the
	 * context's default stream.
	 *
	 * Every call returns when its work was started, as CUDA's asynchronous functions do.
	 */

	/* The channel's window: the host memory of all copies, until the context's end. */
	cuda_error (*window_register)(struct backend *backend, void *memory, uint64_t bytes);

	/* Takes and gives back the context. What cannot be kept over it must not exist then. */
	cuda_error (*context_take)(struct backend *backend);
	cuda_error (*context_give_back)(struct backend *backend);

	/* A CUdevice_attribute of the GPU. */
	cuda_error (*device_attribute)(struct backend *backend, uint32_t attribute, int32_t *value);

	cuda_error (*mem_set)(struct backend *backend, uint64_t pointer, uint32_t value,
			      uint64_t count, uint32_t width, uint64_t stream);
	cuda_error (*start_htod)(struct backend *backend, uint64_t destination, const void *source,
				 uint64_t bytes, uint64_t stream);
	cuda_error (*start_dtoh)(struct backend *backend, void *destination, uint64_t source,
				 uint64_t bytes, uint64_t stream);
	cuda_error (*start_dtod)(struct backend *backend, uint64_t destination, uint64_t source,
				 uint64_t bytes, uint64_t stream);

	/* image: `bytes` of PTX, cubin or fatbin, followed by a zero byte, that nobody changes. */
	cuda_error (*module_load)(struct backend *backend, const void *image, uint64_t bytes,
				  uint64_t *module);
	/* The module of the built-in kernels. */
	cuda_error (*module_builtin)(struct backend *backend, uint64_t *module);
	cuda_error (*module_unload)(struct backend *backend, uint64_t module);
	cuda_error (*module_function)(struct backend *backend, uint64_t module, const char *name,
				      uint64_t *function);
	cuda_error (*module_global)(struct backend *backend, uint64_t module, const char *name,
				    uint64_t *pointer, uint64_t *bytes);
	cuda_error (*function_attribute)(struct backend *backend, uint64_t function,
					 uint32_t attribute, int32_t *value);
	cuda_error (*function_set_attribute)(struct backend *backend, uint64_t function,
					     uint32_t attribute, int32_t value);
	/* CUDA_ERROR_INVALID_VALUE where the kernel has no parameter of that index. */
	cuda_error (*function_parameter)(struct backend *backend, uint64_t function, uint32_t index,
					 uint64_t *offset, uint64_t *bytes);
	cuda_error (*start_kernel)(struct backend *backend, uint64_t function, uint64_t stream,
				   const struct backend_launch *launch);

	cuda_error (*stream_create)(struct backend *backend, uint32_t flags, int32_t priority,
				    uint64_t *stream);
	cuda_error (*stream_destroy)(struct backend *backend, uint64_t stream);
	/* CUDA_SUCCESS, CUDA_ERROR_NOT_READY, or what failed on it. */
	cuda_error (*stream_query)(struct backend *backend, uint64_t stream);
	cuda_error (*stream_wait_event)(struct backend *backend, uint64_t stream, uint64_t event);
	/* CUDA_SUCCESS when all that was started in the context is done, as stream_query(). */
	cuda_error (*context_query)(struct backend *backend);

	cuda_error (*event_create)(struct backend *backend, uint32_t flags, uint64_t *event);
	cuda_error (*event_destroy)(struct backend *backend, uint64_t event);
	cuda_error (*event_record)(struct backend *backend, uint64_t event, uint64_t stream);
	cuda_error (*event_query)(struct backend *backend, uint64_t event);
	cuda_error (*event_elapsed)(struct backend *backend, uint64_t start, uint64_t end,
				    float *milliseconds);
};

extern const struct backend_ops backend_cpu;
extern const struct backend_ops backend_cuda;

/* The backend with this number, or NULL where this build has none. */
const struct backend_ops *backend_find(uint32_t id);

/* Fills backend->detail. */
void backend_explain(struct backend *backend, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
