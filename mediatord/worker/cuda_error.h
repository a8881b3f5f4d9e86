/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUDA's error numbers (enum CUresult of the driver API, cuda.h), those that this project gives or
 * tells apart. Their values are part of CUDA's stable ABI: they are written out here so that a host
 * without a GPU needs nothing of CUDA.
 */
#ifndef VGPU_WORKER_CUDA_ERROR_H
#define VGPU_WORKER_CUDA_ERROR_H

#include <stdint.h>

/* A CUresult. */
typedef uint32_t cuda_error;

#define CUDA_ERROR_NONE			   UINT32_C(0) /* CUDA_SUCCESS */
#define CUDA_ERROR_INVALID_VALUE	   UINT32_C(1)
#define CUDA_ERROR_OUT_OF_MEMORY	   UINT32_C(2)
#define CUDA_ERROR_NOT_INITIALIZED	   UINT32_C(3)
#define CUDA_ERROR_DEINITIALIZED	   UINT32_C(4)
#define CUDA_ERROR_NO_DEVICE		   UINT32_C(100)
#define CUDA_ERROR_INVALID_DEVICE	   UINT32_C(101)
#define CUDA_ERROR_INVALID_IMAGE	   UINT32_C(200)
#define CUDA_ERROR_INVALID_CONTEXT	   UINT32_C(201)
#define CUDA_ERROR_NO_BINARY_FOR_GPU	   UINT32_C(209)
#define CUDA_ERROR_ECC_UNCORRECTABLE	   UINT32_C(214)
#define CUDA_ERROR_OPERATING_SYSTEM	   UINT32_C(304)
#define CUDA_ERROR_INVALID_HANDLE	   UINT32_C(400)
#define CUDA_ERROR_NOT_FOUND		   UINT32_C(500)
#define CUDA_ERROR_NOT_READY		   UINT32_C(600)
#define CUDA_ERROR_ILLEGAL_ADDRESS	   UINT32_C(700)
#define CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES UINT32_C(701)
#define CUDA_ERROR_LAUNCH_TIMEOUT	   UINT32_C(702)
#define CUDA_ERROR_HARDWARE_STACK_ERROR	   UINT32_C(714)
#define CUDA_ERROR_ILLEGAL_INSTRUCTION	   UINT32_C(715)
#define CUDA_ERROR_MISALIGNED_ADDRESS	   UINT32_C(716)
#define CUDA_ERROR_INVALID_ADDRESS_SPACE   UINT32_C(717)
#define CUDA_ERROR_INVALID_PC		   UINT32_C(718)
#define CUDA_ERROR_LAUNCH_FAILED	   UINT32_C(719)
#define CUDA_ERROR_NOT_SUPPORTED	   UINT32_C(801)
#define CUDA_ERROR_UNKNOWN		   UINT32_C(999)

/* The number's name in cuda.h, or "CUDA_ERROR_?" for one that is not listed above. Static. */
const char *cuda_error_name(cuda_error error);

/* A short sentence that says what it means, without a final full stop. Static. */
const char *cuda_error_meaning(cuda_error error);

#endif
