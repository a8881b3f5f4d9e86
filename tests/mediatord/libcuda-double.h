/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for NVIDIA's libcuda.so.1 on hosts without a GPU: what this project uses of it, on the
 * host's memory, and with failures on demand. What a program that has loaded it steers it by:
 */
#ifndef VGPU_TESTS_LIBCUDA_DOUBLE_H
#define VGPU_TESTS_LIBCUDA_DOUBLE_H

#include <stdint.h>

struct double_control {
	/* To be set. */
	uint64_t fail_at;	   /* the call, counted from 1, that fails; 0: none */
	uint32_t fail_with;	   /* a CUresult */
	int sticky;		   /* and so does every call after it but the context's end */
	int pageable;		   /* the attribute */
	uint32_t busy;		   /* how many queries of a stream with new work say "not ready" */
	uint64_t launch_ns;	   /* what a kernel takes, after what is on its stream already */
	uint64_t copy_ns;	   /* what a MiB of a copy takes */
	int hung;		   /* no work ends */
	const uint32_t *allowed;   /* where this is 0 no work may be started; NULL: it always may */
	uint64_t local_bytes;	   /* of every function */
	uint64_t module_bytes;	   /* of variables that compiled PTX gets */
	uint32_t fail_module_load; /* a CUresult that every load gives; 0: none */
	/* To be read. */
	uint64_t calls;
	const char *failed; /* the function that failed by fail_at */
	uint32_t contexts, modules, streams, events, allocations, registrations, links;
	uint64_t memory;    /* bytes that they take, in blocks of 2 MiB */
	uint64_t started;   /* pieces of work */
	int64_t done_ns;    /* when the last of it ends, in CLOCK_MONOTONIC's time */
	uint64_t ahead_ns;  /* the longest that work was started ahead of its end */
	uint64_t forbidden; /* times that work was started where it was not allowed */
	uint64_t held_up;   /* times that something was compiled where work was allowed */
};

/* Begins anew, as a process that has just loaded it: nothing is there, and all is 0. */
#define DOUBLE_CONTROL "vgpu_double_control"
typedef struct double_control *double_control_function(void);

/* In the environment of a program that knows nothing of it: what a product takes, each inner. */
#define DOUBLE_PRODUCT_NS "VGPU_DOUBLE_PRODUCT_NS"

#define DOUBLE_MEMORY (UINT64_C(1) << 30) /* the GPU's */
#define DOUBLE_FRESH  0xa5		  /* what its memory is full of */

#endif
