/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP: the limits of what a client may send, and the answers' form. A request's body is collected
 * up to its limit; then the handler of its route runs, once.
 */
#include <stdio.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "mediatord/problem.h"
#include "mediatord/rest/internal.h"

#define BODY_MAX	  (64u << 10)
#define DISCARD_MAX	  (1u << 20) /* of a body that is too large, before the connection ends */
#define BODY_NS_MAX	  (10 * VGPU_NS_PER_SECOND)
#define CONTENT_TOO_LARGE 413 /* libmicrohttpd's name for it depends on its version */
#define MERGE_PATCH	  "application/merge-patch+json"

/* What is kept for a request while it arrives. */
struct exchange {
	struct rest_target target;
	struct rest_query query;
	struct rest_caller caller;
	char *what;	       /* method and path, of what is written down; or NULL */
	unsigned int refused;  /* the status that answers it whatever its body is, or 0 */
	const char *bad_head;  /* why it is refused, where it is the head */
	const char *bad_query; /* why that is 400, where it is the query */
	const char *bad_parameter;
	const char *media_type; /* that a body must have, or NULL: there must be none */
	int64_t deadline_ns;
	char *body;
	size_t length, size;
	size_t discarded;
};

static rest_handler *const handlers[REST_ROUTES] = {
	[REST_HEALTH] = rest_health,
	[REST_READY] = rest_ready,
	[REST_METRICS] = rest_metrics,
	[REST_VERSION] = rest_version,
	[REST_OPENAPI] = rest_openapi,
	[REST_VM_LIST] = rest_vm_list,
	[REST_VM_GET] = rest_vm_get,
	[REST_VM_PUT] = rest_vm_put,
	[REST_VM_PATCH] = rest_vm_patch,
	[REST_VM_DELETE] = rest_vm_delete,
	[REST_VM_CHANNELS] = rest_vm_channels,
	[REST_VM_TIMES] = rest_vm_times,
	[REST_VM_PAUSE] = rest_vm_pause,
	[REST_VM_RESUME] = rest_vm_resume,
	[REST_VM_DRAIN] = rest_vm_drain,
	[REST_VM_RESET] = rest_vm_reset,
	[REST_VM_QUARANTINE] = rest_vm_quarantine,
	[REST_VM_RELEASE] = rest_vm_release,
	[REST_CLOUDSTACK_GET] = rest_cloudstack_get,
	[REST_CLOUDSTACK_PUT] = rest_cloudstack_put,
	[REST_DOMAIN_PUT] = rest_domain_put,
	[REST_DOMAIN_DELETE] = rest_domain_delete,
	[REST_DOMAIN_REPORT] = rest_domain_report,
	[REST_PROFILE_LIST] = rest_profile_list,
	[REST_PROFILE_GET] = rest_profile_get,
	[REST_PROFILE_PUT] = rest_profile_put,
	[REST_PROFILE_PATCH] = rest_profile_patch,
	[REST_PROFILE_DELETE] = rest_profile_delete,
	[REST_POOL_LIST] = rest_pool_list,
	[REST_GPU_LIST] = rest_gpu_list,
	[REST_SEAT_LIST] = rest_seat_list,
	[REST_TOKEN_LIST] = rest_token_list,
	[REST_TOKEN_ADD] = rest_token_add,
	[REST_TOKEN_DELETE] = rest_token_delete,
	[REST_EVENTS] = rest_events,
	[REST_UI] = rest_ui,
	[REST_UI_FILE] = rest_ui_file,
	[REST_AUDIT] = rest_audit,
	[REST_BACKUP] = rest_backup,
};

const char *rest_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

void rest_problem(struct rest_reply *reply, unsigned int status, const char *detail,
		  const char *field)
{
	reply->status = status;
	reply->content_type = PROBLEM_CONTENT_TYPE;
	reply->body = problem_to_json(status, detail, field);
}

void rest_error(struct rest_reply *reply, const struct vgpu_error *err,
		const struct vm_field_name *field)
{
	rest_problem(reply, (unsigned int)err->status, err->message, field ? field->text : "");
}

bool rest_may_patch(const struct rest_request *request, struct rest_reply *reply)
{
	if (!request->condition.if_match)
		rest_problem(reply, MHD_HTTP_PRECONDITION_REQUIRED,
			     "a patch needs an If-Match header with the ETag of what it was made "
			     "from, or * for whatever is there",
			     "");
	return request->condition.if_match;
}

void rest_text(struct rest_reply *reply, struct json_text *text)
{
	reply->text = *text;
	*text = (struct json_text){ .length = 0 };
}

/* Why the answer is 400 before any handler saw the request. */
static void reply_bad_request(const struct exchange *exchange, struct rest_reply *reply)
{
	if (exchange->bad_query)
		rest_problem(reply, exchange->refused, exchange->bad_query,
			     exchange->bad_parameter);
	else if (strcmp(exchange->target.bad, "uuid") == 0)
		rest_problem(reply, exchange->refused,
			     "the path must name a VM by its uuid, as "
			     "01234567-89ab-cdef-0123-456789abcdef",
			     "uuid");
	else
		rest_problem(reply, exchange->refused,
			     "the path must have a name of at most 63 letters, digits and . _ -, "
			     "not \".\" or \"..\"",
			     "name");
}

/* Answers what was refused before any handler saw it. */
static void reply_refused(const struct exchange *exchange, struct rest_reply *reply)
{
	char text[96];

	if (exchange->bad_head) {
		rest_problem(reply, exchange->refused, exchange->bad_head, "");
		return;
	}
	switch (exchange->refused) {
	case MHD_HTTP_BAD_REQUEST:
		reply_bad_request(exchange, reply);
		break;
	case MHD_HTTP_UNAUTHORIZED:
		reply->authenticate = "Bearer realm=\"vgpu\"";
		rest_problem(reply, exchange->refused, exchange->caller.refused, "");
		break;
	case MHD_HTTP_TOO_MANY_REQUESTS:
		reply->retry_after = "1";
		rest_problem(reply, exchange->refused, exchange->caller.refused, "");
		break;
	case MHD_HTTP_FORBIDDEN:
		rest_problem(reply, exchange->refused, exchange->caller.refused, "");
		break;
	case MHD_HTTP_NOT_FOUND:
		rest_problem(reply, exchange->refused, "there is nothing at this path", "");
		break;
	case MHD_HTTP_METHOD_NOT_ALLOWED:
		reply->allow = exchange->target.allow;
		rest_problem(reply, exchange->refused, "the Allow header names the methods", "");
		break;
	case CONTENT_TOO_LARGE:
		rest_problem(reply, exchange->refused, "the body is longer than 64 KiB", "");
		break;
	case MHD_HTTP_UNSUPPORTED_MEDIA_TYPE:
		snprintf(text, sizeof(text), "the body's Content-Type must be %s",
			 exchange->media_type);
		rest_problem(reply, exchange->refused, text, "");
		break;
	default:
		rest_problem(reply, exchange->refused, "out of memory", "");
		break;
	}
}

/* The response's body; where there was no memory for it, none, and status 500. */
static struct MHD_Response *make_body(struct rest_reply *reply)
{
	char *text = NULL;
	size_t length = 0;

	if (reply->response)
		return vgpu_steal_pointer(&reply->response);
	if (reply->body) {
		text = json_dumps(reply->body, JSON_COMPACT);
		json_decref(reply->body);
		reply->body = NULL;
		length = text ? strlen(text) : 0;
	} else if (reply->text.failed) {
		free(reply->text.data);
	} else {
		text = reply->text.data;
		length = reply->text.length;
	}
	if (!text && reply->status != MHD_HTTP_NO_CONTENT)
		reply->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	if (!text)
		reply->content_type = NULL;
	return MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct rest_reply *reply)
{
	struct MHD_Response *response = make_body(reply);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (reply->content_type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					reply->content_type);
	if (reply->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
	if (reply->authenticate)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					reply->authenticate);
	if (reply->retry_after)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, reply->retry_after);
	if (reply->is_last)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (reply->location[0])
		MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, reply->location);
	if (reply->etag[0])
		MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, reply->etag);
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Carries out what was not refused. */
static void handle(struct rest *rest, struct MHD_Connection *connection,
		   const struct exchange *exchange, struct rest_reply *reply)
{
	struct rest_request request = {
		.target = exchange->target,
		.query = exchange->query,
		.connection = connection,
		.body = exchange->body ? exchange->body : "",
		.length = exchange->length,
	};
	const char *none;

	request.condition.if_match = rest_header(connection, MHD_HTTP_HEADER_IF_MATCH);
	request.last_event_id = rest_header(connection, "Last-Event-ID");
	none = rest_header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH);
	request.if_none_match = none;
	request.condition.must_be_new = none && strcmp(none, "*") == 0;
	handlers[request.target.route](rest, &request, reply);
}

static enum MHD_Result answer(struct rest *rest, struct MHD_Connection *connection,
			      struct exchange *exchange)
{
	struct rest_reply reply = { .content_type = REST_JSON,
				    .is_last = atomic_load(&rest->draining) };

	if (exchange->refused)
		reply_refused(exchange, &reply);
	else
		handle(rest, connection, exchange, &reply);
	if (exchange->what && reply.status != MHD_HTTP_TOO_MANY_REQUESTS)
		rest_who_write_down(rest, connection, &exchange->caller, exchange->target.uuid,
				    exchange->what, reply.status);
	return send_reply(connection, &reply);
}

/* Whether the value of Content-Type is the media type, with or without parameters. */
static bool content_type_ok(const char *value, const char *wanted)
{
	size_t length = strlen(wanted);

	return strncasecmp(value, wanted, length) == 0 &&
	       (value[length] == '\0' || value[length] == ';' || value[length] == ' ');
}

/* The value of Content-Length, or 0; MHD has checked its form. */
static unsigned long long content_length(struct MHD_Connection *connection)
{
	const char *value = rest_header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return value ? strtoull(value, NULL, 10) : 0;
}

/* Keeps a part of the body, or notes why it is refused. */
static void collect(struct exchange *exchange, struct MHD_Connection *connection, const char *bytes,
		    size_t length)
{
	const char *type;

	if (!exchange->refused && !exchange->media_type) {
		/* Whoever sends one expects that it counts. */
		exchange->refused = MHD_HTTP_BAD_REQUEST;
		exchange->bad_head = "this request takes no body";
	}
	if (!exchange->refused && exchange->length == 0) {
		type = rest_header(connection, MHD_HTTP_HEADER_CONTENT_TYPE);
		if (type && !content_type_ok(type, exchange->media_type))
			exchange->refused = MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	}
	if (!exchange->refused && length > BODY_MAX - exchange->length)
		exchange->refused = CONTENT_TOO_LARGE;
	if (!exchange->refused && exchange->length + length > exchange->size) {
		size_t size = exchange->length + length < 4096 ? 4096 : BODY_MAX;
		char *body = realloc(exchange->body, size);

		if (!body) {
			exchange->refused = MHD_HTTP_INTERNAL_SERVER_ERROR;
		} else {
			exchange->body = body;
			exchange->size = size;
		}
	}
	if (exchange->refused) {
		exchange->discarded += length;
		return;
	}
	memcpy(exchange->body + exchange->length, bytes, length);
	exchange->length += length;
}

static enum MHD_Result take_parameter(void *opaque, enum MHD_ValueKind kind, const char *key,
				      const char *value)
{
	struct exchange *exchange = opaque;

	(void)kind;
	exchange->bad_query = rest_query_set(&exchange->query, exchange->target.route, key, value);
	if (!exchange->bad_query)
		return MHD_YES;
	exchange->refused = MHD_HTTP_BAD_REQUEST;
	exchange->bad_parameter = key;
	return MHD_NO;
}

/* What changes nothing is not written down. */
static bool is_safe(const char *method)
{
	return strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
	       strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* The type of the body that a request takes; NULL: it takes none. */
static const char *media_type(const char *method, enum rest_route route)
{
	if (strcmp(method, MHD_HTTP_METHOD_PATCH) == 0)
		return MERGE_PATCH;
	return strcmp(method, MHD_HTTP_METHOD_PUT) == 0 || route == REST_TOKEN_ADD ? REST_JSON
										   : NULL;
}

/* The headers are there. */
static struct exchange *begin(const struct rest_face *face, struct MHD_Connection *connection,
			      const char *method, const char *url)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	unsigned int forbidden;

	if (!exchange)
		return NULL;
	exchange->refused = (unsigned int)rest_route(method, url, &exchange->target);
	/* Who is not known learns no more than that. */
	forbidden = rest_who_check(face, connection,
				   exchange->refused ? REST_NEED_READ : exchange->target.need,
				   &exchange->caller);
	if (forbidden)
		exchange->refused = forbidden;
	if (!is_safe(method) && asprintf(&exchange->what, "%.16s %.160s", method, url) < 0) {
		free(exchange);
		return NULL;
	}
	exchange->media_type = media_type(method, exchange->target.route);
	if (!exchange->refused)
		MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_parameter,
					  exchange);
	return exchange;
}

enum MHD_Result rest_access(void *opaque, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *upload_data,
			    size_t *upload_data_size, void **context)
{
	struct exchange *exchange = *context;
	const struct rest_face *face = opaque;
	unsigned int bad_head;

	if (!exchange) {
		exchange = begin(face, connection, method, url);
		if (!exchange)
			return MHD_NO;
		atomic_fetch_add(&face->rest->requests, 1);
		*context = exchange;
		bad_head = rest_head_refusal(connection, version, &exchange->bad_head);
		if (bad_head)
			exchange->refused = bad_head;
		else if (content_length(connection) > BODY_MAX && !exchange->refused)
			exchange->refused = CONTENT_TOO_LARGE;
		/* At once, and MHD closes: the rest is not worth reading. */
		if (bad_head || content_length(connection) > BODY_MAX)
			return answer(face->rest, connection, exchange);
		exchange->deadline_ns = vgpu_now_ns() + BODY_NS_MAX;
		return MHD_YES;
	}
	if (*upload_data_size) {
		collect(exchange, connection, upload_data, *upload_data_size);
		*upload_data_size = 0;
		/* MHD takes no answer in the middle of a body: all that is left is to hang up. */
		return exchange->discarded > DISCARD_MAX || vgpu_now_ns() > exchange->deadline_ns
			       ? MHD_NO
			       : MHD_YES;
	}
	return answer(face->rest, connection, exchange);
}

void rest_completed(void *opaque, struct MHD_Connection *connection, void **context,
		    enum MHD_RequestTerminationCode why)
{
	const struct rest_face *face = opaque;
	struct exchange *exchange = *context;

	(void)connection;
	(void)why;
	*context = NULL;
	if (!exchange)
		return;
	atomic_fetch_sub(&face->rest->requests, 1);
	free(exchange->what);
	free(exchange->body);
	free(exchange);
}
