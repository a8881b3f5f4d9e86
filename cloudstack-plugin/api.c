/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/api.h"

#include <string.h>
#include <time.h>

#include <curl/curl.h>

#define REPLY_MAX	((size_t)16 << 20)
#define EXPIRES_SECONDS 600 /* CloudStack takes 15 minutes at most; its clock may differ */
#define PAGES_MAX	1000
#define ITEMS_MAX	100000
#define RETRY_AFTER_MAX 3600

struct cs_api {
	struct cs_server server;
	CURL *easy;
	char *body;
	size_t length, room;
	bool too_long;
	unsigned int retry_after;
	struct cs_cost cost;
};

static size_t receive(char *bytes, size_t size, size_t count, void *opaque)
{
	struct cs_api *api = opaque;
	size_t length = size * count; /* curl: at most CURL_MAX_WRITE_SIZE */
	size_t needed = api->length + length;

	if (needed > REPLY_MAX) {
		api->too_long = true;
		return 0;
	}
	if (needed > api->room) {
		char *grown = realloc(api->body, 2 * needed);

		if (!grown)
			return 0;
		api->body = grown;
		api->room = 2 * needed;
	}
	memcpy(api->body + api->length, bytes, length);
	api->length = needed;
	return length;
}

struct cs_api *cs_api_new(const struct cs_server *server)
{
	struct cs_api *api = calloc(1, sizeof(*api));

	if (!api)
		return NULL;
	api->server = *server;
	api->easy = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
	if (!api->easy)
		cs_api_free(&api);
	return api;
}

void cs_api_free(struct cs_api **api)
{
	struct cs_api *old = vgpu_steal_pointer(api);

	if (!old)
		return;
	curl_easy_cleanup(old->easy);
	free(old->body);
	free(old);
}

unsigned int cs_api_retry_after(const struct cs_api *api)
{
	return api->retry_after;
}

struct cs_cost cs_api_cost(const struct cs_api *api)
{
	return api->cost;
}

static int transfer_error(struct cs_api *api, CURLcode code, struct vgpu_error **err)
{
	const char *url = api->server.url;
	long os_error = 0;

	if (api->too_long)
		return vgpu_error_set(err, EMSGSIZE,
				      "%s gave an answer of more than %zu bytes; make "
				      "page-size smaller",
				      url, REPLY_MAX);
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return vgpu_error_set(err, ENOMEM, "out of memory");
	case CURLE_OPERATION_TIMEDOUT:
		return vgpu_error_set(err, ETIMEDOUT, "%s did not answer within %ld ms", url,
				      api->server.timeout_ms);
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(api->easy, CURLINFO_OS_ERRNO, &os_error);
		return vgpu_error_errno(err, os_error ? (int)os_error : ECONNREFUSED,
					"cannot reach %s", url);
	case CURLE_COULDNT_RESOLVE_HOST:
		return vgpu_error_set(err, EHOSTUNREACH, "cannot reach %s: there is no such host",
				      url);
	default:
		return vgpu_error_set(err, EPROTO, "%s did not answer properly: %s", url,
				      curl_easy_strerror(code));
	}
}

/* Sends a form. Returns 0 and the answer in *api, with its HTTP status; or -1 and err. */
static int post(struct cs_api *api, const char *form, long *http_status, struct vgpu_error **err)
{
	CURL *easy = api->easy;
	curl_off_t wait = 0;
	CURLcode code;

	api->length = 0;
	api->too_long = false;
	api->retry_after = 0;
	/* Options go, the connection stays. */
	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, api->server.url);
	if (api->server.cacert)
		curl_easy_setopt(easy, CURLOPT_CAINFO, api->server.cacert);
	/* Nothing of the environment counts: no proxy, no .netrc, no signals. */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, api->server.timeout_ms);
	/* A body: URLs stand in logs, and servers may insist (enforce.post.requests...). */
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, form);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, api);
	code = curl_easy_perform(easy);
	api->cost.requests++;
	api->cost.bytes += api->length;
	if (code != CURLE_OK)
		return transfer_error(api, code, err);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, http_status);
	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
	/* Below 0: a date that is over. */
	if (wait > 0)
		api->retry_after = wait > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (unsigned int)wait;
	return 0;
}

int cs_call(struct cs_api *api, const char *command, const struct cs_param *params, size_t count,
	    json_t **payload, struct vgpu_error **err)
{
	struct cs_param all[CS_PARAMS_MAX + 5];
	VGPU_AUTO_FREE char *form = NULL;
	time_t expires = time(NULL) + EXPIRES_SECONDS;
	long http_status = 0;
	char date[40] = "";
	struct tm utc;
	size_t n = 0;

	*payload = NULL;
	if (count > CS_PARAMS_MAX)
		return vgpu_error_set(err, E2BIG, "%s: more than %d parameters", command,
				      CS_PARAMS_MAX);
	if (gmtime_r(&expires, &utc))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S+0000", &utc);
	all[n++] = (struct cs_param){ "command", command };
	all[n++] = (struct cs_param){ "apiKey", api->server.api_key };
	all[n++] = (struct cs_param){ "response", "json" };
	all[n++] = (struct cs_param){ "signatureVersion", "3" };
	all[n++] = (struct cs_param){ "expires", date };
	for (size_t i = 0; i < count; i++)
		all[n++] = params[i];
	form = cs_sign(all, n, api->server.secret_key);
	if (!form)
		return vgpu_error_set(err, ENOMEM, "cannot sign a request");
	if (post(api, form, &http_status, err) < 0 ||
	    cs_answer_read(http_status, api->body ? api->body : "", api->length, payload, err) <
		    0) {
		vgpu_error_prefix(err, "%s", command);
		return -1;
	}
	return 0;
}

/* Asks once for a job. Returns 1 when it is done, 0 when not yet, or -1 and err. */
static int look_at_job(struct cs_api *api, const char *job, struct vgpu_error **err)
{
	const struct cs_param params[] = { { "jobid", job } };
	VGPU_AUTO_JSON json_t *payload = NULL;
	const json_t *status;
	const char *words;

	if (cs_call(api, "queryAsyncJobResult", params, 1, &payload, err) < 0)
		return -1;
	status = json_object_get(payload, "jobstatus");
	if (!json_is_integer(status) || json_integer_value(status) < 0 ||
	    json_integer_value(status) > 2)
		return vgpu_error_set(err, EPROTO, "the job %s has no status that is known", job);
	if (json_integer_value(status) < 2)
		return (int)json_integer_value(status);
	words = cs_text(json_object_get(payload, "jobresult"), "errortext");
	return vgpu_error_set(err, EREMOTEIO, "CloudStack's job failed: %s",
			      words ? words : "no reason given");
}

int cs_call_job(struct cs_api *api, const char *command, const struct cs_param *params,
		size_t count, unsigned int limit_s, struct vgpu_error **err)
{
	const struct timespec pause = { .tv_nsec = 500 * 1000 * 1000 };
	VGPU_AUTO_JSON json_t *payload = NULL;
	const char *job;
	int done = 0;

	if (cs_call(api, command, params, count, &payload, err) < 0)
		return -1;
	job = cs_text(payload, "jobid");
	if (!job)
		return vgpu_error_set(err, EPROTO, "%s: the answer names no job", command);
	for (unsigned int i = 0; i < 2 * limit_s; i++) {
		done = look_at_job(api, job, err);
		if (done != 0)
			break;
		nanosleep(&pause, NULL);
	}
	if (done == 0)
		vgpu_error_set(err, ETIMEDOUT, "the job %s did not end within %u s", job, limit_s);
	if (done <= 0)
		vgpu_error_prefix(err, "%s", command);
	return done > 0 ? 0 : -1;
}

/* Gets one page and appends it to *items, *total being what the page before told of. Returns how
 * many it had, or -1 and err. */
static int get_page(struct cs_api *api, const char *command, const struct cs_param *params,
		    size_t count, const char *name, json_t *items, size_t *total,
		    struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *payload = NULL;
	struct cs_page page;

	if (cs_call(api, command, params, count, &payload, err) < 0)
		return -1;
	if (cs_page_read(payload, name, &page, err) < 0) {
		vgpu_error_prefix(err, "%s", command);
		return -1;
	}
	if (page.length > api->server.pagesize || json_array_size(items) + page.length > ITEMS_MAX)
		return vgpu_error_set(err, EPROTO, "%s: the answer has too many items", command);
	/* Where something went, what was on this page may be on one before by now. */
	if (json_array_size(items) > 0 && page.total != *total)
		return vgpu_error_set(err, EPROTO,
				      "%s: a page tells of %zu items where the one before told of "
				      "%zu; they may have changed meanwhile",
				      command, page.total, *total);
	if (page.items && json_array_extend(items, page.items) < 0)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	*total = page.total;
	return (int)page.length;
}

int cs_list(struct cs_api *api, const char *command, const struct cs_param *params, size_t count,
	    const char *name, json_t **items, struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *all = json_array();
	struct cs_param with[CS_PARAMS_MAX];
	char number[16], size[16];
	size_t total = 0;
	int got = 1;

	*items = NULL;
	if (!all || count > CS_PARAMS_MAX - 2)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		with[i] = params[i];
	with[count] = (struct cs_param){ "page", number };
	with[count + 1] = (struct cs_param){ "pagesize", size };
	snprintf(size, sizeof(size), "%u", api->server.pagesize);
	/* By the count, not by a short page: a server may give pages shorter than asked for. */
	for (int page = 1; page <= PAGES_MAX && got > 0; page++) {
		snprintf(number, sizeof(number), "%d", page);
		got = get_page(api, command, with, count + 2, name, all, &total, err);
		if (got < 0)
			return -1;
		if (json_array_size(all) >= total)
			break;
	}
	if (json_array_size(all) != total)
		return vgpu_error_set(err, EPROTO,
				      "%s: %zu items came where %zu were told of; they may have "
				      "changed meanwhile",
				      command, json_array_size(all), total);
	*items = vgpu_steal_pointer(&all);
	return 0;
}
