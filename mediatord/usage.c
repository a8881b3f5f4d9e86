/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/usage.h"

#include <stdlib.h>
#include <string.h>

const char *usage_refusal_name(enum usage_refusal refusal)
{
	static const char *const names[] = {
		[USAGE_REFUSED_INVALID] = "invalid",
		[USAGE_REFUSED_QUEUE_DEPTH] = "queue_depth",
		[USAGE_REFUSED_RATE] = "rate",
		[USAGE_REFUSED_CHANNELS] = "channels",
		[USAGE_REFUSED_WINDOW] = "window",
		[USAGE_REFUSED_MEMORY] = "memory",
		[USAGE_REFUSED_QUARANTINED] = "quarantined",
		[USAGE_REFUSED_UNAVAILABLE] = "unavailable",
	};

	return (size_t)refusal < sizeof(names) / sizeof(*names) ? names[refusal] : "";
}

/* It is made of nothing but counters of one size. */
#define COUNTERS (sizeof(struct usage) / sizeof(uint64_t))
VGPU_STATIC_ASSERT(sizeof(struct usage) % sizeof(uint64_t) == 0, "counters");

void usage_add(struct usage *to, const struct usage *from)
{
	uint64_t sums[COUNTERS], terms[COUNTERS];

	memcpy(sums, to, sizeof(sums));
	memcpy(terms, from, sizeof(terms));
	for (size_t i = 0; i < COUNTERS; i++)
		sums[i] += terms[i];
	memcpy(to, sums, sizeof(sums));
}
