/* SPDX-License-Identifier: Apache-2.0 */
/* Makes mailbox requests, right ones first: tests then break one field at a time. */
#ifndef VGPU_TESTS_REQUEST_MAKER_H
#define VGPU_TESTS_REQUEST_MAKER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/bytes.h"
#include "common/protocol.h"

/* Offsets of the header's fields, in the order in which they stand. */
enum request_field {
	FIELD_VERSION = 0,
	FIELD_OPCODE = 4,
	FIELD_FLAGS = 8,
	FIELD_PARAM_COUNT = 12,
	FIELD_DATA_OFFSET = 16,
	FIELD_DATA_LENGTH = 20,
	FIELD_RESERVED_0 = 24,
	FIELD_RESERVED_1 = 28,
	FIELD_PARAMETERS = 32,
};

/* Larger than a request may be, so that a test can make one that is too long. */
struct made_request {
	uint8_t bytes[2 * VGPU_MAILBOX_BYTES];
	uint32_t length;
};

static inline void set_field(struct made_request *made, uint32_t offset, uint32_t value)
{
	vgpu_store32(made->bytes + offset, value);
}

static inline void set_parameter(struct made_request *made, uint32_t index, uint32_t value)
{
	set_field(made, FIELD_PARAMETERS + 4 * index, value);
}

static inline void set_parameter64(struct made_request *made, uint32_t index, uint64_t value)
{
	vgpu_store64(made->bytes + FIELD_PARAMETERS + 4 * index, value);
}

/* data may be NULL where data_length is 0. */
static inline struct made_request make_request(uint32_t opcode, uint32_t param_count,
					       const void *data, uint32_t data_length)
{
	struct made_request made = { .length = FIELD_PARAMETERS + 4 * param_count + data_length };

	set_field(&made, FIELD_VERSION, VGPU_PROTOCOL_VERSION);
	set_field(&made, FIELD_OPCODE, opcode);
	set_field(&made, FIELD_PARAM_COUNT, param_count);
	set_field(&made, FIELD_DATA_OFFSET, data_length ? FIELD_PARAMETERS + 4 * param_count : 0);
	set_field(&made, FIELD_DATA_LENGTH, data_length);
	if (data_length)
		memcpy(made.bytes + FIELD_PARAMETERS + 4 * param_count, data, data_length);
	return made;
}

static inline struct made_request make_alloc(uint64_t bytes)
{
	struct made_request made =
		make_request(VGPU_OP_MEMORY_ALLOC, VGPU_PARAMS_MEMORY_ALLOC, NULL, 0);

	set_parameter64(&made, 0, bytes);
	return made;
}

static inline struct made_request make_free(uint64_t pointer)
{
	struct made_request made =
		make_request(VGPU_OP_MEMORY_FREE, VGPU_PARAMS_MEMORY_FREE, NULL, 0);

	set_parameter64(&made, 0, pointer);
	return made;
}

static inline struct made_request make_htod(uint64_t destination, const void *data, uint32_t length)
{
	struct made_request made =
		make_request(VGPU_OP_MEMORY_COPY, VGPU_PARAMS_COPY_HTOD, data, length);

	set_parameter(&made, 0, VGPU_COPY_HOST_TO_DEVICE);
	set_parameter64(&made, 1, destination);
	return made;
}

static inline struct made_request make_dtoh(uint64_t source, uint32_t length)
{
	struct made_request made =
		make_request(VGPU_OP_MEMORY_COPY, VGPU_PARAMS_COPY_DTOH, NULL, 0);

	set_parameter(&made, 0, VGPU_COPY_DEVICE_TO_HOST);
	set_parameter64(&made, 1, source);
	set_parameter(&made, 3, length);
	return made;
}

static inline struct made_request make_dtod(uint64_t destination, uint64_t source, uint64_t length)
{
	struct made_request made =
		make_request(VGPU_OP_MEMORY_COPY, VGPU_PARAMS_COPY_DTOD, NULL, 0);

	set_parameter(&made, 0, VGPU_COPY_DEVICE_TO_DEVICE);
	set_parameter64(&made, 1, destination);
	set_parameter64(&made, 3, source);
	set_parameter64(&made, 5, length);
	return made;
}

/* CUDA_KERNEL's parameters, by index. */
#define KERNEL_GRID	      0
#define KERNEL_BLOCK	      3
#define KERNEL_SHARED	      6
#define KERNEL_NAME_LENGTH    7
#define KERNEL_ARGUMENT_BYTES 8

/* A launch of grid (x, 1, 1) and block (x, 1, 1). */
static inline struct made_request make_kernel(const char *name, const void *arguments,
					      uint32_t argument_bytes, uint32_t grid,
					      uint32_t block)
{
	uint32_t name_length = (uint32_t)strlen(name);
	uint32_t padded = (uint32_t)vgpu_align_up(name_length, VGPU_KERNEL_ARGUMENTS_ALIGN);
	uint8_t data[VGPU_MAILBOX_BYTES] = { 0 };
	struct made_request made;

	memcpy(data, name, name_length);
	if (argument_bytes)
		memcpy(data + padded, arguments, argument_bytes);
	made = make_request(VGPU_OP_CUDA_KERNEL, VGPU_PARAMS_CUDA_KERNEL, data,
			    padded + argument_bytes);
	for (uint32_t i = 0; i < 3; i++) {
		set_parameter(&made, KERNEL_GRID + i, i == 0 ? grid : 1);
		set_parameter(&made, KERNEL_BLOCK + i, i == 0 ? block : 1);
	}
	set_parameter(&made, KERNEL_NAME_LENGTH, name_length);
	set_parameter(&made, KERNEL_ARGUMENT_BYTES, argument_bytes);
	return made;
}

#endif
