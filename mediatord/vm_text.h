/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What REST shows of a VM that changes only with its registration: made once a change, not once a
 * read. Immutable and counted: readers keep it while the registry already has the next one.
 */
#ifndef VGPU_MEDIATORD_VM_TEXT_H
#define VGPU_MEDIATORD_VM_TEXT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "mediatord/vm_config.h"

#define VM_ETAG_BYTES 19 /* 16 digits in quotes */

struct registry_vm;

struct vm_text {
	atomic_uint references;
	uint8_t uuid[16];
	char etag[VM_ETAG_BYTES]; /* of what is configured, in quotes */
	size_t length;
	char json[]; /* the members of an object, without its braces */
};

/* NULL: no memory. */
struct vm_text *vm_text_new(const struct registry_vm *vm);
struct vm_text *vm_text_reference(struct vm_text *text);
/* *text becomes NULL; NULL is fine. */
void vm_text_release(struct vm_text **text);

/* What a hold is called in JSON. */
const char *vm_hold_name(enum vm_hold hold);

/* The ETag of a text: the same for the same bytes. */
void etag_make(const char *text, char etag[VM_ETAG_BYTES]);

/* Whether the value of an If-Match header names this etag; "*" names any. */
int etag_matches(const char *if_match, const char *etag);

#endif
