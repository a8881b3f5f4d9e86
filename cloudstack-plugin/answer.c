/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/answer.h"

#include <string.h>

#include "common/text.h"

#define TEXT_MAX  1024
#define TOTAL_MAX 1000000

const char *cs_text(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	size_t length = json_string_length(value);

	return length > 0 && length <= TEXT_MAX ? json_string_value(value) : NULL;
}

static int refused_errno(long code)
{
	switch (code) {
	case 401:
		return EACCES;
	case 403:
	case 432: /* the role has no such command */
		return EPERM;
	case 429:
	case 503:
		return EAGAIN;
	default:
		return EREMOTEIO;
	}
}

/* Says what the API refused, in its words and with its numbers. Returns -1. */
static int refused(long http_status, const json_t *payload, struct vgpu_error **err)
{
	json_int_t code = json_integer_value(json_object_get(payload, "errorcode"));
	json_int_t detail = json_integer_value(json_object_get(payload, "cserrorcode"));
	const char *words = json_string_value(json_object_get(payload, "errortext"));
	char text[256];

	vgpu_text_cut(text, sizeof(text), words ? words : "no reason given");
	vgpu_text_one_line(text);
	if (code < 400 || code > 999)
		code = http_status;
	return vgpu_error_set(err, refused_errno((long)code),
			      "CloudStack refused: %s (error %" JSON_INTEGER_FORMAT
			      ", cserrorcode %" JSON_INTEGER_FORMAT ")",
			      text, code, detail);
}

static int no_json(long http_status, const char *text, size_t length, struct vgpu_error **err)
{
	const char *first = text;

	while (first < text + length && strchr(" \t\r\n", *first) && *first)
		first++;
	if (first < text + length && *first == '<')
		return vgpu_error_set(err, EPROTO,
				      "the answer (HTTP status %ld) is HTML, not JSON; is api-url "
				      "the API's, as https://HOST/client/api?",
				      http_status);
	return vgpu_error_set(err, EPROTO, "the answer (HTTP status %ld, %zu bytes) is not JSON",
			      http_status, length);
}

int cs_answer_read(long http_status, const char *text, size_t length, json_t **payload,
		   struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *answer = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	void *only = json_object_iter(answer);
	const char *key = only ? json_object_iter_key(only) : "";
	json_t *value = only ? json_object_iter_value(only) : NULL;
	const char *end = strstr(key, "response");

	*payload = NULL;
	/* Whoever is in front of the management server may say so, in words of its own. */
	if ((http_status == 429 || http_status == 503) && !json_object_get(value, "errorcode"))
		return vgpu_error_set(err, EAGAIN, "CloudStack answers with HTTP status %ld: later",
				      http_status);
	if (!answer)
		return no_json(http_status, text, length, err);
	if (json_object_size(answer) != 1 || !end || strcmp(end, "response") != 0 ||
	    !json_is_object(value))
		return vgpu_error_set(err, EPROTO,
				      "the answer (HTTP status %ld) is JSON, but none of "
				      "CloudStack's API",
				      http_status);
	if (http_status != 200 || json_object_get(value, "errorcode"))
		return refused(http_status, value, err);
	*payload = json_incref(value);
	return 0;
}

int cs_page_read(const json_t *payload, const char *name, struct cs_page *page,
		 struct vgpu_error **err)
{
	const json_t *count = json_object_get(payload, "count");
	json_t *items = json_object_get(payload, name);

	*page = (struct cs_page){ .items = items, .length = json_array_size(items) };
	if (items && !json_is_array(items))
		return vgpu_error_set(err, EPROTO, "\"%s\" in the answer is no list", name);
	/* An empty list is an empty object. */
	if (count && (!json_is_integer(count) || json_integer_value(count) < 0 ||
		      json_integer_value(count) > TOTAL_MAX))
		return vgpu_error_set(err, EPROTO, "\"count\" in the answer is no count");
	page->total = count ? (size_t)json_integer_value(count) : page->length;
	for (size_t i = 0; i < page->length; i++)
		if (!json_is_object(json_array_get(items, i)))
			return vgpu_error_set(
				err, EPROTO, "\"%s\" in the answer holds other than objects", name);
	return 0;
}
