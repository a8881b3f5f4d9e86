/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers by which a channel's tenant names its modules, functions, streams and events. A
 * number holds its kind and a count of its slot's uses, so that one of another kind, one that was
 * destroyed, and one that was made up are all found out.
 */
#ifndef VGPU_WORKER_HANDLES_H
#define VGPU_WORKER_HANDLES_H

#include <stdint.h>

#include "mediatord/worker/allocations.h"

#define HANDLES_MAX 4096u /* of each kind */

enum handle_kind {
	HANDLE_MODULE,
	HANDLE_FUNCTION,
	HANDLE_STREAM,
	HANDLE_EVENT,
	HANDLE_KINDS,
};

struct handle {
	uint64_t object;	    /* the backend's handle; 0: the slot is free */
	uint32_t uses;		    /* of the slot, this one included; wraps, and is never 0 */
	uint32_t module;	    /* a function's: the handle of its module */
	struct allocation *globals; /* a module's */
	uint32_t next_free;	    /* slot + 1; 0: none */
};

struct handle_table {
	enum handle_kind kind;
	struct handle *slots; /* HANDLES_MAX; its pages are touched as they are needed */
	uint32_t fresh;	      /* slots from here on were never used */
	uint32_t count;	      /* of slots in use */
	/* First in, first out, so that a number stays unused for as long as it can. */
	uint32_t first_free, last_free; /* slot + 1; 0: none */
};

/* Returns 0, or -1 with ENOMEM. */
int handle_table_open(struct handle_table *table, enum handle_kind kind);
void handle_table_close(struct handle_table *table);

/* Gives a backend's object, which is not 0, a number. Returns it, or 0: the table is full. */
uint32_t handle_add(struct handle_table *table, uint64_t object);

/* The slot of a tenant's number, or NULL where it has no meaning; valid until it is removed. */
struct handle *handle_find(const struct handle_table *table, uint64_t number);

/* Removes one that handle_find() gave. */
void handle_remove(struct handle_table *table, struct handle *handle);

/* The number of a slot that is in use. */
uint32_t handle_number(const struct handle_table *table, const struct handle *handle);

/* The first slot in use from *slot on, or NULL; *slot is then what to go on with. */
struct handle *handle_next(const struct handle_table *table, uint32_t *slot);

#endif
