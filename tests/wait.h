/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting in tests for what must come. The limit is far beyond what a busy machine takes, so that
 * only what never comes fails; how long something took is a benchmark's matter.
 */
#ifndef VGPU_TESTS_WAIT_H
#define VGPU_TESTS_WAIT_H

#include <unistd.h>

#include "common/clock.h"

#define WAIT_MS 60000

/* Looks again and again until the condition holds; fails the (cmocka) test where it never does. */
#define wait_until(condition)                                                                      \
	do {                                                                                       \
		const int64_t end_ = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;                     \
		while (!(condition)) {                                                             \
			if (vgpu_now_ns() > end_)                                                  \
				fail_msg("never came true: %s", #condition);                       \
			usleep(2000);                                                              \
		}                                                                                  \
	} while (0)

#endif
