/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/request.h"

#include <string.h>

#include "common/bytes.h"

#define HEADER_BYTES ((uint32_t)sizeof(struct vgpu_request_header))

/* A request whose header is in order: its parameters and data lie within the request. */
struct parts {
	struct vgpu_request_header header;
	const uint8_t *parameters;
	const uint8_t *data;
};

static uint32_t refuse(const char **reason, uint32_t code, const char *sentence)
{
	*reason = sentence;
	return code;
}

static uint32_t invalid(const char **reason, const char *sentence)
{
	return refuse(reason, VGPU_ERR_INVALID_REQUEST, sentence);
}

static uint32_t parameter(const struct parts *parts, uint32_t index)
{
	return vgpu_load32(parts->parameters + 4 * index);
}

/* A 64-bit parameter: two words, LO first, and so the same bytes as a 64-bit number. */
static uint64_t parameter64(const struct parts *parts, uint32_t index)
{
	return vgpu_load64(parts->parameters + 4 * index);
}

static bool opcode_known(uint32_t opcode)
{
	switch (opcode) {
	case VGPU_OP_NOP:
	case VGPU_OP_CUDA_KERNEL:
	case VGPU_OP_MEMORY_ALLOC:
	case VGPU_OP_MEMORY_FREE:
	case VGPU_OP_MEMORY_COPY:
	case VGPU_OP_GET_DEVICE_INFO:
	case VGPU_OP_SYNCHRONIZE:
	case VGPU_OP_CONTEXT_RESET:
	case VGPU_OP_ADD_I32:
		return true;
	default:
		return false;
	}
}

static uint32_t check_data_range(const struct vgpu_request_header *header, size_t length,
				 const char **reason)
{
	uint32_t first = HEADER_BYTES + 4 * header->param_count;

	if (header->data_length == 0 && header->data_offset == 0)
		return VGPU_ERR_NONE;
	if (header->data_offset % 4 != 0)
		return invalid(reason, "data_offset is not a multiple of 4");
	if (header->data_offset < first)
		return invalid(reason, "data_offset lies within the header or the parameters");
	if (!vgpu_range_ok(header->data_offset, header->data_length, length))
		return invalid(reason,
			       "data_offset and data_length reach past the end of the request");
	return VGPU_ERR_NONE;
}

static uint32_t check_header(const uint8_t *bytes, size_t length, struct parts *parts,
			     const char **reason)
{
	struct vgpu_request_header *header = &parts->header;
	uint32_t code;

	if (length == 0)
		return refuse(reason, VGPU_ERR_ZERO_LENGTH, "the request has no bytes");
	if (length < HEADER_BYTES)
		return invalid(reason, "the request is shorter than its 32-byte header");
	if (length > VGPU_MAILBOX_BYTES)
		return refuse(reason, VGPU_ERR_TOO_LARGE, "the request is longer than 1024 bytes");

	header->version = vgpu_load32(bytes + offsetof(struct vgpu_request_header, version));
	header->opcode = vgpu_load32(bytes + offsetof(struct vgpu_request_header, opcode));
	header->flags = vgpu_load32(bytes + offsetof(struct vgpu_request_header, flags));
	header->param_count =
		vgpu_load32(bytes + offsetof(struct vgpu_request_header, param_count));
	header->data_offset =
		vgpu_load32(bytes + offsetof(struct vgpu_request_header, data_offset));
	header->data_length =
		vgpu_load32(bytes + offsetof(struct vgpu_request_header, data_length));
	header->reserved[0] = vgpu_load32(bytes + offsetof(struct vgpu_request_header, reserved));
	header->reserved[1] =
		vgpu_load32(bytes + offsetof(struct vgpu_request_header, reserved) + 4);

	if (header->version != VGPU_PROTOCOL_VERSION)
		return invalid(reason, "version is not 0x00010000");
	if (header->reserved[0] != 0 || header->reserved[1] != 0)
		return invalid(reason, "a reserved word of the header is not 0");
	if (header->flags & ~VGPU_FLAG_KNOWN)
		return invalid(reason, "flags has a bit set that means nothing");
	if (!opcode_known(header->opcode))
		return refuse(reason, VGPU_ERR_UNSUPPORTED, "opcode is not one that exists here");
	if (header->param_count > (length - HEADER_BYTES) / 4)
		return invalid(reason, "param_count parameters reach past the end of the request");
	code = check_data_range(header, length, reason);
	if (code)
		return code;
	parts->parameters = bytes + HEADER_BYTES;
	parts->data = header->data_length ? bytes + header->data_offset : NULL;
	return VGPU_ERR_NONE;
}

static uint32_t check_bare(const struct parts *parts, const char **reason)
{
	if (parts->header.param_count != 0)
		return invalid(reason, "param_count is not 0, and this opcode has no parameters");
	if (parts->header.data_length != 0)
		return invalid(reason, "data_length is not 0, and this opcode takes no data");
	return VGPU_ERR_NONE;
}

static uint32_t check_alloc(const struct parts *parts, struct vgpu_request *request,
			    const char **reason)
{
	if (parts->header.param_count != VGPU_PARAMS_MEMORY_ALLOC)
		return invalid(reason, "param_count is not 2, as MEMORY_ALLOC needs it");
	if (parts->header.data_length != 0)
		return invalid(reason, "data_length is not 0, and MEMORY_ALLOC takes no data");
	request->alloc.bytes = parameter64(parts, 0);
	if (request->alloc.bytes == 0)
		return invalid(reason, "bytes of MEMORY_ALLOC is 0");
	return VGPU_ERR_NONE;
}

static uint32_t check_free(const struct parts *parts, struct vgpu_request *request,
			   const char **reason)
{
	if (parts->header.param_count != VGPU_PARAMS_MEMORY_FREE)
		return invalid(reason, "param_count is not 2, as MEMORY_FREE needs it");
	if (parts->header.data_length != 0)
		return invalid(reason, "data_length is not 0, and MEMORY_FREE takes no data");
	request->free.pointer = parameter64(parts, 0);
	return VGPU_ERR_NONE;
}

static uint32_t check_copy(const struct parts *parts, struct vgpu_request *request,
			   const char **reason)
{
	const struct vgpu_request_header *header = &parts->header;

	if (header->param_count == 0)
		return invalid(reason, "param_count is 0, and MEMORY_COPY needs a direction");
	request->copy.direction = parameter(parts, 0);
	switch (request->copy.direction) {
	case VGPU_COPY_HOST_TO_DEVICE:
		if (header->param_count != VGPU_PARAMS_COPY_HTOD)
			return invalid(reason, "param_count is not 3, as MEMORY_COPY needs it "
					       "from host to device");
		request->copy.destination = parameter64(parts, 1);
		request->copy.bytes = header->data_length;
		request->copy.data = parts->data;
		break;
	case VGPU_COPY_DEVICE_TO_HOST:
		if (header->param_count != VGPU_PARAMS_COPY_DTOH)
			return invalid(reason, "param_count is not 4, as MEMORY_COPY needs it "
					       "from device to host");
		if (header->data_length != 0)
			return invalid(reason, "data_length is not 0, and MEMORY_COPY takes no "
					       "data from device to host");
		request->copy.source = parameter64(parts, 1);
		request->copy.bytes = parameter(parts, 3);
		if (request->copy.bytes > VGPU_MAILBOX_DATA_MAX(0))
			return refuse(reason, VGPU_ERR_TOO_LARGE,
				      "bytes of MEMORY_COPY is more than the 992 that a response "
				      "can carry");
		break;
	case VGPU_COPY_DEVICE_TO_DEVICE:
		if (header->param_count != VGPU_PARAMS_COPY_DTOD)
			return invalid(reason, "param_count is not 7, as MEMORY_COPY needs it "
					       "from device to device");
		if (header->data_length != 0)
			return invalid(reason, "data_length is not 0, and MEMORY_COPY takes no "
					       "data from device to device");
		request->copy.destination = parameter64(parts, 1);
		request->copy.source = parameter64(parts, 3);
		request->copy.bytes = parameter64(parts, 5);
		break;
	default:
		return invalid(reason, "direction of MEMORY_COPY is not 0, 1 or 2");
	}
	if (request->copy.bytes == 0)
		return refuse(reason, VGPU_ERR_ZERO_LENGTH, "MEMORY_COPY copies 0 bytes");
	return VGPU_ERR_NONE;
}

/* Locale plays no part: the name goes into a lookup and into logs. */
static bool name_byte_ok(uint8_t byte, bool first)
{
	if (byte == '_' || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z'))
		return true;
	return !first && byte >= '0' && byte <= '9';
}

static uint32_t check_kernel(const struct parts *parts, struct vgpu_request *request,
			     const char **reason)
{
	const struct vgpu_request_header *header = &parts->header;
	uint32_t name_length, padded;

	if (header->param_count != VGPU_PARAMS_CUDA_KERNEL)
		return invalid(reason, "param_count is not 9, as CUDA_KERNEL needs it");
	for (uint32_t i = 0; i < 3; i++) {
		request->kernel.grid[i] = parameter(parts, i);
		request->kernel.block[i] = parameter(parts, 3 + i);
	}
	request->kernel.shared_bytes = parameter(parts, 6);
	name_length = parameter(parts, 7);
	request->kernel.argument_bytes = parameter(parts, 8);
	if (name_length == 0 || name_length > VGPU_KERNEL_NAME_MAX)
		return invalid(reason, "name length of CUDA_KERNEL is not 1 to 64");
	padded = (uint32_t)vgpu_align_up(name_length, VGPU_KERNEL_ARGUMENTS_ALIGN);
	if (header->data_length != (uint64_t)padded + request->kernel.argument_bytes)
		return invalid(reason, "data_length is not the padded name length of CUDA_KERNEL "
				       "plus its argument bytes");
	for (uint32_t i = 0; i < name_length; i++)
		if (!name_byte_ok(parts->data[i], i == 0))
			return invalid(reason, "name of CUDA_KERNEL is not an identifier of ASCII "
					       "letters, digits and '_'");
	for (uint32_t i = name_length; i < padded; i++)
		if (parts->data[i] != 0)
			return invalid(reason, "padding after the name of CUDA_KERNEL is not 0");
	memcpy(request->kernel.name, parts->data, name_length);
	request->kernel.name[name_length] = '\0';
	request->kernel.arguments = parts->data + padded;
	return VGPU_ERR_NONE;
}

static uint32_t check_add(const struct parts *parts, struct vgpu_request *request,
			  const char **reason)
{
	if (parts->header.param_count != VGPU_PARAMS_ADD_I32)
		return invalid(reason, "param_count is not 2, as ADD_I32 needs it");
	if (parts->header.data_length != 0)
		return invalid(reason, "data_length is not 0, and ADD_I32 takes no data");
	request->add.operands[0] = parameter(parts, 0);
	request->add.operands[1] = parameter(parts, 1);
	return VGPU_ERR_NONE;
}

static uint32_t check_operation(const struct parts *parts, struct vgpu_request *request,
				const char **reason)
{
	switch (request->opcode) {
	case VGPU_OP_MEMORY_ALLOC:
		return check_alloc(parts, request, reason);
	case VGPU_OP_MEMORY_FREE:
		return check_free(parts, request, reason);
	case VGPU_OP_MEMORY_COPY:
		return check_copy(parts, request, reason);
	case VGPU_OP_CUDA_KERNEL:
		return check_kernel(parts, request, reason);
	case VGPU_OP_ADD_I32:
		return check_add(parts, request, reason);
	default:
		return check_bare(parts, reason);
	}
}

/* What answers with nothing but success or an error can be answered before it is done. */
static bool may_be_async(const struct vgpu_request *request)
{
	switch (request->opcode) {
	case VGPU_OP_NOP:
	case VGPU_OP_CUDA_KERNEL:
		return true;
	case VGPU_OP_MEMORY_COPY:
		return request->copy.direction != VGPU_COPY_DEVICE_TO_HOST;
	default:
		return false;
	}
}

uint32_t vgpu_request_validate(const uint8_t *bytes, size_t length, struct vgpu_request *request,
			       const char **reason)
{
	struct parts parts;
	uint32_t code;

	memset(request, 0, sizeof(*request));
	*reason = NULL;
	code = check_header(bytes, length, &parts, reason);
	if (code)
		return code;
	request->opcode = parts.header.opcode;
	request->async = parts.header.flags & VGPU_FLAG_ASYNC;
	code = check_operation(&parts, request, reason);
	if (code)
		return code;
	if (request->async && !may_be_async(request))
		return invalid(reason, "flags says asynchronous, and this operation has a result "
				       "to wait for");
	return VGPU_ERR_NONE;
}

uint32_t vgpu_response_build(uint8_t *response, uint32_t status, const uint32_t *results,
			     uint32_t result_count, const void *data, size_t data_length,
			     uint32_t exec_time_us)
{
	const uint32_t header = sizeof(struct vgpu_response_header);
	uint32_t offset;

	if (result_count > (VGPU_MAILBOX_BYTES - header) / 4)
		result_count = (VGPU_MAILBOX_BYTES - header) / 4;
	offset = header + 4 * result_count;
	if (data_length > VGPU_MAILBOX_BYTES - offset)
		data_length = VGPU_MAILBOX_BYTES - offset;

	memset(response, 0, header);
	vgpu_store32(response + offsetof(struct vgpu_response_header, version),
		     VGPU_PROTOCOL_VERSION);
	vgpu_store32(response + offsetof(struct vgpu_response_header, status), status);
	vgpu_store32(response + offsetof(struct vgpu_response_header, result_count), result_count);
	vgpu_store32(response + offsetof(struct vgpu_response_header, data_offset),
		     data_length ? offset : 0);
	vgpu_store32(response + offsetof(struct vgpu_response_header, data_length),
		     (uint32_t)data_length);
	vgpu_store32(response + offsetof(struct vgpu_response_header, exec_time_us), exec_time_us);
	for (uint32_t i = 0; i < result_count; i++)
		vgpu_store32(response + header + 4 * i, results[i]);
	if (data_length)
		memcpy(response + offset, data, data_length);
	return offset + (uint32_t)data_length;
}
