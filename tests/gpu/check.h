/* SPDX-License-Identifier: Apache-2.0 */
/* What the GPU checks print, and how they end. */
#ifndef VGPU_TESTS_GPU_CHECK_H
#define VGPU_TESTS_GPU_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

/* Defined by each program. */
extern int check_failures;

/* One line a check. */
#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		bool held_ = (condition);                                                          \
                                                                                                   \
		printf("%s: ", held_ ? "PASS" : "FAIL");                                           \
		printf(__VA_ARGS__);                                                               \
		printf("\n");                                                                      \
		if (!held_) {                                                                      \
			printf("      %s:%d: %s\n", __FILE__, __LINE__, #condition);               \
			check_failures++;                                                          \
		}                                                                                  \
	} while (0)

/* What nothing can go on without. */
#define MUST(call)                                                                                 \
	do {                                                                                       \
		uint32_t error_ = (call);                                                          \
                                                                                                   \
		if (error_) {                                                                      \
			printf("FAIL: %s:%d: %s gave %u\n", __FILE__, __LINE__, #call, error_);    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static inline int compare_i64(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

/* The sample below which the given part of them lies. Sorts them. */
static inline double percentile_us(int64_t *ns, size_t count, double part)
{
	qsort(ns, count, sizeof(*ns), compare_i64);
	return (double)ns[(size_t)((double)(count - 1) * part)] / 1e3;
}

static inline float random_float(unsigned int *seed)
{
	return (float)rand_r(seed) / (float)RAND_MAX * 2000.0f - 1000.0f;
}

#endif
