/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of the file protocol: a guest's request.txt, and the response.txt that answers it.
 * docs/migration.md is the specification. Two formats:
 *
 *   the prototype's      A:2:1:100:200                     pool, priority, vm_id, two int32
 *                        300
 *                        error: TEXT
 *   the second           vgpu/1 ID OPERATION [async] [NUMBER ...] [= HEX]
 *                        vgpu/1 ID ok [NUMBER ...] [= HEX]
 *                        vgpu/1 ID error CODE [NUMBER ...] [: TEXT]
 *
 * Each ends in a newline. The second carries any request of the mailbox: an operation's numbers are
 * its parameters, 32 bits each, and HEX its data. Pure: bytes in, bytes out.
 */
#ifndef VGPU_COMMON_FILE_LINE_H
#define VGPU_COMMON_FILE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol.h"

#define VGPU_FILE_REQUEST  "request.txt"
#define VGPU_FILE_RESPONSE "response.txt"

/* The longest line with its newline; what a mailbox request or response can hold takes less. */
#define VGPU_FILE_LINE_MAX 4096u

struct vgpu_file_request {
	bool versioned; /* of the second format */

	/* What a line of the prototype's claims; who believed it would let a guest choose. */
	char pool;
	uint32_t priority;
	uint32_t vm_id;

	uint64_t id; /* of the second format: the guest's own, and the answer's */

	uint32_t length; /* of a mailbox request, whose contents are not checked yet */
	uint8_t bytes[VGPU_MAILBOX_BYTES];
};

/*
 * Decodes a line of `length` bytes, its newline included. Returns 0, or -1 with *reason a sentence
 * (static); the request then still says in which format the answer has to be.
 */
int vgpu_file_request_parse(const char *line, size_t length, struct vgpu_file_request *request,
			    const char **reason);

/*
 * Writes a mailbox request as a line of the second format. Returns the line's length, or 0 where
 * the operation has no name in it or the bytes are no request.
 */
size_t vgpu_file_request_format(uint64_t id, const uint8_t *bytes, uint32_t length,
				char line[VGPU_FILE_LINE_MAX]);

/*
 * Writes the answer to a request, in its format, and returns its length: `error` (VGPU_ERR_*) and a
 * mailbox response of `length` bytes. A response that makes no sense becomes an error.
 */
size_t vgpu_file_answer_format(const struct vgpu_file_request *request, uint32_t error,
			       const uint8_t *response, uint32_t length,
			       char line[VGPU_FILE_LINE_MAX]);

/* The same where there is no response but a sentence. */
size_t vgpu_file_answer_refuse(const struct vgpu_file_request *request, uint32_t error,
			       const char *text, char line[VGPU_FILE_LINE_MAX]);

/*
 * Decodes an answer of the second format, its newline included, into the mailbox response that it
 * was. Returns 0, or -1 where it is none, also where it is not whole.
 */
int vgpu_file_answer_parse(const char *line, size_t length, uint64_t *id, uint32_t *error,
			   uint8_t response[VGPU_MAILBOX_BYTES], uint32_t *response_length);

#endif
