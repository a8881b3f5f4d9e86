/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a request's head and the HTTP library lets through: where it is not clear
 * whose request this is, or where its body ends, a proxy before us may have read another request
 * than we do (RFC 9112, 3.2 and 6.3).
 */
#include <string.h>
#include <strings.h>

#include "mediatord/rest/internal.h"

struct head {
	unsigned int hosts, lengths, codings;
	bool other_coding, encoded;
	bool odd; /* a name that is none */
};

/* What a header's name consists of (RFC 9110, 5.6.2): no space before the colon, above all. */
static bool is_token(const char *text)
{
	static const char bytes[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "!#$%&'*+-.^_`|~";

	return *text && !text[strspn(text, bytes)];
}

static enum MHD_Result count(void *opaque, enum MHD_ValueKind kind, const char *key,
			     const char *value)
{
	struct head *head = opaque;

	(void)kind;
	if (!is_token(key)) {
		head->odd = true;
	} else if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
		head->hosts++;
	} else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		head->lengths++;
	} else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		head->codings++;
		head->other_coding =
			head->other_coding || !value || strcasecmp(value, "chunked") != 0;
	} else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_ENCODING) == 0) {
		head->encoded = true;
	}
	return MHD_YES;
}

unsigned int rest_head_refusal(struct MHD_Connection *connection, const char *version,
			       const char **why)
{
	struct head head = { .hosts = 0 };

	MHD_get_connection_values(connection, MHD_HEADER_KIND, count, &head);
	if (head.odd) {
		*why = "a header's name is none; nothing stands between it and its colon";
		return MHD_HTTP_BAD_REQUEST;
	}
	if (head.hosts > 1 || (head.hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0)) {
		*why = "a request has one Host header";
		return MHD_HTTP_BAD_REQUEST;
	}
	if (head.lengths + head.codings > 1) {
		*why = "a request has one Content-Length or one Transfer-Encoding at most";
		return MHD_HTTP_BAD_REQUEST;
	}
	if (head.other_coding) {
		*why = "chunked is the only Transfer-Encoding here";
		return MHD_HTTP_NOT_IMPLEMENTED;
	}
	if (head.encoded) {
		*why = "no Content-Encoding is known here";
		return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	}
	return 0;
}
