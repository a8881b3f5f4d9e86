/* SPDX-License-Identifier: Apache-2.0 */
/* A mailbox request, checked: the one place that decides whether a request is well-formed. */
#ifndef VGPU_MEDIATORD_REQUEST_H
#define VGPU_MEDIATORD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol.h"

/* A request that passed. Pointers are into the bytes that were given, which must stay as they are.
 */
struct vgpu_request {
	uint32_t opcode; /* VGPU_OP_* */
	bool async;
	union {
		struct {
			uint64_t bytes;
		} alloc;
		struct {
			uint64_t pointer;
		} free;
		struct {
			uint32_t direction; /* VGPU_COPY_* */
			uint64_t destination;
			uint64_t source;
			uint64_t bytes;
			const uint8_t *data; /* of `bytes` bytes, host to device only */
		} copy;
		struct {
			uint32_t grid[3];
			uint32_t block[3];
			uint32_t shared_bytes;
			char name[VGPU_KERNEL_NAME_MAX + 1];
			const uint8_t *arguments;
			uint32_t argument_bytes;
		} kernel;
		struct {
			uint32_t operands[2]; /* int32, as two's complement */
		} add;
	};
};

/*
 * Checks the `length` bytes of a request, which nobody else can change any more, and decodes them.
 * Returns VGPU_ERR_NONE, or the error code with *reason set to a sentence that names the field
 * (static storage). Order of the checks, and so which code wins: docs/device-spec.md.
 */
uint32_t vgpu_request_validate(const uint8_t *bytes, size_t length, struct vgpu_request *request,
			       const char **reason);

/*
 * Writes a response of header, `result_count` words and `data_length` bytes into response, which
 * holds VGPU_MAILBOX_BYTES. Data that does not fit is cut. Returns the response's length.
 */
uint32_t vgpu_response_build(uint8_t *response, uint32_t status, const uint32_t *results,
			     uint32_t result_count, const void *data, size_t data_length,
			     uint32_t exec_time_us);

#endif
