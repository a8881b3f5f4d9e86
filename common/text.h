/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
#ifndef VGPU_COMMON_TEXT_H
#define VGPU_COMMON_TEXT_H

#include <stddef.h>
#include <string.h>

/*
 * Copies as much of a UTF-8 text as fits `size` bytes with its terminator, without cutting a
 * character in two; the rest of `to` becomes zero. size is not 0.
 */
static inline void vgpu_text_cut(char *to, size_t size, const char *from)
{
	size_t length = strlen(from);

	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(to, from, length);
	memset(to + length, 0, size - length);
}

/*
 * Puts '?' for what would end a line or steer a terminal: the control characters of ASCII and, in
 * UTF-8, those from U+0080 to U+009F.
 */
static inline void vgpu_text_one_line(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
		else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			*c = c[1] = '?';
}

#endif
