/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of what concerns the mediator itself. */
/* Not "config.h": that is mediatord/config.h here. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mediatord/actions.h"
#include "mediatord/problem.h"
#include "mediatord/rest/internal.h"
#include "mediatord/state/state.h"

extern const char vgpu_openapi_text[];

void rest_health(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	(void)rest;
	(void)request;
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:s}", "status", "ok");
}

void rest_ready(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	(void)request;
	if (access(rest->config->worker, X_OK) < 0)
		vgpu_error_set(&err, errno, "%s: %s; requests would fail", rest->config->worker,
			       strerror(errno));
	/* Who serves links answers this: the loop. */
	if (err || action_ping(rest->control, &err) < 0) {
		rest_problem(reply, MHD_HTTP_SERVICE_UNAVAILABLE, err->message, "");
		return;
	}
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:s}", "status", "ready");
}

void rest_version(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	(void)rest;
	(void)request;
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:s, s:s}", "version", PACKAGE_VERSION, "api", "1");
}

void rest_openapi(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	(void)rest;
	(void)request;
	reply->status = MHD_HTTP_OK;
	reply->content_type = "application/yaml";
	json_text_add(&reply->text, vgpu_openapi_text, strlen(vgpu_openapi_text));
}

json_t *rest_time_to_json(int64_t seconds)
{
	time_t moment = (time_t)seconds;
	struct tm parts;
	char text[32];

	if (!gmtime_r(&moment, &parts) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts))
		return json_null();
	return json_string(text);
}

/* The entries of one answer, while they are read: one more than it shows tells that there is more.
 */
struct audit_page {
	json_t *entries;
	uint32_t limit;
	int64_t last; /* the id of the last that is shown */
	bool more;
};

static int add_entry(const struct state_audit *audit, void *opaque, struct vgpu_error **err)
{
	struct audit_page *page = opaque;
	json_t *entry;

	if (json_array_size(page->entries) == page->limit) {
		page->more = true;
		return 0;
	}
	page->last = audit->id;
	entry = json_pack("{s:I, s:o, s:o, s:o, s:i}", "id", (json_int_t)audit->id, "time",
			  rest_time_to_json(audit->time), "who", problem_text_to_json(audit->who),
			  "what", problem_text_to_json(audit->what), "status", (int)audit->status);

	if (json_array_append_new(page->entries, entry) < 0)
		return vgpu_error_set(err, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
	return 0;
}

void rest_audit(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct audit_page page = {
		.entries = json_array(),
		.limit = request->query.limit ? request->query.limit : REST_LIMIT_MAX,
	};
	char next[80];

	if (state_each_audit(rest->parts.state, request->query.after_number, page.limit + 1,
			     add_entry, &page, &err) < 0) {
		json_decref(page.entries);
		rest_problem(reply, MHD_HTTP_INTERNAL_SERVER_ERROR, err->message, "");
		return;
	}
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:o}", "entries", page.entries);
	if (!page.more)
		return;
	snprintf(next, sizeof(next), "/v1/audit?after=%lld&limit=%u", (long long)page.last,
		 page.limit);
	json_object_set_new(reply->body, "next", json_string(next));
}

/* The file beside the database that a backup of this moment goes to; the caller frees it. */
static char *backup_path(const char *state)
{
	time_t now = time(NULL);
	struct tm parts;
	char stamp[32];
	char *path;

	if (!gmtime_r(&now, &parts) || !strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts) ||
	    asprintf(&path, "%s.backup-%s", state, stamp) < 0)
		return NULL;
	return path;
}

void rest_backup(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	VGPU_AUTO_FREE char *path = backup_path(rest->config->state);
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	(void)request;
	if (!path) {
		rest_problem(reply, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory", "");
		return;
	}
	if (state_backup(rest->parts.state, path, &err) < 0) {
		rest_problem(reply,
			     err->status == EEXIST   ? MHD_HTTP_CONFLICT
			     : err->status == ENOSPC ? MHD_HTTP_INSUFFICIENT_STORAGE
						     : MHD_HTTP_INTERNAL_SERVER_ERROR,
			     err->message, "");
		return;
	}
	reply->status = MHD_HTTP_CREATED;
	reply->body = json_pack("{s:o}", "path", problem_text_to_json(path));
}
