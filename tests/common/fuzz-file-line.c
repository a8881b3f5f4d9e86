/* SPDX-License-Identifier: Apache-2.0 */
/* The file protocol: any bytes are refused, or stay the same there and back; any answer is a line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/file_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void one_line(const char *line, size_t length)
{
	require(length > 0 && length <= VGPU_FILE_LINE_MAX);
	require(memchr(line, '\n', length) == line + length - 1);
}

static void try_request(const char *text, size_t size)
{
	struct vgpu_file_request request, again;
	char line[VGPU_FILE_LINE_MAX];
	const char *reason;
	size_t length;

	if (vgpu_file_request_parse(text, size, &request, &reason) == 0) {
		require(!reason && request.length >= 32 && request.length <= VGPU_MAILBOX_BYTES);
		length = vgpu_file_request_format(request.id, request.bytes, request.length, line);
		one_line(line, length);
		require(vgpu_file_request_parse(line, length, &again, &reason) == 0);
		require(again.length == request.length &&
			memcmp(again.bytes, request.bytes, request.length) == 0);
	} else {
		require(reason != NULL);
	}
	/* As a worker's answer. */
	length = vgpu_file_answer_format(&request, size % 3, (const uint8_t *)text,
					 size > UINT32_MAX ? 0 : (uint32_t)size, line);
	one_line(line, length);
}

static void try_answer(const char *text, size_t size)
{
	const struct vgpu_file_request request = { .versioned = true, .id = 7 };
	uint8_t response[VGPU_MAILBOX_BYTES];
	char line[VGPU_FILE_LINE_MAX];
	uint32_t error, length;
	uint64_t id;
	size_t formatted;

	if (vgpu_file_answer_parse(text, size, &id, &error, response, &length) < 0)
		return;
	require(length >= 32 && length <= VGPU_MAILBOX_BYTES);
	formatted = vgpu_file_answer_format(&request, error, response, length, line);
	one_line(line, formatted);
	require(vgpu_file_answer_parse(line, formatted, &id, &error, response, &length) == 0);
	require(id == request.id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_request((const char *)data, size);
	try_answer((const char *)data, size);
	return 0;
}
