/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
#include "common/uuid.h"

#include <errno.h>
#include <stdbool.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool dash_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

int vgpu_uuid_parse(const char *text, uint8_t uuid[16])
{
	for (int byte = 0; byte < 16; byte++) {
		int high, low;

		if (dash_before(byte) && *text++ != '-')
			goto invalid;
		high = hex_digit(*text);
		if (high < 0)
			goto invalid;
		low = hex_digit(text[1]);
		if (low < 0)
			goto invalid;
		uuid[byte] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text == '\0')
		return 0;
invalid:
	errno = EINVAL;
	return -1;
}

void vgpu_uuid_format(const uint8_t uuid[16], char text[VGPU_UUID_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (int byte = 0; byte < 16; byte++) {
		if (dash_before(byte))
			*text++ = '-';
		*text++ = digits[uuid[byte] >> 4];
		*text++ = digits[uuid[byte] & 15];
	}
	*text = '\0';
}
