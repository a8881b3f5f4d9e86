/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rest_client.h"

#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <jansson.h>

#include "common/json_auto.h"

static void cleanup_easy(CURL **easy)
{
	curl_easy_cleanup(*easy);
}

static void cleanup_headers(struct curl_slist **headers)
{
	curl_slist_free_all(*headers);
}

void rest_reply_clear(struct rest_reply *reply)
{
	free(reply->body);
	*reply = (struct rest_reply){ 0 };
}

/* A request on its way. */
struct transfer {
	size_t room; /* bytes that the reply's body has */
	const struct rest_server *server;
	const struct rest_request *request;
	struct rest_reply *reply;
	CURL *easy;
	bool ended;		/* by the sink */
	bool too_long;		/* the body was */
	struct vgpu_error *err; /* the sink's */
};

static size_t collect(struct transfer *transfer, const char *bytes, size_t length)
{
	struct rest_reply *reply = transfer->reply;
	size_t needed = reply->length + length + 1;

	if (length > transfer->server->reply_max - reply->length) {
		transfer->too_long = true;
		return 0;
	}
	/* Twice as much each time: a long answer comes in thousands of pieces. */
	if (needed > transfer->room) {
		char *grown = realloc(reply->body, 2 * needed);

		if (!grown)
			return 0;
		reply->body = grown;
		transfer->room = 2 * needed;
	}
	memcpy(reply->body + reply->length, bytes, length);
	reply->length += length;
	reply->body[reply->length] = '\0';
	return length;
}

static size_t receive(char *bytes, size_t size, size_t count, void *opaque)
{
	struct transfer *transfer = opaque;
	const struct rest_request *request = transfer->request;
	size_t length = size * count; /* curl: at most CURL_MAX_WRITE_SIZE */
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!request->sink || status < 200 || status >= 300)
		return collect(transfer, bytes, length);
	transfer->ended = !request->sink(request->opaque, bytes, length, &transfer->err);
	return transfer->ended ? 0 : length;
}

static size_t receive_header(char *line, size_t size, size_t count, void *opaque)
{
	static const char name[] = "etag:";
	struct transfer *transfer = opaque;
	size_t length = size * count;
	const char *end = line + length;

	if (length < sizeof(name) || strncasecmp(line, name, sizeof(name) - 1) != 0)
		return length;
	line += sizeof(name) - 1;
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	while (end > line && strchr(" \t\r\n", end[-1]))
		end--;
	if ((size_t)(end - line) < sizeof(transfer->reply->etag) &&
	    !memchr(line, '\0', (size_t)(end - line))) {
		memcpy(transfer->reply->etag, line, (size_t)(end - line));
		transfer->reply->etag[end - line] = '\0';
	}
	return length;
}

static int transfer_error(struct transfer *transfer, CURLcode code, struct vgpu_error **err)
{
	const struct rest_server *server = transfer->server;
	const char *where = server->socket ? server->socket : server->url;
	long os_error = 0;

	if (transfer->err && err) {
		*err = vgpu_steal_pointer(&transfer->err);
		return -1;
	}
	if (transfer->ended)
		return vgpu_error_set(err, ECANCELED, "the transfer was ended");
	if (transfer->too_long)
		return vgpu_error_set(err, EPROTO,
				      "the mediator at %s gave an answer of more than %zu bytes",
				      where, server->reply_max);
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return vgpu_error_set(err, ENOMEM, "out of memory");
	case CURLE_OPERATION_TIMEDOUT:
		if (transfer->request->sink)
			return vgpu_error_set(err, ETIMEDOUT, "the mediator at %s fell silent",
					      where);
		return vgpu_error_set(err, ETIMEDOUT,
				      "the mediator at %s did not answer within %ld ms", where,
				      server->timeout_ms);
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
		if (os_error == 0)
			os_error = ECONNREFUSED;
		return vgpu_error_errno(err, (int)os_error, "cannot reach the mediator at %s",
					where);
	case CURLE_COULDNT_RESOLVE_HOST:
		return vgpu_error_set(err, EHOSTUNREACH,
				      "cannot reach the mediator at %s: there is no such host",
				      where);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return vgpu_error_set(err, EACCES, "the mediator at %s is not trusted: %s", where,
				      curl_easy_strerror(code));
	default:
		return vgpu_error_set(err, EPROTO, "the mediator at %s did not answer properly: %s",
				      where, curl_easy_strerror(code));
	}
}

static bool add_header(struct curl_slist **headers, const char *name, const char *value)
{
	VGPU_AUTO_FREE char *header = NULL;
	struct curl_slist *longer;

	if (asprintf(&header, "%s%s", name, value) < 0) {
		header = NULL;
		return false;
	}
	longer = curl_slist_append(*headers, header);
	if (longer)
		*headers = longer;
	return longer;
}

static bool add_headers(struct curl_slist **headers, const struct rest_server *server,
			const struct rest_request *request)
{
	const char *type = request->content_type ? request->content_type : "application/json";

	return add_header(headers, "Content-Type: ", type) && add_header(headers, "Expect:", "") &&
	       (!server->token || add_header(headers, "Authorization: Bearer ", server->token)) &&
	       (!request->header || add_header(headers, request->header, ""));
}

/* How long the transfer may take. A stream is done when its sender or its sink says so. */
static void set_times(struct transfer *transfer)
{
	const struct rest_request *request = transfer->request;

	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, transfer->server->timeout_ms);
	if (!request->sink) {
		curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, transfer->server->timeout_ms);
	} else if (request->silence_seconds) {
		curl_easy_setopt(transfer->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(transfer->easy, CURLOPT_LOW_SPEED_TIME, request->silence_seconds);
	}
}

static void set_up(struct transfer *transfer, const char *url, struct curl_slist *headers)
{
	const struct rest_server *server = transfer->server;
	CURL *easy = transfer->easy;

	curl_easy_setopt(easy, CURLOPT_URL, url);
	if (server->socket)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, server->socket);
	if (server->cacert)
		curl_easy_setopt(easy, CURLOPT_CAINFO, server->cacert);
	/* Nothing of the environment counts: no proxy, no .netrc, no signals. */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	set_times(transfer);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->request->method);
	if (transfer->request->body)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->request->body);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, receive_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
}

int rest_call(const struct rest_server *server, const struct rest_request *request,
	      struct rest_reply *reply, struct vgpu_error **err)
{
	VGPU_CLEANUP(cleanup_easy) CURL *easy = NULL;
	VGPU_CLEANUP(cleanup_headers) struct curl_slist *headers = NULL;
	VGPU_AUTO_FREE char *url = NULL;
	struct transfer transfer = { .server = server, .request = request, .reply = reply };
	CURLcode code;
	int result = 0;

	*reply = (struct rest_reply){ 0 };
	/* No TLS is set up for a Unix socket. */
	easy = curl_global_init(server->socket ? CURL_GLOBAL_NOTHING : CURL_GLOBAL_SSL) == CURLE_OK
		       ? curl_easy_init()
		       : NULL;
	if (asprintf(&url, "%s%s", server->socket ? "http://localhost" : server->url,
		     request->path) < 0)
		url = NULL;
	reply->body = strdup("");
	if (!easy || !url || !reply->body || !add_headers(&headers, server, request))
		return vgpu_error_set(err, ENOMEM, "out of memory");
	transfer.easy = easy;
	set_up(&transfer, url, headers);
	code = curl_easy_perform(easy);
	if (code != CURLE_OK)
		result = transfer_error(&transfer, code, err);
	else
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply->status);
	vgpu_error_free(&transfer.err);
	return result;
}

char *rest_reply_problem(const struct rest_reply *reply)
{
	VGPU_AUTO_JSON
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
