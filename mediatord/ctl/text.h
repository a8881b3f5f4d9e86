/* SPDX-License-Identifier: Apache-2.0 */
/* Text from others, for a terminal. */
#ifndef VGPU_CTL_TEXT_H
#define VGPU_CTL_TEXT_H

#include <stddef.h>

/*
 * Makes visible what a terminal would act upon or not show, as "\n", "\x1b" or "\u202e": control
 * characters, bytes that are no characters of the locale, and whatever has no width of its own. So
 * a name can neither move the cursor, nor change colours, nor pretend to be another. Returns the
 * text, freed with free(); NULL where there is no memory. *width, which may be NULL, becomes the
 * number of columns that it takes.
 */
char *text_visible(const char *text, size_t *width);

/* How many bytes of a text that text_visible() made fit so many columns. */
size_t text_fit(const char *text, size_t columns);

#endif
