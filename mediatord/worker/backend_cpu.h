/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the cpu backend share: the mailbox's calls, and those of channels. */
#ifndef VGPU_WORKER_BACKEND_CPU_H
#define VGPU_WORKER_BACKEND_CPU_H

#include "mediatord/worker/backend.h"
#include "mediatord/worker/kernels_cpu.h"
#include "mediatord/worker/memory_cpu.h"

/* CUDA's limits, the same on every GPU since compute capability 3.0. */
#define CPU_THREADS_PER_BLOCK_MAX 1024u
#define CPU_BLOCK_XY_MAX	  1024u
#define CPU_BLOCK_Z_MAX		  64u
#define CPU_GRID_X_MAX		  0x7fffffffu
#define CPU_GRID_YZ_MAX		  65535u
#define CPU_SHARED_BYTES_MAX	  (48u << 10)

struct cpu_event;

struct backend_cpu {
	struct backend backend;
	struct memory_cpu memory;
	cuda_error sticky;
	char fault[sizeof(((struct backend *)NULL)->detail)]; /* where sticky came from */
	/* For channels. */
	bool context;
	struct cpu_event *events;
	uint64_t objects; /* modules and streams made: they are nothing but a number */
};

static inline struct backend_cpu *cpu_of(struct backend *backend)
{
	return (struct backend_cpu *)backend;
}

/* The sticky error, with where it came from, or none. */
cuda_error cpu_sticky(struct backend_cpu *cpu);

/* Where the host has [pointer, pointer + bytes), or the error that a copy gets. */
cuda_error cpu_copy_range(struct backend *backend, uint64_t pointer, uint64_t bytes, void **host);

/* Runs a kernel; its own fault is kept, and is no failure of this call. */
cuda_error cpu_run_kernel(struct backend_cpu *cpu, const struct kernel_cpu *kernel,
			  const struct backend_launch *launch);

/* The jobs' copies, which channels use too: everything is done at once. */
cuda_error cpu_copy_htod(struct backend *backend, uint64_t destination, const void *source,
			 uint64_t bytes);
cuda_error cpu_copy_dtoh(struct backend *backend, void *destination, uint64_t source,
			 uint64_t bytes);
cuda_error cpu_copy_dtod(struct backend *backend, uint64_t destination, uint64_t source,
			 uint64_t bytes);

/* backend_cpu_channel.c */
cuda_error cpu_window_register(struct backend *backend, void *memory, uint64_t bytes);
cuda_error cpu_context_take(struct backend *backend);
cuda_error cpu_context_give_back(struct backend *backend);
cuda_error cpu_device_attribute(struct backend *backend, uint32_t attribute, int32_t *value);
cuda_error cpu_mem_set(struct backend *backend, uint64_t pointer, uint32_t value, uint64_t count,
		       uint32_t width, uint64_t stream);
cuda_error cpu_start_htod(struct backend *backend, uint64_t destination, const void *source,
			  uint64_t bytes, uint64_t stream);
cuda_error cpu_start_dtoh(struct backend *backend, void *destination, uint64_t source,
			  uint64_t bytes, uint64_t stream);
cuda_error cpu_start_dtod(struct backend *backend, uint64_t destination, uint64_t source,
			  uint64_t bytes, uint64_t stream);
cuda_error cpu_module_load(struct backend *backend, const void *image, uint64_t bytes,
			   uint64_t *module);
cuda_error cpu_module_builtin(struct backend *backend, uint64_t *module);
cuda_error cpu_module_unload(struct backend *backend, uint64_t module);
cuda_error cpu_module_function(struct backend *backend, uint64_t module, const char *name,
			       uint64_t *function);
cuda_error cpu_module_global(struct backend *backend, uint64_t module, const char *name,
			     uint64_t *pointer, uint64_t *bytes);
cuda_error cpu_function_attribute(struct backend *backend, uint64_t function, uint32_t attribute,
				  int32_t *value);
cuda_error cpu_function_set_attribute(struct backend *backend, uint64_t function,
				      uint32_t attribute, int32_t value);
cuda_error cpu_function_parameter(struct backend *backend, uint64_t function, uint32_t index,
				  uint64_t *offset, uint64_t *bytes);
cuda_error cpu_start_kernel(struct backend *backend, uint64_t function, uint64_t stream,
			    const struct backend_launch *launch);
cuda_error cpu_stream_create(struct backend *backend, uint32_t flags, int32_t priority,
			     uint64_t *stream);
cuda_error cpu_stream_destroy(struct backend *backend, uint64_t stream);
cuda_error cpu_stream_query(struct backend *backend, uint64_t stream);
cuda_error cpu_stream_wait_event(struct backend *backend, uint64_t stream, uint64_t event);
cuda_error cpu_context_query(struct backend *backend);
cuda_error cpu_event_create(struct backend *backend, uint32_t flags, uint64_t *event);
cuda_error cpu_event_destroy(struct backend *backend, uint64_t event);
cuda_error cpu_event_record(struct backend *backend, uint64_t event, uint64_t stream);
cuda_error cpu_event_query(struct backend *backend, uint64_t event);
cuda_error cpu_event_elapsed(struct backend *backend, uint64_t start, uint64_t end,
			     float *milliseconds);

/* Frees what channels' calls made. */
void cpu_free_events(struct backend_cpu *cpu);

#endif
