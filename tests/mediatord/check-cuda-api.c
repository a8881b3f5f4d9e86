/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares cuda_api.h and cuda_error.h with the CUDA Toolkit's cuda.h: it is enough that this
 * compiles. Built by check-cuda-api.sh where there is a cuda.h.
 */
/* Declares the versions of functions that are no longer the newest too. */
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <stdint.h>

/* The types of the list become cuda.h's. */
#define CUDA_API_CHECK
#define CUDA_API_TYPES
#include "mediatord/worker/cuda_api.h"

#define cuda_error		CUresult
#define cuda_device		CUdevice
#define cuda_pointer		CUdeviceptr
#define cuda_context		CUcontext
#define cuda_module		CUmodule
#define cuda_function		CUfunction
#define cuda_stream		CUstream
#define cuda_event		CUevent
#define cuda_limit		CUlimit
#define cuda_device_attribute	CUdevice_attribute
#define cuda_function_attribute CUfunction_attribute
#define cuda_jit_option		CUjit_option
#define cuda_jit_input		CUjitInputType
#define cuda_link_state		CUlinkState

/* Ours are declared with the same machine types. */
_Static_assert(sizeof(CUresult) == sizeof(uint32_t), "CUresult");
_Static_assert(sizeof(CUdevice) == sizeof(int), "CUdevice");
_Static_assert(sizeof(CUdeviceptr) == sizeof(unsigned long long), "CUdeviceptr");
_Static_assert(sizeof(CUcontext) == sizeof(void *), "CUcontext");
_Static_assert(sizeof(CUlimit) == sizeof(unsigned int), "CUlimit");
_Static_assert(sizeof(CUdevice_attribute) == sizeof(unsigned int), "CUdevice_attribute");
_Static_assert(sizeof(CUfunction_attribute) == sizeof(unsigned int), "CUfunction_attribute");
_Static_assert(sizeof(CUjit_option) == sizeof(unsigned int), "CUjit_option");
_Static_assert(sizeof(CUjitInputType) == sizeof(unsigned int), "CUjitInputType");

#define SAME(member, symbol, arguments)                                                            \
	_Static_assert(__builtin_types_compatible_p(__typeof__(symbol), CUresult arguments),       \
		       #symbol);
CUDA_API_FUNCTIONS(SAME, SAME)

#define EQUAL(ours, theirs) _Static_assert((ours) == (theirs), #theirs)
EQUAL(CUDA_CTX_SCHED_BLOCKING_SYNC, CU_CTX_SCHED_BLOCKING_SYNC);
EQUAL(CUDA_CTX_LMEM_RESIZE_TO_MAX, CU_CTX_LMEM_RESIZE_TO_MAX);
EQUAL(CUDA_LIMIT_STACK_SIZE, CU_LIMIT_STACK_SIZE);
EQUAL(CUDA_LIMIT_PRINTF_FIFO_SIZE, CU_LIMIT_PRINTF_FIFO_SIZE);
EQUAL(CUDA_LIMIT_MALLOC_HEAP_SIZE, CU_LIMIT_MALLOC_HEAP_SIZE);
EQUAL(CUDA_ATTRIBUTE_MAX_THREADS_PER_BLOCK, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
EQUAL(CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
EQUAL(CUDA_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,
      CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
EQUAL(CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
EQUAL(CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
EQUAL(CUDA_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS);
EQUAL(CUDA_FUNCTION_LOCAL_SIZE_BYTES, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
EQUAL(CUDA_HOST_REGISTER_PORTABLE, CU_MEMHOSTREGISTER_PORTABLE);
EQUAL(CUDA_HOST_REGISTER_DEVICEMAP, CU_MEMHOSTREGISTER_DEVICEMAP);
EQUAL(CUDA_STREAM_NON_BLOCKING, CU_STREAM_NON_BLOCKING);
EQUAL(CUDA_EVENT_INTERPROCESS, CU_EVENT_INTERPROCESS);
EQUAL(CUDA_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER);
EQUAL(CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
EQUAL(CUDA_JIT_INPUT_PTX, CU_JIT_INPUT_PTX);
EQUAL(CUDA_JIT_INPUT_FATBINARY, CU_JIT_INPUT_FATBINARY);
EQUAL((uintptr_t)CUDA_LAUNCH_PARAM_END, (uintptr_t)CU_LAUNCH_PARAM_END_AS_INT);
EQUAL((uintptr_t)CUDA_LAUNCH_PARAM_BUFFER_POINTER,
      (uintptr_t)CU_LAUNCH_PARAM_BUFFER_POINTER_AS_INT);
EQUAL((uintptr_t)CUDA_LAUNCH_PARAM_BUFFER_SIZE, (uintptr_t)CU_LAUNCH_PARAM_BUFFER_SIZE_AS_INT);
