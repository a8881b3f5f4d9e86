/* SPDX-License-Identifier: Apache-2.0 */
/* Request validation: any bytes are refused with a reason, or decoded into ranges of themselves. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediatord/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(const uint8_t *pointer, uint64_t length, const uint8_t *data, size_t size)
{
	if (pointer < data || length > size || (size_t)(pointer - data) > size - length)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vgpu_request request;
	const char *reason;
	uint32_t code = vgpu_request_validate(data, size, &request, &reason);

	if ((code != VGPU_ERR_NONE) != (reason != NULL))
		abort();
	if (code)
		return 0;
	if (request.opcode == VGPU_OP_CUDA_KERNEL) {
		within(request.kernel.arguments, request.kernel.argument_bytes, data, size);
		if (strlen(request.kernel.name) > VGPU_KERNEL_NAME_MAX)
			abort();
	} else if (request.opcode == VGPU_OP_MEMORY_COPY) {
		if (request.copy.direction == VGPU_COPY_HOST_TO_DEVICE)
			within(request.copy.data, request.copy.bytes, data, size);
		else if (request.copy.direction == VGPU_COPY_DEVICE_TO_HOST &&
			 request.copy.bytes > VGPU_MAILBOX_DATA_MAX(0))
			abort();
	}
	return 0;
}
