/* SPDX-License-Identifier: Apache-2.0 */
/* The cuda backend's state, for its own files alone: others have backend.h. */
#ifndef VGPU_WORKER_BACKEND_CUDA_H
#define VGPU_WORKER_BACKEND_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mediatord/worker/backend.h"
#include "mediatord/worker/cuda_api.h"
#include "mediatord/worker/cuda_image.h"
#include "mediatord/worker/cuda_memory.h"

#define CUDA_PATHS_MAX 16

/* Handles are addresses of these. */
struct cuda_loaded_function {
	cuda_function function;
	uint64_t parameter_bytes; /* UINT64_MAX where the driver does not tell */
	uint64_t local_bytes;	  /* of each thread */
	struct cuda_loaded_function *next;
};

struct cuda_loaded_module {
	cuda_module module;
	uint64_t charged; /* from the ledger */
	bool free;	  /* the built-in one that a context costs no more with */
	struct cuda_loaded_function *functions;
	struct cuda_loaded_module *next;
};

struct cuda_made_stream {
	cuda_stream stream;
	bool non_blocking; /* the default stream does not wait for it */
	struct cuda_made_stream *next;
};

/*
 * Objects of one kind, streams or events, whose memory the driver takes from the GPU in blocks and
 * keeps until the context's end.
 */
struct cuda_supply {
	uint32_t made;	 /* that exist now, destroyed ones with work included */
	uint32_t blocks; /* charged for those beyond what comes with a context */
};

struct backend_cuda {
	struct backend backend;
	struct cuda_api api;
	cuda_device device;
	/* NULL: given back. All that follows is the context's, and gone with it. */
	cuda_context context;
	cuda_stream housekeeping; /* of ours, non-blocking, of the highest priority */
	struct cuda_memory memory;
	struct cuda_loaded_module *modules;
	struct cuda_loaded_module *builtin; /* one of them, or NULL */
	struct cuda_made_stream *streams;
	struct cuda_made_stream *ended; /* destroyed ones whose work was not done then */
	unsigned int ended_count;
	struct cuda_supply stream_supply, event_supply;
	void *window;
	uint64_t local_bytes;	/* of each thread, that the context holds */
	uint64_t local_charged; /* from the ledger, for what kernels and the driver's functions ask
				 */
	bool driver_functions;	/* the context has memory for them, and it is charged */

	uint64_t threads; /* that the GPU holds at once */
	struct backend_path paths[CUDA_PATHS_MAX];
	char node[32]; /* the GPU's */
};

static inline struct backend_cuda *cuda_of(struct backend *backend)
{
	return (struct backend_cuda *)backend;
}

/* Makes the text of an error that `call` gave, where there is one. Returns it. */
cuda_error cuda_failed(struct backend_cuda *cuda, const char *call, cuda_error error);

/* Takes and gives back memory that is no allocation; see struct backend's ledger. */
cuda_error cuda_charge(struct backend_cuda *cuda, uint64_t bytes, const char *what);
void cuda_refund(struct backend_cuda *cuda, uint64_t bytes);

/*
 * Waits for a stream, or for all of the context. Short waits poll: the driver's own, which sleep,
 * cost some 40 us more.
 */
cuda_error cuda_wait_stream(struct backend_cuda *cuda, cuda_stream stream);
cuda_error cuda_wait(struct backend_cuda *cuda);

/* The built-in kernels' PTX, ended by a zero byte. */
extern const char cuda_builtin_ptx[];

/* A cubin that the driver made of PTX, in the host's memory. */
struct cuda_linked {
	struct cuda_image image; /* borrows from the state */
	cuda_link_state state;
	/* The driver's to write to, as long as there is a state. */
	cuda_jit_option options[2];
	void *values[2];
	char log[192];
};

/* Compiles an image with PTX. *linked is to be ended with cuda_unlink() where it succeeded. */
cuda_error cuda_link(struct backend_cuda *cuda, const struct cuda_image *image,
		     struct cuda_linked *linked);
void cuda_unlink(struct backend_cuda *cuda, struct cuda_linked *linked);

/* What the driver is left without when the context ends: forgets the records of it. */
void cuda_modules_forget(struct backend_cuda *cuda);
void cuda_streams_forget(struct backend_cuda *cuda);
void cuda_supplies_forget(struct backend_cuda *cuda);

/* The calls of struct backend_ops, by file. backend_cuda_memory.c: */
uint64_t cuda_footprint(const struct backend *backend, uint64_t bytes);
cuda_error cuda_mem_alloc(struct backend *backend, uint64_t bytes, uint64_t *pointer);
cuda_error cuda_mem_free(struct backend *backend, uint64_t pointer, uint64_t *footprint);
cuda_error cuda_copy_htod(struct backend *backend, uint64_t destination, const void *source,
			  uint64_t bytes);
cuda_error cuda_copy_dtoh(struct backend *backend, void *destination, uint64_t source,
			  uint64_t bytes);
cuda_error cuda_copy_dtod(struct backend *backend, uint64_t destination, uint64_t source,
			  uint64_t bytes);
cuda_error cuda_window_register(struct backend *backend, void *memory, uint64_t bytes);
cuda_error cuda_mem_set(struct backend *backend, uint64_t pointer, uint32_t value, uint64_t count,
			uint32_t width, uint64_t stream);
cuda_error cuda_start_htod(struct backend *backend, uint64_t destination, const void *source,
			   uint64_t bytes, uint64_t stream);
cuda_error cuda_start_dtoh(struct backend *backend, void *destination, uint64_t source,
			   uint64_t bytes, uint64_t stream);
cuda_error cuda_start_dtod(struct backend *backend, uint64_t destination, uint64_t source,
			   uint64_t bytes, uint64_t stream);

/* backend_cuda_module.c: */
cuda_error cuda_module_load(struct backend *backend, const void *image, uint64_t bytes,
			    uint64_t *module);
cuda_error cuda_module_builtin(struct backend *backend, uint64_t *module);
cuda_error cuda_module_unload(struct backend *backend, uint64_t module);
cuda_error cuda_module_function(struct backend *backend, uint64_t module, const char *name,
				uint64_t *function);
cuda_error cuda_module_global(struct backend *backend, uint64_t module, const char *name,
			      uint64_t *pointer, uint64_t *bytes);
cuda_error cuda_function_attribute_get(struct backend *backend, uint64_t function,
				       uint32_t attribute, int32_t *value);
cuda_error cuda_function_attribute_set(struct backend *backend, uint64_t function,
				       uint32_t attribute, int32_t value);
cuda_error cuda_function_parameter(struct backend *backend, uint64_t function, uint32_t index,
				   uint64_t *offset, uint64_t *bytes);
cuda_error cuda_launch(struct backend *backend, const struct backend_launch *launch);
cuda_error cuda_start_kernel(struct backend *backend, uint64_t function, uint64_t stream,
			     const struct backend_launch *launch);

/* backend_cuda_stream.c: */
cuda_error cuda_stream_create(struct backend *backend, uint32_t flags, int32_t priority,
			      uint64_t *stream);
cuda_error cuda_stream_destroy(struct backend *backend, uint64_t stream);
cuda_error cuda_stream_query(struct backend *backend, uint64_t stream);
cuda_error cuda_stream_wait_event(struct backend *backend, uint64_t stream, uint64_t event);
cuda_error cuda_context_query(struct backend *backend);
cuda_error cuda_event_create(struct backend *backend, uint32_t flags, uint64_t *event);
cuda_error cuda_event_destroy(struct backend *backend, uint64_t event);
cuda_error cuda_event_record(struct backend *backend, uint64_t event, uint64_t stream);
cuda_error cuda_event_query(struct backend *backend, uint64_t event);
cuda_error cuda_event_elapsed(struct backend *backend, uint64_t start, uint64_t end,
			      float *milliseconds);

/* The driver's stream of a handle; 0 is the default stream. */
cuda_stream cuda_stream_of(uint64_t stream);

#endif
