/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that a mediator sends as events: whole and in two pieces, the same events come of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediatord/ctl/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool add(void *opaque, const struct sse_event *event)
{
	uint64_t *sum = opaque;

	for (const char *c = event->data; *c; c++)
		*sum = *sum * 31 + (unsigned char)*c;
	for (const char *c = event->id; *c; c++)
		*sum = *sum * 37 + (unsigned char)*c;
	*sum = *sum * 41 + strlen(event->type) + 1;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	uint64_t whole = 0, pieces = 0;
	size_t cut = size ? data[0] % size : 0;
	struct sse sse;

	sse_init(&sse, add, &whole);
	sse_take(&sse, bytes, size, NULL);
	sse_clear(&sse);
	sse_init(&sse, add, &pieces);
	if (sse_take(&sse, bytes, cut, NULL))
		sse_take(&sse, bytes + cut, size - cut, NULL);
	sse_clear(&sse);
	if (whole != pieces)
		abort();
	return 0;
}
