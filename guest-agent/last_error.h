/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling thread's last error. Within libvgpu a function that fails calls one of these once,
 * where it found the failure, and returns what they return; layers above may add their context.
 */
#ifndef VGPU_GUEST_LAST_ERROR_H
#define VGPU_GUEST_LAST_ERROR_H

#include "guest-agent/public.h"

/* Keeps result and text; control characters in it become '?'. Returns result. */
enum vgpu_result last_error_set(enum vgpu_result result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* As last_error_set(), with ": " and strerror(errnum) appended. */
enum vgpu_result last_error_errno(enum vgpu_result result, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts text and ": " in front of what is kept. Returns result, which is what is kept. */
enum vgpu_result last_error_prefix(enum vgpu_result result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Keeps the last error over calls whose own failure is not to be told. */
struct last_error {
	struct vgpu_error_detail detail;
	char text[512];
};

void last_error_save(struct last_error *saved);
void last_error_restore(const struct last_error *saved);

/* Adds the device's ERROR_CODE and CUDA's error number to what is kept. */
void last_error_numbers(uint32_t device_error, uint32_t cuda_error);

#endif
