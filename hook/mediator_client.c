/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/mediator_client.h"

#include <stdbool.h>
#include <string.h>

#include <curl/curl.h>
#include <jansson.h>

static void cleanup_easy(CURL **easy)
{
	curl_easy_cleanup(*easy);
}

static void cleanup_headers(struct curl_slist **headers)
{
	curl_slist_free_all(*headers);
}

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

void mediator_reply_clear(struct mediator_reply *reply)
{
	free(reply->body);
	*reply = (struct mediator_reply){ 0 };
}

static size_t receive(char *bytes, size_t size, size_t count, void *data)
{
	struct mediator_reply *reply = data;
	size_t length = size * count; /* curl: at most CURL_MAX_WRITE_SIZE */
	char *grown;

	if (length > MEDIATOR_REPLY_MAX - reply->length)
		return 0;
	grown = realloc(reply->body, reply->length + length + 1);
	if (!grown)
		return 0;
	memcpy(grown + reply->length, bytes, length);
	reply->body = grown;
	reply->length += length;
	reply->body[reply->length] = '\0';
	return length;
}

static int transfer_error(CURL *easy, CURLcode code, const char *control_socket, long timeout_ms,
			  struct vgpu_error **err)
{
	long os_error = 0;

	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return vgpu_error_set(err, ENOMEM, "out of memory");
	case CURLE_OPERATION_TIMEDOUT:
		return vgpu_error_set(err, ETIMEDOUT,
				      "the mediator at %s did not answer within %ld ms",
				      control_socket, timeout_ms);
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
		if (os_error == 0)
			os_error = ECONNREFUSED;
		return vgpu_error_errno(err, (int)os_error, "cannot reach the mediator at %s",
					control_socket);
	default:
		return vgpu_error_set(err, EPROTO, "the mediator at %s did not answer properly: %s",
				      control_socket, curl_easy_strerror(code));
	}
}

static bool add_header(struct curl_slist **headers, const char *header)
{
	struct curl_slist *longer = curl_slist_append(*headers, header);

	if (longer)
		*headers = longer;
	return longer;
}

int mediator_request(const char *control_socket, long timeout_ms, const char *method,
		     const char *path, const char *body, struct mediator_reply *reply,
		     struct vgpu_error **err)
{
	VGPU_CLEANUP(cleanup_easy) CURL *easy = NULL;
	VGPU_CLEANUP(cleanup_headers) struct curl_slist *headers = NULL;
	VGPU_AUTO_FREE char *url = NULL;
	CURLcode code;

	*reply = (struct mediator_reply){ 0 };
	/* No TLS is set up: this is a Unix socket. */
	easy = curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK ? curl_easy_init() : NULL;
	if (asprintf(&url, "http://localhost%s", path) < 0)
		url = NULL;
	reply->body = strdup("");
	if (!easy || !url || !reply->body ||
	    !add_header(&headers, "Content-Type: application/json") ||
	    !add_header(&headers, "Expect:"))
		return vgpu_error_set(err, ENOMEM, "out of memory");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, control_socket);
	/* Nothing of the environment counts: no proxy, no .netrc, no signals. */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	if (body)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply);
	code = curl_easy_perform(easy);
	if (code != CURLE_OK)
		return transfer_error(easy, code, control_socket, timeout_ms, err);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply->status);
	return 0;
}

char *mediator_reply_problem(const struct mediator_reply *reply)
{
	VGPU_CLEANUP(cleanup_json)
	json_t *problem = json_loadb(reply->body, reply->length, JSON_REJECT_DUPLICATES, NULL);
	const char *text = json_string_value(json_object_get(problem, "detail"));
	char *status;

	if (!text || !*text)
		text = json_string_value(json_object_get(problem, "title"));
	if (text && *text)
		return strdup(text);
	if (asprintf(&status, "the mediator answered with HTTP status %ld", reply->status) < 0)
		return NULL;
	return status;
}
