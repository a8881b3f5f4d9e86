/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of contention-client share: how its jobs come to a GPU. */
#ifndef VGPU_TESTS_BENCH_CONTENTION_CLIENT_H
#define VGPU_TESTS_BENCH_CONTENTION_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DEPTH_MAX 64

/* matmul_f32's, docs/device-spec.md. */
struct product {
	uint64_t a, b, c;
	uint32_t m, n, k;
};

/* Up to k: what follows that is padding. */
#define PRODUCT_BYTES (offsetof(struct product, k) + sizeof(uint32_t))

/* Each ends the program where it fails. Jobs have numbers below DEPTH_MAX. */
struct way {
	/* Prints "ready BACKEND GPU". Returns whether it is a GPU. */
	bool (*open)(const char *argument);
	uint64_t (*allocate)(uint64_t bytes);
	/* 0 is nothing. */
	void (*free)(uint64_t pointer);
	/* Launches the product: so many blocks, of so many threads, in each of two dimensions. */
	void (*start)(unsigned int number, uint32_t blocks, uint32_t threads,
		      const struct product *product);
	void (*finish)(unsigned int number);
	void (*close)(void);
};

/* A channel of ours; CUDA alone. */
extern const struct way way_ring, way_native;

_Noreturn void die(const char *what, const char *why);

#endif
