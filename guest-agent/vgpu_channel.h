/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: the way of tenants' programs to the GPU, in the shape of the CUDA driver API. A channel
 * is a pair of rings and a data window in memory that is shared with the process on the host that
 * works for it, and that works for nobody else. Device memory, modules, streams and events belong
 * to their channel, and are gone when it is closed or its process dies.
 *
 * vgpu.h includes this header; see there for errors and text. In addition:
 *
 * CUDA's errors: a function returns VGPU_E_CUDA, and vgpu_last_error_detail() gives CUDA's own
 * number, which vgpu_cuda_error_name() names.
 *
 * Started work: functions whose names end in _async, vgpu_channel_launch(), vgpu_channel_mem_set(),
 * vgpu_channel_event_record() and vgpu_channel_stream_wait_event() submit their work and return
 * without an answer. What was wrong with it is returned by the next function that says that it
 * waits, as with CUDA, once; what broke the context stays. A channel opened with VGPU_CHANNEL_CHECK
 * waits for each submission's answer, which tells the place of a mistake.
 *
 * Threads: any number of threads may use one channel; one that waits keeps no other from
 * submitting. Close it after the last of them has returned.
 *
 * Blocking: a function waits for its answer for at most the handle's timeout (vgpu_open()'s), and
 * then returns VGPU_E_TIMEOUT; what it asked for may still be done. A function that "waits for the
 * GPU" is answered when the work before it has ended, so choose the timeout with this in mind.
 *
 * A channel that broke returns VGPU_E_CONTEXT_LOST, or why it broke, from every function. Close it
 * then and open another.
 *
 * The host's mediator may be restarted: an open channel does not notice. While it is away,
 * vgpu_channel_open() returns VGPU_E_UNAVAILABLE. What needs device memory (loading a module, too)
 * waits for it, for the handle's timeout at most. vgpu_channel_close() returns, but what the
 * channel held is free only when the mediator is there again. A channel whose process on the host
 * is killed meanwhile gives no answer until then: VGPU_E_TIMEOUT before, VGPU_E_CONTEXT_LOST after.
 */
#ifndef VGPU_CHANNEL_H
#define VGPU_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A channel, opened. */
struct vgpu_channel;

/* Handles are numbers of their channel, never 0. */
typedef uint32_t vgpu_module;
typedef uint32_t vgpu_function;
typedef uint32_t vgpu_stream; /* 0: the default stream */
typedef uint32_t vgpu_event;

/* For vgpu_channel_open(): each submission is answered before its function returns. */
#define VGPU_CHANNEL_CHECK (1u << 0)

#define VGPU_CHANNEL_WINDOW_DEFAULT (UINT64_C(32) << 20)

/*
 * Opens a channel; the host starts its process, which can take a second or so for CUDA's context.
 *
 *   entries       of each ring: a power of two from 16 to 4096; 0: 256
 *   window_bytes  that vgpu_host_alloc() can give, rounded up to 4096;
 *                 0: VGPU_CHANNEL_WINDOW_DEFAULT. The library adds up to 8.1 MiB for its own use,
 *                 and the VM's window quota counts all of it
 *   flags         0 or VGPU_CHANNEL_CHECK
 *   channel       set to the channel, which the caller closes; NULL on failure
 *
 * VGPU_E_UNAVAILABLE where there is no mediator, VGPU_E_CHANNEL_LIMIT where the VM has as many as
 * it may, VGPU_E_WINDOW_LIMIT where its quota or the device's memory has no room for the window,
 * VGPU_E_UNSUPPORTED where the device has no channels, and as vgpu_open().
 */
VGPU_API enum vgpu_result vgpu_channel_open(struct vgpu *vgpu, uint32_t entries,
					    uint64_t window_bytes, unsigned int flags,
					    struct vgpu_channel **channel);

/* Closes a channel and frees what it had. vgpu_close() closes those left open. NULL is fine. */
VGPU_API void vgpu_channel_close(struct vgpu_channel *channel);

/*
 * The window: memory of this process that the GPU reads and writes directly. *bytes is its size.
 * Offset 0 of the window, for vgpu_channel_submit(), is its first byte.
 */
VGPU_API void *vgpu_channel_window(struct vgpu_channel *channel, uint64_t *bytes);

/*
 * Allocates bytes of the window, at least one, aligned to 256: what CUDA calls pinned memory.
 * Copies between it and the device need no copy on the way. vgpu_host_free() frees what
 * vgpu_host_alloc() gave; NULL is fine. VGPU_E_NO_MEMORY where no part of the window is large
 * enough.
 *
 * In a virtual machine the processor's own reads from this memory can be slow: the machine maps it
 * write-combining. Write it in order, and copy what is read more than once.
 */
VGPU_API enum vgpu_result vgpu_host_alloc(struct vgpu_channel *channel, uint64_t bytes,
					  void **pointer);
VGPU_API void vgpu_host_free(struct vgpu_channel *channel, void *pointer);

/* The round trip to the worker and back. */
VGPU_API enum vgpu_result vgpu_channel_nop(struct vgpu_channel *channel);

/* The GPU, and a CUdevice_attribute of it. */
VGPU_API enum vgpu_result vgpu_channel_device_info(struct vgpu_channel *channel,
						   struct vgpu_device_info *info);
VGPU_API enum vgpu_result vgpu_channel_device_attribute(struct vgpu_channel *channel,
							uint32_t attribute, int32_t *value);

/* Allocates bytes of device memory, at least one, that reads as zero; frees it. 0 is fine. */
VGPU_API enum vgpu_result vgpu_channel_mem_alloc(struct vgpu_channel *channel, uint64_t bytes,
						 vgpu_pointer *pointer);
VGPU_API enum vgpu_result vgpu_channel_mem_free(struct vgpu_channel *channel, vgpu_pointer pointer);

/* What the VM's quota has left, and what it is: all its channels count. */
VGPU_API enum vgpu_result vgpu_channel_mem_info(struct vgpu_channel *channel, uint64_t *free_bytes,
						uint64_t *total_bytes);

/* Sets count elements of `width` bytes (1, 2 or 4) to value. Only starts it. */
VGPU_API enum vgpu_result vgpu_channel_mem_set(struct vgpu_channel *channel, vgpu_pointer pointer,
					       uint32_t value, uint32_t width, uint64_t count,
					       vgpu_stream stream);

/*
 * Copy bytes, any number, on the default stream, and wait for the GPU. Host memory may be any
 * memory of the process; only that of the window is moved without a copy on the way. After a
 * failure part of the destination may be written.
 */
VGPU_API enum vgpu_result vgpu_channel_copy_to_device(struct vgpu_channel *channel,
						      vgpu_pointer destination, const void *source,
						      uint64_t bytes);
VGPU_API enum vgpu_result vgpu_channel_copy_from_device(struct vgpu_channel *channel,
							void *destination, vgpu_pointer source,
							uint64_t bytes);
VGPU_API enum vgpu_result vgpu_channel_copy_on_device(struct vgpu_channel *channel,
						      vgpu_pointer destination, vgpu_pointer source,
						      uint64_t bytes);

/*
 * Start a copy on a stream. Window memory must stay as it is until the stream was synchronised.
 * Other memory is copied on the way: a source may be used again when the function returns, and a
 * destination holds the bytes then, so copying to one waits for the GPU.
 */
VGPU_API enum vgpu_result vgpu_channel_copy_to_device_async(struct vgpu_channel *channel,
							    vgpu_pointer destination,
							    const void *source, uint64_t bytes,
							    vgpu_stream stream);
VGPU_API enum vgpu_result vgpu_channel_copy_from_device_async(struct vgpu_channel *channel,
							      void *destination,
							      vgpu_pointer source, uint64_t bytes,
							      vgpu_stream stream);
VGPU_API enum vgpu_result vgpu_channel_copy_on_device_async(struct vgpu_channel *channel,
							    vgpu_pointer destination,
							    vgpu_pointer source, uint64_t bytes,
							    vgpu_stream stream);

/* Loads a module from `bytes` of PTX text, cubin or fatbin. */
VGPU_API enum vgpu_result vgpu_channel_module_load(struct vgpu_channel *channel, const void *image,
						   uint64_t bytes, vgpu_module *module);
/* The module of the kernels that every host has: docs/device-spec.md lists them. */
VGPU_API enum vgpu_result vgpu_channel_module_builtin(struct vgpu_channel *channel,
						      vgpu_module *module);
VGPU_API enum vgpu_result vgpu_channel_module_unload(struct vgpu_channel *channel,
						     vgpu_module module);
/* A kernel, and a global variable, by name. */
VGPU_API enum vgpu_result vgpu_channel_module_function(struct vgpu_channel *channel,
						       vgpu_module module, const char *name,
						       vgpu_function *function);
VGPU_API enum vgpu_result vgpu_channel_module_global(struct vgpu_channel *channel,
						     vgpu_module module, const char *name,
						     vgpu_pointer *pointer, uint64_t *bytes);

/* A CUfunction_attribute; and where a kernel's parameter lies in the parameter block. */
VGPU_API enum vgpu_result vgpu_channel_function_attribute(struct vgpu_channel *channel,
							  vgpu_function function,
							  uint32_t attribute, int32_t *value);
VGPU_API enum vgpu_result vgpu_channel_function_set_attribute(struct vgpu_channel *channel,
							      vgpu_function function,
							      uint32_t attribute, int32_t value);
/* VGPU_E_CUDA with CUDA_ERROR_INVALID_VALUE (1) where the kernel has no parameter of this index. */
VGPU_API enum vgpu_result vgpu_channel_function_parameter(struct vgpu_channel *channel,
							  vgpu_function function, uint32_t index,
							  uint64_t *offset, uint64_t *bytes);

/*
 * Starts a kernel.
 *
 *   grid, block     blocks of the grid and threads of a block, in x, y and z; none may be 0
 *   shared_bytes    dynamic shared memory of each block
 *   parameters      the kernel's parameters as it has them in memory: as in a C struct, each at
 *                   its natural alignment; copied. At most 4096 bytes
 */
VGPU_API enum vgpu_result vgpu_channel_launch(struct vgpu_channel *channel, vgpu_function function,
					      const uint32_t grid[3], const uint32_t block[3],
					      uint32_t shared_bytes, vgpu_stream stream,
					      const void *parameters, size_t parameter_bytes);

#define VGPU_STREAM_NON_BLOCKING  1u /* CU_STREAM_NON_BLOCKING */
#define VGPU_EVENT_DISABLE_TIMING 2u /* CU_EVENT_DISABLE_TIMING */

/* priority: as CUDA's, 0 or less; a lower number goes first. */
VGPU_API enum vgpu_result vgpu_channel_stream_create(struct vgpu_channel *channel, uint32_t flags,
						     int32_t priority, vgpu_stream *stream);
VGPU_API enum vgpu_result vgpu_channel_stream_destroy(struct vgpu_channel *channel,
						      vgpu_stream stream);
/* Whether all that was started on it has ended; *done is 0 or 1. */
VGPU_API enum vgpu_result vgpu_channel_stream_query(struct vgpu_channel *channel,
						    vgpu_stream stream, int *done);
/* Waits for the GPU. */
VGPU_API enum vgpu_result vgpu_channel_stream_synchronize(struct vgpu_channel *channel,
							  vgpu_stream stream);
/* What is started on the stream from now on begins after the event. */
VGPU_API enum vgpu_result vgpu_channel_stream_wait_event(struct vgpu_channel *channel,
							 vgpu_stream stream, vgpu_event event);

VGPU_API enum vgpu_result vgpu_channel_event_create(struct vgpu_channel *channel, uint32_t flags,
						    vgpu_event *event);
VGPU_API enum vgpu_result vgpu_channel_event_destroy(struct vgpu_channel *channel,
						     vgpu_event event);
VGPU_API enum vgpu_result vgpu_channel_event_record(struct vgpu_channel *channel, vgpu_event event,
						    vgpu_stream stream);
VGPU_API enum vgpu_result vgpu_channel_event_query(struct vgpu_channel *channel, vgpu_event event,
						   int *done);
/* Waits for the GPU. */
VGPU_API enum vgpu_result vgpu_channel_event_synchronize(struct vgpu_channel *channel,
							 vgpu_event event);
/* Milliseconds of the GPU's clock between two events that have ended. */
VGPU_API enum vgpu_result vgpu_channel_event_elapsed(struct vgpu_channel *channel, vgpu_event start,
						     vgpu_event end, float *milliseconds);

/* Waits for the GPU: all that the channel has started. */
VGPU_API enum vgpu_result vgpu_channel_synchronize(struct vgpu_channel *channel);

/* The name that cuda.h has for an error, "CUDA_ERROR_OUT_OF_MEMORY", and what it means. Static. */
VGPU_API const char *vgpu_cuda_error_name(uint32_t error);
VGPU_API const char *vgpu_cuda_error_text(uint32_t error);

/*
 * The rings as they are: docs/device-spec.md specifies the operations, their arguments and results.
 */
#define VGPU_RING_NOP			 0x0000u
#define VGPU_RING_DEVICE_INFO		 0x0001u
#define VGPU_RING_DEVICE_ATTRIBUTE	 0x0002u
#define VGPU_RING_MEM_ALLOC		 0x0010u
#define VGPU_RING_MEM_FREE		 0x0011u
#define VGPU_RING_MEM_INFO		 0x0012u
#define VGPU_RING_MEM_SET		 0x0013u
#define VGPU_RING_COPY_HTOD		 0x0014u
#define VGPU_RING_COPY_DTOH		 0x0015u
#define VGPU_RING_COPY_DTOD		 0x0016u
#define VGPU_RING_MODULE_LOAD		 0x0020u
#define VGPU_RING_MODULE_BUILTIN	 0x0021u
#define VGPU_RING_MODULE_UNLOAD		 0x0022u
#define VGPU_RING_MODULE_FUNCTION	 0x0023u
#define VGPU_RING_MODULE_GLOBAL		 0x0024u
#define VGPU_RING_FUNCTION_ATTRIBUTE	 0x0025u
#define VGPU_RING_FUNCTION_SET_ATTRIBUTE 0x0026u
#define VGPU_RING_FUNCTION_PARAMETER	 0x0027u
#define VGPU_RING_LAUNCH		 0x0030u
#define VGPU_RING_STREAM_CREATE		 0x0040u
#define VGPU_RING_STREAM_DESTROY	 0x0041u
#define VGPU_RING_STREAM_QUERY		 0x0042u
#define VGPU_RING_STREAM_SYNCHRONIZE	 0x0043u
#define VGPU_RING_STREAM_WAIT_EVENT	 0x0044u
#define VGPU_RING_EVENT_CREATE		 0x0050u
#define VGPU_RING_EVENT_DESTROY		 0x0051u
#define VGPU_RING_EVENT_RECORD		 0x0052u
#define VGPU_RING_EVENT_QUERY		 0x0053u
#define VGPU_RING_EVENT_SYNCHRONIZE	 0x0054u
#define VGPU_RING_EVENT_ELAPSED		 0x0055u
#define VGPU_RING_CONTEXT_SYNCHRONIZE	 0x0060u

#define VGPU_SUBMIT_NO_REPLY (1u << 0) /* not answered; an error surfaces at the next wait */

/* result[0] where status is 2, CUDA's OUT_OF_MEMORY. */
#define VGPU_MEMORY_QUOTA 1u /* the VM's quota has no room; 0: the GPU or the worker has none */

struct vgpu_operation {
	uint16_t opcode; /* VGPU_RING_* */
	uint16_t flags;	 /* 0 or VGPU_SUBMIT_NO_REPLY */
	uint32_t state;	 /* the library's: not 0 until it is answered */
	uint64_t argument[6];
	uint64_t result[2]; /* when it is answered */
	uint32_t status;    /* when it is answered: CUDA's error number, 0 for success */
	uint32_t slot;	    /* the library's */
	uint64_t reserved;  /* 0 */
};

/*
 * Submits operations, in order, under one doorbell. Waits only where a ring is full. The struct of
 * one that is to be answered must stay where it is until vgpu_channel_wait() returned for it. On
 * failure, those whose state is 0 were not submitted or need no answer.
 */
VGPU_API enum vgpu_result vgpu_channel_submit(struct vgpu_channel *channel,
					      struct vgpu_operation *operations, size_t count);

/*
 * Waits until all of these are answered. VGPU_OK where all succeeded; otherwise VGPU_E_CUDA with
 * the status of the first that did not. After VGPU_E_TIMEOUT their structs are not used any more.
 */
VGPU_API enum vgpu_result vgpu_channel_wait(struct vgpu_channel *channel,
					    struct vgpu_operation *operations, size_t count);

/* Takes the answers that are there, without waiting: sets the states of their operations to 0. */
VGPU_API enum vgpu_result vgpu_channel_poll(struct vgpu_channel *channel);

#ifdef __cplusplus
}
#endif

#endif
