/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/device_option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

void device_option_clear(struct device_option *option)
{
	free(option->driver);
	free(option->bus);
	free(option->addr);
	free(option->link);
	free(option->window_size);
	*option = (struct device_option){ .slot = -1 };
}

static char **field(struct device_option *option, const char *name, size_t length)
{
	const struct {
		const char *name;
		char **value;
	} fields[] = {
		{ "driver", &option->driver },
		{ "bus", &option->bus },
		{ "addr", &option->addr },
		{ "link", &option->link },
		{ "window-size", &option->window_size },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].name) == length && memcmp(fields[i].name, name, length) == 0)
			return fields[i].value;
	return NULL;
}

/* As in QEMU, a name that comes twice has its last value. */
static int set_field(char **value, const char *text, size_t length)
{
	char *copy;

	if (!value)
		return 0;
	copy = strndup(text, length);
	if (!copy)
		return -1;
	free(*value);
	*value = copy;
	return 0;
}

/* Copies up to the next single comma, with double commas as one; *text moves to behind it. */
static size_t next_value(const char **text, char *out)
{
	const char *c = *text;
	size_t length = 0;

	while (*c && (*c != ',' || c[1] == ',')) {
		c += *c == ',';
		out[length++] = *c++;
	}
	*text = *c ? c + 1 : c;
	return length;
}

static int parse_pairs(const char *text, struct device_option *option)
{
	VGPU_AUTO_FREE char *value = malloc(strlen(text) + 1);

	if (!value)
		return -1;
	for (bool first = true; *text; first = false) {
		size_t name_length = strcspn(text, "=,");
		const char *name = text;
		size_t length;

		if (text[name_length] == '=') {
			text += name_length + 1;
			length = next_value(&text, value);
			if (set_field(field(option, name, name_length), value, length) < 0)
				return -1;
		} else {
			length = next_value(&text, value);
			if (first && set_field(&option->driver, value, length) < 0)
				return -1;
		}
	}
	return 0;
}

/*
 * JSON is searched for its "name": value pairs rather than read: what matters is whether it is a
 * vGPU and which slot it takes. Escapes stay as they are; neither needs any.
 */
static const char *json_string_end(const char *c)
{
	while (*c && *c != '"')
		c += *c == '\\' && c[1] ? 2 : 1;
	return c;
}

static int parse_json(const char *c, struct device_option *option)
{
	static const char blanks[] = " \t\r\n";

	while ((c = strchr(c, '"'))) {
		const char *name = c + 1;
		const char *end = json_string_end(name);
		size_t length = (size_t)(end - name);
		const char *value;

		if (!*end)
			return 0;
		c = end + 1;
		c += strspn(c, blanks);
		if (*c != ':')
			continue;
		c++;
		c += strspn(c, blanks);
		value = c;
		if (*c == '"') {
			value++;
			end = json_string_end(value);
			c = *end ? end + 1 : end;
		} else {
			end = c + strspn(c, "0123456789");
			c = end;
			/* A bare number is slot and function in one: say it as the string form. */
			if (end != value && length == 4 && memcmp(name, "addr", 4) == 0) {
				unsigned long address = strtoul(value, NULL, 10);
				char text[16];

				snprintf(text, sizeof(text), "%lx.%lx", address >> 3 & 0xff,
					 address & 7);
				if (set_field(&option->addr, text, strlen(text)) < 0)
					return -1;
				continue;
			}
		}
		if (set_field(field(option, name, length), value, (size_t)(end - value)) < 0)
			return -1;
	}
	return 0;
}

/* A hexadecimal number, with or without the 0x. Returns it, or -1 where it is above max. */
static int read_hexadecimal(const char *text, unsigned long max, char **end)
{
	unsigned long number;

	if (!isxdigit((unsigned char)*text))
		return -1;
	errno = 0;
	number = strtoul(text, end, 16);
	return errno || number > max ? -1 : (int)number;
}

/* "1c", "0x1c" or "1c.7": as QEMU reads it. */
static void read_address(struct device_option *option)
{
	int slot, function = 0;
	char *end;

	slot = read_hexadecimal(option->addr, 31, &end);
	if (slot >= 0 && *end == '.')
		function = read_hexadecimal(end + 1, 7, &end);
	if (slot < 0 || function < 0 || *end)
		return;
	option->slot = slot;
	option->function = function;
}

int device_option_parse(const char *text, struct device_option *option)
{
	int result;

	*option = (struct device_option){ .slot = -1 };
	result = *text == '{' ? parse_json(text, option) : parse_pairs(text, option);
	if (option->addr)
		read_address(option);
	return result;
}

char *device_option_format(const char *link, uint64_t window_size, const char *bus, int slot,
			   int function)
{
	VGPU_AUTO_FREE char *doubled = malloc(2 * strlen(link) + 1);
	char function_text[16] = "";
	const char *unit = "";
	char *text, *out;

	if (!doubled)
		return NULL;
	out = doubled;
	for (const char *c = link; *c; c++) {
		if (*c == ',')
			*out++ = ',';
		*out++ = *c;
	}
	*out = '\0';
	if (window_size % (UINT64_C(1) << 30) == 0) {
		window_size >>= 30;
		unit = "G";
	} else if (window_size % (UINT64_C(1) << 20) == 0) {
		window_size >>= 20;
		unit = "M";
	}
	if (function)
		snprintf(function_text, sizeof(function_text), ".0x%x", (unsigned int)function);
	if (asprintf(&text,
		     DEVICE_DRIVER ",id=vgpu0,link=%s,window-size=%" PRIu64 "%s,bus=%s,addr=0x%x%s",
		     doubled, window_size, unit, bus, (unsigned int)slot, function_text) < 0)
		return NULL;
	return text;
}

int device_size_parse(const char *text, uint64_t *bytes)
{
	static const char letters[] = "KMGT";
	unsigned long long value;
	unsigned int shift = 0;
	char *end;

	/* strtoull() would take blanks and signs. */
	if (*text < '0' || *text > '9') {
		errno = EINVAL;
		return -1;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -1;
	if (*end) {
		const char *letter = strchr(letters, *end);

		if (!letter || (end[1] && strcmp(end + 1, "iB") != 0)) {
			errno = EINVAL;
			return -1;
		}
		shift = 10 * (unsigned int)(letter - letters + 1);
	}
	if (value > UINT64_MAX >> shift) {
		errno = ERANGE;
		return -1;
	}
	*bytes = (uint64_t)value << shift;
	return 0;
}
