/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a request's head and the HTTP library lets through: where it is not clear
 * whose request this is, or where its body ends, a proxy before us may have read another request
 * than we do (RFC 9112, 3.2 and 6.3).
 */
#include <strings.h>

#include "mediatord/rest/internal.h"

struct head {
	unsigned int hosts, lengths, codings;
	bool other_coding;
};

static enum MHD_Result count(void *opaque, enum MHD_ValueKind kind, const char *key,
			     const char *value)
{
	struct head *head = opaque;

	(void)kind;
	if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
		head->hosts++;
	} else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		head->lengths++;
	} else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		head->codings++;
		head->other_coding =
			head->other_coding || !value || strcasecmp(value, "chunked") != 0;
	}
	return MHD_YES;
}

unsigned int rest_head_refusal(struct MHD_Connection *connection, const char *version,
			       const char **why)
{
	struct head head = { .hosts = 0 };

	MHD_get_connection_values(connection, MHD_HEADER_KIND, count, &head);
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
	return 0;
}
