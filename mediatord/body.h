/* SPDX-License-Identifier: Apache-2.0 */
/* JSON bodies of requests, before anybody knows what they are to mean. */
#ifndef VGPU_MEDIATORD_BODY_H
#define VGPU_MEDIATORD_BODY_H

#include <stddef.h>

#include <jansson.h>

#include "common/error.h"

/* The name of the field that is wrong: a hostile one is cut off and has no control characters. */
struct vm_field_name {
	char text[96];
};

/* Names the field that is wrong: prefix, and the length bytes of a key that may come from a client.
 */
void body_blame(struct vm_field_name *field, const char *prefix, const char *key, size_t length);

/*
 * Decodes a body, in which no object may have a key twice. Returns what it is, which the caller
 * owns; or NULL and err (400), and in *field, which is "" otherwise, the name of a number that is
 * too large for any field, or of what is there twice.
 */
json_t *body_decode(const char *text, size_t length, struct vm_field_name *field,
		    struct vgpu_error **err);

#endif
