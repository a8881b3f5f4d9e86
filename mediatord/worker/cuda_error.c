/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/cuda_error.h"

#include <stddef.h>

#define ENTRY(number, text)                                                                        \
	{                                                                                          \
		.error = number, .name = #number, .meaning = text                                  \
	}

static const struct {
	cuda_error error;
	const char *name;
	const char *meaning;
} errors[] = {
	{ .error = CUDA_ERROR_NONE, .name = "CUDA_SUCCESS", .meaning = "no error" },
	ENTRY(CUDA_ERROR_INVALID_VALUE, "an argument is out of its range"),
	ENTRY(CUDA_ERROR_OUT_OF_MEMORY, "not enough GPU memory"),
	ENTRY(CUDA_ERROR_NOT_INITIALIZED, "the driver is not initialised"),
	ENTRY(CUDA_ERROR_DEINITIALIZED, "the driver is shutting down"),
	ENTRY(CUDA_ERROR_NO_DEVICE, "there is no GPU"),
	ENTRY(CUDA_ERROR_INVALID_DEVICE, "there is no GPU of this number"),
	ENTRY(CUDA_ERROR_INVALID_IMAGE, "the kernel image is not valid"),
	ENTRY(CUDA_ERROR_INVALID_CONTEXT, "the context is not valid"),
	ENTRY(CUDA_ERROR_NO_BINARY_FOR_GPU, "the image has no code for this GPU"),
	ENTRY(CUDA_ERROR_ECC_UNCORRECTABLE, "the GPU's memory has an uncorrectable error"),
	ENTRY(CUDA_ERROR_OPERATING_SYSTEM, "a call to the operating system failed"),
	ENTRY(CUDA_ERROR_INVALID_HANDLE, "a handle is not valid"),
	ENTRY(CUDA_ERROR_NOT_FOUND, "nothing has this name"),
	ENTRY(CUDA_ERROR_NOT_READY, "the work is not finished"),
	ENTRY(CUDA_ERROR_ILLEGAL_ADDRESS, "a kernel used an address that is not allocated"),
	ENTRY(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "the launch needs more than the GPU has"),
	ENTRY(CUDA_ERROR_LAUNCH_TIMEOUT, "a kernel ran too long"),
	ENTRY(CUDA_ERROR_HARDWARE_STACK_ERROR, "a kernel's stack was corrupted"),
	ENTRY(CUDA_ERROR_ILLEGAL_INSTRUCTION, "a kernel met an illegal instruction"),
	ENTRY(CUDA_ERROR_MISALIGNED_ADDRESS, "a kernel used an address that is not aligned"),
	ENTRY(CUDA_ERROR_INVALID_ADDRESS_SPACE, "a kernel used an address of the wrong kind"),
	ENTRY(CUDA_ERROR_INVALID_PC, "a kernel's program counter left its code"),
	ENTRY(CUDA_ERROR_LAUNCH_FAILED, "a kernel failed"),
	ENTRY(CUDA_ERROR_NOT_SUPPORTED, "the operation is not supported"),
	ENTRY(CUDA_ERROR_UNKNOWN, "an error of unknown cause"),
};

#define ERROR_COUNT (sizeof(errors) / sizeof(errors[0]))

const char *cuda_error_name(cuda_error error)
{
	for (size_t i = 0; i < ERROR_COUNT; i++)
		if (errors[i].error == error)
			return errors[i].name;
	return "CUDA_ERROR_?";
}

const char *cuda_error_meaning(cuda_error error)
{
	for (size_t i = 0; i < ERROR_COUNT; i++)
		if (errors[i].error == error)
			return errors[i].meaning;
	return "an error that has no description here";
}
