/* SPDX-License-Identifier: Apache-2.0 */
/* The elements of vectors, as text. */
#ifndef VGPU_AGENT_NUMBER_H
#define VGPU_AGENT_NUMBER_H

#include <stddef.h>

enum number_type {
	NUMBER_F32,
	NUMBER_I32,
};

#define NUMBER_BYTES	4  /* of an element */
#define NUMBER_TEXT_MAX 24 /* bytes that number_format() may need, with the terminator */

/*
 * Reads one number, which must be all of the text: an optional sign, then decimal digits; for f32
 * with an optional point and exponent. It must be in the type's range; f32 rounds to the nearest.
 * No words ("nan", "inf"), no hexadecimal. Returns 0, or -1 with *why a static text.
 */
int number_parse(enum number_type type, const char *text, void *element, const char **why);

/* Writes the element so that number_parse() gives it back bit by bit. Returns the length. */
size_t number_format(enum number_type type, const void *element, char text[NUMBER_TEXT_MAX]);

#endif
