/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dashboard: the files of data/ui, compiled in. They hold nothing that is secret, so anybody
 * may have them; what they show they ask of /v1, as any client does.
 */
#include "mediatord/rest/internal.h"

#define POLICY "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

extern const char vgpu_ui_index[], vgpu_ui_style[], vgpu_ui_app[], vgpu_ui_widgets[],
	vgpu_ui_icon[];

struct ui_file {
	const char *name;
	const char *content_type;
	const char *text;
};

static const struct ui_file files[] = {
	{ "", "text/html; charset=utf-8", vgpu_ui_index },
	{ "style.css", "text/css; charset=utf-8", vgpu_ui_style },
	{ "app.js", "text/javascript; charset=utf-8", vgpu_ui_app },
	{ "widgets.js", "text/javascript; charset=utf-8", vgpu_ui_widgets },
	{ "icon.svg", "image/svg+xml", vgpu_ui_icon },
};

static const struct ui_file *find_file(const char *name)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (strcmp(name, files[i].name) == 0)
			return &files[i];
	return NULL;
}

/* A reply with this text, which is never freed; also without any, as redirections are. */
static void reply_with(struct rest_reply *reply, unsigned int status, const char *text)
{
	reply->status = status;
	reply->response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	if (!reply->response)
		rest_problem(reply, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory", "");
}

void rest_ui(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	(void)rest;
	(void)request;
	snprintf(reply->location, sizeof(reply->location), "/ui/");
	reply->content_type = NULL;
	reply_with(reply, MHD_HTTP_PERMANENT_REDIRECT, "");
}

void rest_ui_file(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	const struct ui_file *file = find_file(request->target.name);
	bool has_it;

	(void)rest;
	if (!file) {
		rest_problem(reply, MHD_HTTP_NOT_FOUND, "the dashboard has no such file", "");
		return;
	}
	etag_make(file->text, reply->etag);
	has_it = request->if_none_match && etag_matches(request->if_none_match, reply->etag);
	reply->content_type = file->content_type;
	reply_with(reply, has_it ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, has_it ? "" : file->text);
	if (!reply->response)
		return;
	/* An upgrade of the mediator changes the files: a browser asks each time. */
	MHD_add_response_header(reply->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
	MHD_add_response_header(reply->response, "Content-Security-Policy", POLICY);
	MHD_add_response_header(reply->response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(reply->response, "Referrer-Policy", "no-referrer");
}
