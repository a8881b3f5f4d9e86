/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every channel must do, whatever transport and backend it has, against results that this
 * processor computes from fresh random data. Each check ends the program where it finds a mistake.
 */
#ifndef TESTS_CHANNEL_CHECKS_H
#define TESTS_CHANNEL_CHECKS_H

#include "vgpu.h"

void channel_check_seed(unsigned int seed);

/* Ends the program with the library's text where a call failed. */
#define MUST(call)	  channel_check_ok((call), #call, __FILE__, __LINE__)
#define EXPECT(condition) channel_check_true((condition), #condition, __FILE__, __LINE__)
/* A call that must fail with this result, and this CUDA error where it is VGPU_E_CUDA. */
#define MUST_FAIL(call, result, cuda)                                                              \
	channel_check_fails((call), (result), (cuda), #call, __FILE__, __LINE__)

void channel_check_ok(enum vgpu_result result, const char *what, const char *file, int line);
void channel_check_true(int condition, const char *what, const char *file, int line);
void channel_check_fails(enum vgpu_result result, enum vgpu_result wanted, uint32_t cuda,
			 const char *what, const char *file, int line);

/* Of the memory at `bytes`. */
void channel_check_random(void *bytes, size_t count);

void channel_check_device(struct vgpu_channel *channel);
void channel_check_copies(struct vgpu_channel *channel);
void channel_check_set(struct vgpu_channel *channel);
void channel_check_kernels(struct vgpu_channel *channel);
void channel_check_streams(struct vgpu_channel *channel);
void channel_check_errors(struct vgpu_channel *channel);
void channel_check_batches(struct vgpu_channel *channel);
void channel_check_launch_flood(struct vgpu_channel *channel);
void channel_check_threads(struct vgpu_channel *channel);

/* All of them. */
void channel_check_all(struct vgpu_channel *channel);

#endif
