/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a vector file. What is taken must come back the same when it is written and read. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/agent/vector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct vector *vector)
{
	for (size_t i = 0; i < vector->count; i++) {
		const char *element = (const char *)vector->elements + i * NUMBER_BYTES;
		char text[NUMBER_TEXT_MAX], again[NUMBER_BYTES];
		const char *why;

		number_format(vector->type, element, text);
		if (number_parse(vector->type, text, again, &why) != 0 ||
		    memcmp(again, element, NUMBER_BYTES) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VGPU_AUTO_FCLOSE FILE *stream = NULL;
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VECTOR_AUTO struct vector vector = { 0 };

	if (size < 2)
		return 0;
	stream = fmemopen((void *)(data + 1), size - 1, "r");
	if (!stream)
		return 0;
	if (vector_read(stream, "input", data[0] & 1 ? NUMBER_I32 : NUMBER_F32, &vector, &err) == 0)
		check_round_trip(&vector);
	else if (!err || vector.elements)
		abort();
	return 0;
}
