/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/* Little-endian loads and stores from bytes of any alignment, and range checks. */
#ifndef VGPU_COMMON_BYTES_H
#define VGPU_COMMON_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t vgpu_load32(const void *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static inline void vgpu_store32(void *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
}

/* A 64-bit value as two words, LO first: the form that registers and parameters have. */
static inline uint64_t vgpu_load64(const void *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

static inline void vgpu_store64(void *bytes, uint64_t value)
{
	value = htole64(value);
	memcpy(bytes, &value, sizeof(value));
}

/* Whether [offset, offset + length) lies within [0, size). Never overflows. */
static inline bool vgpu_range_ok(uint64_t offset, uint64_t length, uint64_t size)
{
	return length <= size && offset <= size - length;
}

/* value rounded up to a power of two; value must be at most UINT64_MAX - alignment + 1. */
static inline uint64_t vgpu_align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

#endif
