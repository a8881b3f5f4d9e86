/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/percentile.h"

#include <stdlib.h>

static int compare(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

void percentile_sort(int64_t *values, size_t count)
{
	qsort(values, count, sizeof(values[0]), compare);
}

int64_t percentile_of(const int64_t *sorted, size_t count, unsigned int per_mille)
{
	size_t rank = (count / 1000) * per_mille + ((count % 1000) * per_mille + 999) / 1000;

	return sorted[rank ? rank - 1 : 0];
}
