/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of operations share: the fuzzer's bytes, and a mediator with a quota. */
#ifndef VGPU_TESTS_FUZZ_INPUT_H
#define VGPU_TESTS_FUZZ_INPUT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediatord/worker/memory_ledger.h"

#define QUOTA (UINT64_C(1) << 20)

struct input {
	const uint8_t *data;
	size_t size;
};

/* The next so many bytes, at most eight, as a number; after the end there are zeros. */
static inline uint64_t take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	if (bytes > input->size)
		bytes = input->size;
	memcpy(&value, input->data, bytes);
	input->data += bytes;
	input->size -= bytes;
	return value;
}

/* Both are a ledger's, whose opaque is a uint64_t: the bytes that are held. */
static inline int reserve(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	uint64_t *held = opaque;

	(void)err;
	if (bytes == 0)
		abort();
	if (bytes > QUOTA - *held)
		return 0;
	*held += bytes;
	return 1;
}

static inline int release(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	uint64_t *held = opaque;

	(void)err;
	if (bytes == 0 || bytes > *held)
		abort();
	*held -= bytes;
	return 0;
}

#endif
