/* SPDX-License-Identifier: Apache-2.0 */
/* CUDA's error numbers (enum CUresult in cuda.h), which are part of its stable ABI. */
#include "guest-agent/public.h"

#define ERROR(number, word, meaning)                                                               \
	{                                                                                          \
		number, "CUDA_" word, meaning                                                      \
	}

/* By number. */
static const struct cuda_text {
	uint32_t number;
	const char *name;
	const char *text;
} errors[] = {
	ERROR(0, "SUCCESS", "no error"),
	ERROR(1, "ERROR_INVALID_VALUE", "an argument is out of its range"),
	ERROR(2, "ERROR_OUT_OF_MEMORY", "not enough memory"),
	ERROR(3, "ERROR_NOT_INITIALIZED", "the driver is not initialised"),
	ERROR(4, "ERROR_DEINITIALIZED", "the driver is shutting down"),
	ERROR(34, "ERROR_STUB_LIBRARY", "the driver library is a stub"),
	ERROR(46, "ERROR_DEVICE_UNAVAILABLE", "the device is busy or unavailable"),
	ERROR(100, "ERROR_NO_DEVICE", "there is no GPU"),
	ERROR(101, "ERROR_INVALID_DEVICE", "there is no GPU of this number"),
	ERROR(200, "ERROR_INVALID_IMAGE", "the kernel image is not valid"),
	ERROR(201, "ERROR_INVALID_CONTEXT", "the context is not valid"),
	ERROR(205, "ERROR_MAP_FAILED", "mapping failed"),
	ERROR(206, "ERROR_UNMAP_FAILED", "unmapping failed"),
	ERROR(209, "ERROR_NO_BINARY_FOR_GPU", "the module has no code for this GPU"),
	ERROR(214, "ERROR_ECC_UNCORRECTABLE", "the GPU's memory has an uncorrectable error"),
	ERROR(215, "ERROR_UNSUPPORTED_LIMIT", "the limit is not supported"),
	ERROR(217, "ERROR_PEER_ACCESS_UNSUPPORTED", "the GPUs cannot reach each other"),
	ERROR(218, "ERROR_INVALID_PTX", "the PTX does not compile"),
	ERROR(220, "ERROR_NVLINK_UNCORRECTABLE", "NVLink had an uncorrectable error"),
	ERROR(221, "ERROR_JIT_COMPILER_NOT_FOUND", "the PTX compiler is missing on the host"),
	ERROR(222, "ERROR_UNSUPPORTED_PTX_VERSION", "the PTX is newer than the host's driver"),
	ERROR(223, "ERROR_JIT_COMPILATION_DISABLED", "PTX is not compiled on this host"),
	ERROR(224, "ERROR_UNSUPPORTED_EXEC_AFFINITY", "the affinity is not supported"),
	ERROR(300, "ERROR_INVALID_SOURCE", "the kernel's source is not valid"),
	ERROR(301, "ERROR_FILE_NOT_FOUND", "a file was not found"),
	ERROR(302, "ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", "a shared object lacks a symbol"),
	ERROR(303, "ERROR_SHARED_OBJECT_INIT_FAILED", "a shared object could not be loaded"),
	ERROR(304, "ERROR_OPERATING_SYSTEM", "a call to the operating system failed"),
	ERROR(400, "ERROR_INVALID_HANDLE", "a handle is not valid"),
	ERROR(401, "ERROR_ILLEGAL_STATE", "a resource is not in the state that is needed"),
	ERROR(500, "ERROR_NOT_FOUND", "nothing has this name"),
	ERROR(600, "ERROR_NOT_READY", "the work has not ended"),
	ERROR(700, "ERROR_ILLEGAL_ADDRESS", "a kernel used an address that is not allocated"),
	ERROR(701, "ERROR_LAUNCH_OUT_OF_RESOURCES", "the launch needs more than the GPU has"),
	ERROR(702, "ERROR_LAUNCH_TIMEOUT", "a kernel ran too long"),
	ERROR(709, "ERROR_CONTEXT_IS_DESTROYED", "the context was destroyed"),
	ERROR(710, "ERROR_ASSERT", "an assertion in a kernel failed"),
	ERROR(714, "ERROR_HARDWARE_STACK_ERROR", "a kernel's stack was corrupted"),
	ERROR(715, "ERROR_ILLEGAL_INSTRUCTION", "a kernel met an illegal instruction"),
	ERROR(716, "ERROR_MISALIGNED_ADDRESS", "a kernel used an address that is not aligned"),
	ERROR(717, "ERROR_INVALID_ADDRESS_SPACE", "a kernel used an address of the wrong kind"),
	ERROR(718, "ERROR_INVALID_PC", "a kernel's program counter left its code"),
	ERROR(719, "ERROR_LAUNCH_FAILED", "a kernel failed"),
	ERROR(720, "ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "too many blocks for a cooperative grid"),
	ERROR(800, "ERROR_NOT_PERMITTED", "the operation is not permitted"),
	ERROR(801, "ERROR_NOT_SUPPORTED", "the operation is not supported"),
	ERROR(802, "ERROR_SYSTEM_NOT_READY", "the host's GPU system is not ready"),
	ERROR(803, "ERROR_SYSTEM_DRIVER_MISMATCH", "the host's driver and library differ"),
	ERROR(900, "ERROR_STREAM_CAPTURE_UNSUPPORTED", "not possible while a stream is captured"),
	ERROR(901, "ERROR_STREAM_CAPTURE_INVALIDATED", "the stream's capture is not valid"),
	ERROR(908, "ERROR_CAPTURED_EVENT", "the event belongs to a captured stream"),
	ERROR(909, "ERROR_STREAM_CAPTURE_WRONG_THREAD", "another thread began the capture"),
	ERROR(910, "ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph could not be updated"),
	ERROR(911, "ERROR_EXTERNAL_DEVICE", "another device failed"),
	ERROR(999, "ERROR_UNKNOWN", "an error of unknown cause"),
};

static const struct cuda_text *find(uint32_t error)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].number == error)
			return &errors[i];
	}
	return NULL;
}

const char *vgpu_cuda_error_name(uint32_t error)
{
	const struct cuda_text *found = find(error);

	return found ? found->name : "CUDA_ERROR_?";
}

const char *vgpu_cuda_error_text(uint32_t error)
{
	const struct cuda_text *found = find(error);

	return found ? found->text : "an error that this library does not know";
}
