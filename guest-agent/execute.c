/* SPDX-License-Identifier: Apache-2.0 */
/* What runs on the device: nothing, kernels, and the wait for them. */
#include <string.h>

#include "common/bytes.h"
#include "guest-agent/handle.h"
#include "guest-agent/last_error.h"

enum vgpu_result vgpu_nop(struct vgpu *vgpu)
{
	const struct mailbox_request request = { .opcode = VGPU_OP_NOP };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(vgpu);

	result = handle_call(vgpu, &request, &response);
	return result == VGPU_OK ? VGPU_OK : last_error_prefix(result, "no-op");
}

enum vgpu_result vgpu_launch(struct vgpu *vgpu, const char *kernel, const uint32_t grid[3],
			     const uint32_t block[3], uint32_t shared_bytes, const void *arguments,
			     size_t argument_bytes, unsigned int flags)
{
	uint8_t data[VGPU_MAILBOX_DATA_MAX(VGPU_PARAMS_CUDA_KERNEL)] = { 0 };
	size_t name_length = strlen(kernel);
	size_t arguments_at = vgpu_align_up(name_length, VGPU_KERNEL_ARGUMENTS_ALIGN);
	uint32_t params[VGPU_PARAMS_CUDA_KERNEL] = { grid[0],  grid[1],	 grid[2],     block[0],
						     block[1], block[2], shared_bytes };
	struct mailbox_request request = { .opcode = VGPU_OP_CUDA_KERNEL,
					   .params = params,
					   .param_count = VGPU_PARAMS_CUDA_KERNEL,
					   .data = data };
	struct mailbox_response response;
	enum vgpu_result result;

	if (flags & ~VGPU_LAUNCH_ASYNC)
		return last_error_set(VGPU_E_ARGUMENT, "vgpu_launch: unknown flags 0x%x", flags);
	if (name_length == 0 || name_length > VGPU_KERNEL_NAME_MAX)
		return last_error_set(VGPU_E_ARGUMENT,
				      "vgpu_launch: a kernel's name has 1 to %u bytes",
				      VGPU_KERNEL_NAME_MAX);
	if (!vgpu_range_ok(arguments_at, argument_bytes, sizeof(data)))
		return last_error_set(VGPU_E_TOO_LARGE,
				      "launching %s: %zu bytes of arguments, and %zu fit", kernel,
				      argument_bytes, sizeof(data) - arguments_at);
	memcpy(data, kernel, name_length);
	if (argument_bytes)
		memcpy(data + arguments_at, arguments, argument_bytes);
	params[7] = (uint32_t)name_length;
	params[8] = (uint32_t)argument_bytes;
	request.flags = flags & VGPU_LAUNCH_ASYNC ? VGPU_FLAG_ASYNC : 0;
	request.data_length = (uint32_t)(arguments_at + argument_bytes);

	HANDLE_LOCK(vgpu);

	result = handle_call_memory(vgpu, &request, &response);
	return result == VGPU_OK ? VGPU_OK : last_error_prefix(result, "launching %s", kernel);
}

enum vgpu_result vgpu_synchronize(struct vgpu *vgpu)
{
	const struct mailbox_request request = { .opcode = VGPU_OP_SYNCHRONIZE };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(vgpu);

	result = handle_call_memory(vgpu, &request, &response);
	return result == VGPU_OK ? VGPU_OK : last_error_prefix(result, "waiting for the device");
}

static void forget_all(struct vgpu *vgpu)
{
	vgpu->lost = false;
	vgpu->allocation_count = 0;
}

enum vgpu_result vgpu_context_reset(struct vgpu *vgpu)
{
	const struct mailbox_request request = { .opcode = VGPU_OP_CONTEXT_RESET };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(vgpu);

	if (vgpu->observe)
		return last_error_set(VGPU_E_ARGUMENT, "this handle was opened for looking only");
	result = handle_call(vgpu, &request, &response);
	if (result != VGPU_OK)
		return last_error_prefix(result, "resetting the VM's context");
	forget_all(vgpu);
	return VGPU_OK;
}

enum vgpu_result vgpu_context_recover(struct vgpu *vgpu)
{
	HANDLE_LOCK(vgpu);

	forget_all(vgpu);
	return VGPU_OK;
}
