/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/sign.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "common/cleanup.h"

#define SHA1_BYTES   20
#define BASE64_CHARS ((CS_WEBHOOK_SIGNATURE + 2) / 3 * 4)

/* What java.net.URLEncoder leaves as it is: '*', unlike others, and not '~'. */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr(".-*_", c));
}

/* Writes the escaped text at `to`, which has room for three times as much. Returns its end. */
static char *escape(char *to, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (is_plain(*c)) {
			*to++ = (char)*c;
			continue;
		}
		*to++ = '%';
		*to++ = digits[*c >> 4];
		*to++ = digits[*c & 15];
	}
	return to;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct cs_param *)a)->name, ((const struct cs_param *)b)->name);
}

/*
 * Joins sorted parameters. In what is signed, names stand as they are, and all is lower-cased: the
 * escapes' digits too. Room was made for the longer of both.
 */
static char *join(char *to, const struct cs_param *params, size_t count, bool to_sign)
{
	char *start = to;

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*to++ = '&';
		to = to_sign ? stpcpy(to, params[i].name) : escape(to, params[i].name);
		*to++ = '=';
		to = escape(to, params[i].value);
	}
	*to = '\0';
	for (char *c = start; to_sign && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return to;
}

char *cs_sign(struct cs_param *params, size_t count, const char *secret)
{
	uint8_t digest[SHA1_BYTES];
	gnutls_datum_t raw = { digest, sizeof(digest) };
	gnutls_datum_t text = { NULL, 0 };
	size_t room = sizeof("&signature=") + (size_t)3 * BASE64_CHARS;
	char *form, *end;

	for (size_t i = 0; i < count; i++)
		room += 3 * (strlen(params[i].name) + strlen(params[i].value)) + 2;
	form = malloc(room);
	if (!form)
		return NULL;
	qsort(params, count, sizeof(*params), compare_names);
	end = join(form, params, count, true);
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA1, secret, strlen(secret), form, (size_t)(end - form),
			     digest) < 0 ||
	    gnutls_base64_encode2(&raw, &text) < 0) {
		free(form);
		return NULL;
	}
	end = stpcpy(join(form, params, count, false), "&signature=");
	*escape(end, (const char *)text.data) = '\0';
	gnutls_free(text.data);
	return form;
}

bool cs_webhook_signature(const char *header, uint8_t signature[CS_WEBHOOK_SIGNATURE])
{
	gnutls_datum_t text = { (unsigned char *)header, (unsigned int)strlen(header) };
	gnutls_datum_t raw = { NULL, 0 };
	bool good;

	if (strlen(header) != BASE64_CHARS || gnutls_base64_decode2(&text, &raw) < 0)
		return false;
	good = raw.size == CS_WEBHOOK_SIGNATURE;
	if (good)
		memcpy(signature, raw.data, CS_WEBHOOK_SIGNATURE);
	gnutls_free(raw.data);
	return good;
}

bool cs_webhook_signed(const uint8_t signature[CS_WEBHOOK_SIGNATURE], const void *body,
		       size_t length, const char *secret)
{
	uint8_t digest[CS_WEBHOOK_SIGNATURE];

	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, strlen(secret), body, length, digest) ==
		       0 &&
	       gnutls_memcmp(digest, signature, sizeof(digest)) == 0;
}
