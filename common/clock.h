/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
#ifndef VGPU_COMMON_CLOCK_H
#define VGPU_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

#define VGPU_NS_PER_SECOND INT64_C(1000000000)
#define VGPU_NS_PER_MS	   INT64_C(1000000)
#define VGPU_NS_PER_US	   INT64_C(1000)

/* CLOCK_MONOTONIC in nanoseconds. */
static inline int64_t vgpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * VGPU_NS_PER_SECOND + now.tv_nsec;
}

#endif
