/* SPDX-License-Identifier: Apache-2.0 */
/* Problem documents (RFC 9457): what REST answers instead of what was asked for. */
#ifndef VGPU_MEDIATORD_PROBLEM_H
#define VGPU_MEDIATORD_PROBLEM_H

#include <jansson.h>

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/*
 * A problem document of the HTTP status. detail says what is wrong to a human; it may hold bytes
 * that a client sent. field is the JSON name of the one field that is wrong, or "". The caller
 * owns the result. NULL: no memory.
 */
json_t *problem_to_json(unsigned int status, const char *detail, const char *field);

/*
 * A JSON string of a text that may be no UTF-8, or be cut off within a character: every byte that
 * is not ASCII becomes '?' then. The caller owns the result. NULL: no memory.
 */
json_t *problem_text_to_json(const char *text);

#endif
