/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this project uses of CUDA's driver API, declared here so that nothing of the CUDA Toolkit is
 * needed to build, and taken from libcuda.so.1 at run time.
 *
 * Source: CUDA Driver API reference, version 13.0. The names, values and signatures are part of the
 * driver's stable ABI; each function has had the version suffix below since the driver version in
 * the comment. tests/mediatord/check-cuda-api.c compares all of it with cuda.h where that is there.
 */
#ifndef VGPU_WORKER_CUDA_API_H
#define VGPU_WORKER_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/worker/cuda_error.h"

#ifndef CUDA_API_TYPES /* the comparison brings cuda.h's */
#define CUDA_API_TYPES
typedef int cuda_device;		       /* CUdevice */
typedef unsigned long long cuda_pointer;       /* CUdeviceptr */
typedef struct cuda_context_tag *cuda_context; /* CUcontext; the tags are never defined */
typedef struct cuda_module_tag *cuda_module;
typedef struct cuda_function_tag *cuda_function;
typedef struct cuda_stream_tag *cuda_stream;
typedef struct cuda_event_tag *cuda_event;
typedef unsigned int cuda_limit;	       /* CUlimit */
typedef unsigned int cuda_device_attribute;    /* CUdevice_attribute */
typedef unsigned int cuda_function_attribute;  /* CUfunction_attribute */
typedef unsigned int cuda_jit_option;	       /* CUjit_option */
typedef unsigned int cuda_jit_input;	       /* CUjitInputType */
typedef struct cuda_link_tag *cuda_link_state; /* CUlinkState */
#endif

/* CUctx_flags */
#define CUDA_CTX_SCHED_BLOCKING_SYNC 0x04u
#define CUDA_CTX_LMEM_RESIZE_TO_MAX  0x10u

/* CUlimit */
#define CUDA_LIMIT_STACK_SIZE	    0u
#define CUDA_LIMIT_PRINTF_FIFO_SIZE 1u
#define CUDA_LIMIT_MALLOC_HEAP_SIZE 2u

/* CUdevice_attribute */
#define CUDA_ATTRIBUTE_MAX_THREADS_PER_BLOCK	      1u
#define CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT	      16u
#define CUDA_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR 39u
#define CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR	      75u
#define CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR	      76u
#define CUDA_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS	      88u

/* CUfunction_attribute */
#define CUDA_FUNCTION_LOCAL_SIZE_BYTES 3u

/* cuMemHostRegister's flags */
#define CUDA_HOST_REGISTER_PORTABLE  0x01u
#define CUDA_HOST_REGISTER_DEVICEMAP 0x02u

/* CUstream_flags, CUevent_flags */
#define CUDA_STREAM_NON_BLOCKING 0x1u
#define CUDA_EVENT_INTERPROCESS	 0x4u

/* CUjit_option */
#define CUDA_JIT_ERROR_LOG_BUFFER	     5u
#define CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES 6u

/* CUjitInputType */
#define CUDA_JIT_INPUT_PTX	 1u
#define CUDA_JIT_INPUT_FATBINARY 2u

/* cuLaunchKernel's `extra` */
#define CUDA_LAUNCH_PARAM_END		 ((void *)0)
#define CUDA_LAUNCH_PARAM_BUFFER_POINTER ((void *)1)
#define CUDA_LAUNCH_PARAM_BUFFER_SIZE	 ((void *)2)

/*
 * X(member of struct cuda_api, symbol, arguments). All return a CUresult. OPTIONAL ones may be
 * missing, and are NULL then.
 */
#define CUDA_API_FUNCTIONS(X, OPTIONAL)                                                            \
	X(init, cuInit, (unsigned int flags))                                                      \
	X(error_name, cuGetErrorName, (cuda_error error, const char **name))                       \
	X(device_get, cuDeviceGet, (cuda_device * device, int ordinal))                            \
	X(device_count, cuDeviceGetCount, (int *count))                                            \
	X(device_name, cuDeviceGetName, (char *name, int size, cuda_device device))                \
	X(device_memory, cuDeviceTotalMem_v2, (size_t * bytes, cuda_device device))                \
	X(device_attribute, cuDeviceGetAttribute,                                                  \
	  (int *value, cuda_device_attribute attribute, cuda_device device))                       \
	X(device_bus_id, cuDeviceGetPCIBusId, (char *text, int size, cuda_device device))          \
	X(context_create, cuCtxCreate_v2,                                                          \
	  (cuda_context * context, unsigned int flags, cuda_device device))                        \
	X(context_destroy, cuCtxDestroy_v2, (cuda_context context))                                \
	X(context_set_limit, cuCtxSetLimit, (cuda_limit limit, size_t value))                      \
	X(context_synchronize, cuCtxSynchronize, (void))                                           \
	X(stream_priorities, cuCtxGetStreamPriorityRange, (int *least, int *greatest))             \
	X(mem_alloc, cuMemAlloc_v2, (cuda_pointer * pointer, size_t bytes))                        \
	X(mem_free, cuMemFree_v2, (cuda_pointer pointer))                                          \
	X(set_8, cuMemsetD8Async,                                                                  \
	  (cuda_pointer pointer, unsigned char value, size_t count, cuda_stream stream))           \
	X(set_16, cuMemsetD16Async,                                                                \
	  (cuda_pointer pointer, unsigned short value, size_t count, cuda_stream stream))          \
	X(set_32, cuMemsetD32Async,                                                                \
	  (cuda_pointer pointer, unsigned int value, size_t count, cuda_stream stream))            \
	X(copy_htod, cuMemcpyHtoD_v2,                                                              \
	  (cuda_pointer destination, const void *source, size_t bytes))                            \
	X(copy_dtoh, cuMemcpyDtoH_v2, (void *destination, cuda_pointer source, size_t bytes))      \
	X(start_htod, cuMemcpyHtoDAsync_v2,                                                        \
	  (cuda_pointer destination, const void *source, size_t bytes, cuda_stream stream))        \
	X(start_dtoh, cuMemcpyDtoHAsync_v2,                                                        \
	  (void *destination, cuda_pointer source, size_t bytes, cuda_stream stream))              \
	X(start_dtod, cuMemcpyDtoDAsync_v2,                                                        \
	  (cuda_pointer destination, cuda_pointer source, size_t bytes, cuda_stream stream))       \
	X(host_register, cuMemHostRegister_v2, (void *memory, size_t bytes, unsigned int flags))   \
	X(host_unregister, cuMemHostUnregister, (void *memory))                                    \
	X(link_create, cuLinkCreate_v2,                                                            \
	  (unsigned int option_count, cuda_jit_option *options, void **values,                     \
	   cuda_link_state *state))                                                                \
	X(link_add, cuLinkAddData_v2,                                                              \
	  (cuda_link_state state, cuda_jit_input type, void *data, size_t bytes, const char *name, \
	   unsigned int option_count, cuda_jit_option *options, void **values))                    \
	X(link_complete, cuLinkComplete, (cuda_link_state state, void **cubin, size_t *bytes))     \
	X(link_destroy, cuLinkDestroy, (cuda_link_state state))                                    \
	X(module_load, cuModuleLoadDataEx,                                                         \
	  (cuda_module * module, const void *image, unsigned int option_count,                     \
	   cuda_jit_option *options, void **values))                                               \
	X(module_unload, cuModuleUnload, (cuda_module module))                                     \
	X(module_function, cuModuleGetFunction,                                                    \
	  (cuda_function * function, cuda_module module, const char *name))                        \
	X(module_global, cuModuleGetGlobal_v2,                                                     \
	  (cuda_pointer * pointer, size_t * bytes, cuda_module module, const char *name))          \
	X(function_attribute, cuFuncGetAttribute,                                                  \
	  (int *value, cuda_function_attribute attribute, cuda_function function))                 \
	X(function_set_attribute, cuFuncSetAttribute,                                              \
	  (cuda_function function, cuda_function_attribute attribute, int value))                  \
	OPTIONAL(function_parameter, cuFuncGetParamInfo, /* driver 550 */                          \
		 (cuda_function function, size_t index, size_t * offset, size_t * bytes))          \
	X(launch, cuLaunchKernel,                                                                  \
	  (cuda_function function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,  \
	   unsigned int block_x, unsigned int block_y, unsigned int block_z,                       \
	   unsigned int shared_bytes, cuda_stream stream, void **parameters, void **extra))        \
	X(stream_create, cuStreamCreateWithPriority,                                               \
	  (cuda_stream * stream, unsigned int flags, int priority))                                \
	X(stream_destroy, cuStreamDestroy_v2, (cuda_stream stream))                                \
	X(stream_query, cuStreamQuery, (cuda_stream stream))                                       \
	X(stream_synchronize, cuStreamSynchronize, (cuda_stream stream))                           \
	X(stream_wait_event, cuStreamWaitEvent,                                                    \
	  (cuda_stream stream, cuda_event event, unsigned int flags))                              \
	X(event_create, cuEventCreate, (cuda_event * event, unsigned int flags))                   \
	X(event_destroy, cuEventDestroy_v2, (cuda_event event))                                    \
	X(event_record, cuEventRecord, (cuda_event event, cuda_stream stream))                     \
	X(event_query, cuEventQuery, (cuda_event event))                                           \
	X(event_elapsed, cuEventElapsedTime,                                                       \
	  (float *milliseconds, cuda_event start, cuda_event end))

#ifndef CUDA_API_CHECK /* the comparison wants the list alone */
#define CUDA_API_MEMBER(member, symbol, arguments) cuda_error(*member) arguments;
struct cuda_api {
	void *library;
	CUDA_API_FUNCTIONS(CUDA_API_MEMBER, CUDA_API_MEMBER)
};
#undef CUDA_API_MEMBER

/*
 * What is loaded: "libcuda.so.1". A test that links this may set another path before it opens a
 * backend; nothing of a worker's command line or environment does.
 */
extern const char *cuda_api_library;

/*
 * Loads the driver's library, after the process's environment was set so that the driver joins no
 * MPS server, keeps no cache of compiled kernels, and sees the GPU of this index (in PCI order)
 * alone. Needs a process without a second thread. Returns 0, or -1 and err: ENOENT where there is
 * no driver, ENOTSUP where it lacks a function.
 */
int cuda_api_load(struct cuda_api *api, uint32_t gpu, struct vgpu_error **err);

/* Unloads it. Its functions must not be called any more. */
void cuda_api_unload(struct cuda_api *api);
#endif

#endif
