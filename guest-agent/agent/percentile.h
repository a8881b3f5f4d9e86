/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_AGENT_PERCENTILE_H
#define VGPU_AGENT_PERCENTILE_H

#include <stddef.h>
#include <stdint.h>

void percentile_sort(int64_t *values, size_t count);

/*
 * The nearest-rank percentile of sorted values: the smallest that at least per_mille/1000 of them
 * do not exceed. count is at least 1, per_mille 0 to 1000.
 */
int64_t percentile_of(const int64_t *sorted, size_t count, unsigned int per_mille);

#endif
