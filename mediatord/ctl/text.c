/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* What one byte may become. */
#define ESCAPE_MAX 10 /* "\U0010ffff" */

/* One character of the locale. Returns its bytes; those that are none are one byte each. */
static size_t next_character(const char *text, size_t length, wchar_t *character, int *columns)
{
	mbstate_t state = { 0 };
	size_t bytes = mbrtowc(character, text, length, &state);

	if (bytes == 0 || bytes > length) { /* also (size_t)-1 and -2 */
		*columns = -1;
		*character = (unsigned char)*text;
		return 1;
	}
	*columns = wcwidth(*character);
	return bytes;
}

static int write_escape(char *to, size_t bytes, wchar_t character)
{
	switch (character) {
	case '\n':
		return sprintf(to, "\\n");
	case '\r':
		return sprintf(to, "\\r");
	case '\t':
		return sprintf(to, "\\t");
	}
	if (bytes == 1)
		return sprintf(to, "\\x%02x", (unsigned int)character);
	if (character <= 0xffff)
		return sprintf(to, "\\u%04x", (unsigned int)character);
	return sprintf(to, "\\U%08x", (unsigned int)character);
}

char *text_visible(const char *text, size_t *width)
{
	size_t length = strlen(text), taken = 0;
	char *visible = malloc(length * ESCAPE_MAX + 1);
	char *to = visible;

	if (!visible)
		return NULL;
	while (length > 0) {
		wchar_t character;
		int columns;
		size_t bytes = next_character(text, length, &character, &columns);

		if (columns > 0) {
			memcpy(to, text, bytes);
			to += bytes;
		} else {
			columns = write_escape(to, bytes, character);
			to += columns;
		}
		taken += (size_t)columns;
		text += bytes;
		length -= bytes;
	}
	*to = '\0';
	if (width)
		*width = taken;
	return visible;
}

size_t text_fit(const char *text, size_t columns)
{
	size_t length = strlen(text), fits = 0;

	while (fits < length) {
		wchar_t character;
		int width;
		size_t bytes = next_character(text + fits, length - fits, &character, &width);

		if (width < 0 || (size_t)width > columns)
			break;
		columns -= (size_t)width;
		fits += bytes;
	}
	return fits;
}
