/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/limits.h"

#include <errno.h>
#include <string.h>

#include "xml/domain.h"

/* Where a text that begins at c and ends with `end` ends; the document's end where it does not. */
static const char *skip(const char *c, const char *limit, const char *end)
{
	const char *found = memmem(c, (size_t)(limit - c), end, strlen(end));

	return found ? found + strlen(end) : limit;
}

static bool starts(const char *c, const char *limit, const char *text)
{
	return (size_t)(limit - c) >= strlen(text) && memcmp(c, text, strlen(text)) == 0;
}

struct counts {
	size_t markup;
	size_t attributes; /* of the last element */
	size_t namespaces;
};

/* Counts the attributes of a tag, whose first byte behind the < is at c; returns where it ends. */
static const char *count_attributes(const char *c, const char *limit, struct counts *counts)
{
	counts->attributes = 0;
	while (c < limit && *c != '>' && *c != '<') {
		if (*c == '"' || *c == '\'') {
			const char quote[2] = { *c, '\0' };

			c = skip(c + 1, limit, quote);
			continue;
		}
		counts->namespaces += starts(c, limit, "xmlns");
		counts->attributes += *c == '=';
		c++;
	}
	counts->markup += counts->attributes;
	return c;
}

static int check_counts(const struct counts *counts, struct vgpu_error **err)
{
	if (counts->attributes > LIMITS_ATTRIBUTES_MAX)
		return vgpu_error_set(err, EFBIG, "more than %zu attributes in one element",
				      LIMITS_ATTRIBUTES_MAX);
	if (counts->namespaces > LIMITS_NAMESPACES_MAX)
		return vgpu_error_set(err, EFBIG, "more than %zu namespaces",
				      LIMITS_NAMESPACES_MAX);
	if (counts->markup > LIMITS_MARKUP_MAX)
		return vgpu_error_set(err, EFBIG,
				      "more than %zu elements, attributes and comments: no domain "
				      "has so many",
				      LIMITS_MARKUP_MAX);
	return 0;
}

/* The encoding that a document declares, not terminated; NULL where it declares none. */
static const char *declared_encoding(const char *c, const char *limit, size_t *length)
{
	static const char name[] = "encoding";

	if (starts(c, limit, "\xef\xbb\xbf"))
		c += 3;
	if (!starts(c, limit, "<?xml"))
		return NULL;
	limit = skip(c, limit, "?>");
	c = memmem(c, (size_t)(limit - c), name, strlen(name));
	if (!c)
		return NULL;
	for (c += strlen(name); c < limit && strchr("= \t\r\n", *c); c++)
		;
	if (c == limit || (*c != '"' && *c != '\''))
		return NULL;
	for (*length = 1; c + *length < limit && c[*length] != *c; ++*length)
		;
	--*length;
	return c + 1;
}

static int check_encoding(const char *xml, const char *limit, struct vgpu_error **err)
{
	static const char *const utf8[] = { "UTF-8", "UTF8", "US-ASCII", "ASCII" };
	size_t length = 0;
	const char *declared;

	if (memchr(xml, '\0', (size_t)(limit - xml)))
		return vgpu_error_set(err, EINVAL,
				      "holds a NUL byte: a domain's XML is text in UTF-8");
	declared = declared_encoding(xml, limit, &length);
	if (!declared)
		return 0;
	for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++)
		if (strlen(utf8[i]) == length && strncasecmp(declared, utf8[i], length) == 0)
			return 0;
	return vgpu_error_set(err, EINVAL, "the encoding is \"%.*s\": write it in UTF-8",
			      (int)(length > 40 ? 40 : length), declared);
}

int limits_check(const char *xml, size_t length, struct vgpu_error **err)
{
	const char *limit = xml + length;
	struct counts counts = { 0 };

	if (length > VGPU_DOMAIN_BYTES_MAX)
		return vgpu_error_set(err, EFBIG, "longer than %zu MiB: no domain is",
				      VGPU_DOMAIN_BYTES_MAX >> 20);
	if (check_encoding(xml, limit, err) < 0)
		return -1;
	for (const char *c = xml; (c = memchr(c, '<', (size_t)(limit - c)));) {
		c++;
		if (starts(c, limit, "/"))
			continue;
		counts.markup++;
		if (starts(c, limit, "!--"))
			c = skip(c + 3, limit, "-->");
		else if (starts(c, limit, "![CDATA["))
			c = skip(c, limit, "]]>");
		else if (starts(c, limit, "?"))
			c = skip(c, limit, "?>");
		else
			c = count_attributes(c, limit, &counts);
		if (check_counts(&counts, err) < 0)
			return -1;
	}
	return 0;
}
