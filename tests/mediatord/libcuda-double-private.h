/* SPDX-License-Identifier: Apache-2.0 */
/* What the double's files share. */
#ifndef VGPU_TESTS_LIBCUDA_DOUBLE_PRIVATE_H
#define VGPU_TESTS_LIBCUDA_DOUBLE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Its types and values; it declares no function. */
#include "mediatord/worker/cuda_api.h"
#include "tests/mediatord/libcuda-double.h"

#define EXPORT	       __attribute__((visibility("default")))
#define BLOCK	       (UINT64_C(2) << 20)
#define PARAMETERS_MAX 16

/* Counts a call, and says what it fails with, if it does. */
cuda_error enter(const char *name, bool needs_init);

#define ENTER()                                                                                    \
	do {                                                                                       \
		cuda_error entered_ = enter(__func__, true);                                       \
		if (entered_)                                                                      \
			return entered_;                                                           \
	} while (0)

#define ENTER_CONTEXT()                                                                            \
	do {                                                                                       \
		ENTER();                                                                           \
		if (!current)                                                                      \
			return CUDA_ERROR_INVALID_CONTEXT;                                         \
	} while (0)

/* Everything of a context is in one list, so that its end frees all of it. */
enum kind {
	ALLOCATION,
	MODULE,
	STREAM,
	EVENT,
	REGISTRATION
};

struct object {
	enum kind kind;
	struct object *next;
	uint8_t *memory; /* allocations and registrations */
	uint64_t bytes;
	uint32_t busy;	    /* streams */
	int64_t done_ns;    /* when a stream's work ends; what an event was recorded after */
	struct timespec at; /* events */
	bool recorded;
	struct cuda_function_tag *functions; /* modules */
};

struct cuda_function_tag {
	struct cuda_function_tag *next;
	char name[64];
	size_t count, offset[PARAMETERS_MAX], bytes[PARAMETERS_MAX];
};

struct cuda_context_tag {
	struct object *objects;
};

extern struct double_control control;
extern uint32_t sticky_error;
extern struct cuda_context_tag *current;
extern struct object default_stream;

/* bytes in whole blocks. */
uint64_t blocks_of(uint64_t bytes);
/* Adds one to the context. */
struct object *object_new(enum kind kind);
/* Takes it out of the context. NULL where it is none of this kind. */
struct object *object_take(enum kind kind, const void *handle);
void object_free(struct object *object);
struct object *find(enum kind kind, const void *handle);
struct object *stream_find(const void *stream);
/* The memory of a device's range, or NULL. */
uint8_t *device(cuda_pointer pointer, uint64_t bytes);
/* Work on a stream that takes so long. */
cuda_error start_work(const void *stream, uint64_t ns);
/* Whether the time of what ends then has not come. */
bool not_done(int64_t done_ns);
/* Waits for it. */
void wait_until_done(int64_t done_ns);

/* The functions: their declarations are cuda_api.h's list. */
#define DECLARE(member, symbol, arguments) EXPORT cuda_error symbol arguments;
CUDA_API_FUNCTIONS(DECLARE, DECLARE)

#endif
