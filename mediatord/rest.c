/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP: the socket, the limits of what a client may send, and the answers' form. A request's body
 * is collected up to its limit; then the handler of its route runs, once.
 */
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/clock.h"
#include "common/log.h"
#include "mediatord/problem.h"
#include "mediatord/rest_internal.h"

#define BODY_MAX	  (64u << 10)
#define DISCARD_MAX	  (1u << 20) /* of a body that is too large, before the connection ends */
#define THREADS		  4u
#define CONNECTIONS_MAX	  256u
#define IDLE_SECONDS	  10u
#define BODY_NS_MAX	  (10 * VGPU_NS_PER_SECOND)
#define BACKLOG		  128
#define CONTENT_TOO_LARGE 413 /* libmicrohttpd's name for it depends on its version */
#define JSON_CONTENT_TYPE "application/json"

/* What is kept for a request while it arrives. */
struct exchange {
	struct rest_target target;
	unsigned int refused; /* the status that answers it whatever its body is, or 0 */
	int64_t deadline_ns;
	char *body;
	size_t length, size;
	size_t discarded;
};

static void health(struct rest *rest, const struct rest_request *request, struct rest_reply *reply)
{
	(void)rest;
	(void)request;
	reply->status = MHD_HTTP_OK;
	reply->body = json_pack("{s:s}", "status", "ok");
}

static rest_handler *const handlers[REST_ROUTES] = {
	[REST_HEALTH] = health,
	[REST_VM_LIST] = rest_vm_list,
	[REST_VM_GET] = rest_vm_get,
	[REST_VM_PUT] = rest_vm_put,
	[REST_VM_DELETE] = rest_vm_delete,
	[REST_DOMAIN_PUT] = rest_domain_put,
	[REST_DOMAIN_DELETE] = rest_domain_delete,
};

void rest_problem(struct rest_reply *reply, unsigned int status, const char *detail,
		  const char *field)
{
	reply->status = status;
	reply->content_type = PROBLEM_CONTENT_TYPE;
	reply->body = problem_to_json(status, detail, field);
}

/* Answers what was refused before any handler saw it. */
static void reply_refused(const struct exchange *exchange, struct rest_reply *reply)
{
	switch (exchange->refused) {
	case MHD_HTTP_BAD_REQUEST:
		rest_problem(reply, exchange->refused,
			     "the path must name a VM by its uuid, as "
			     "01234567-89ab-cdef-0123-456789abcdef",
			     "uuid");
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
		rest_problem(reply, exchange->refused,
			     "the body's Content-Type must be " JSON_CONTENT_TYPE, "");
		break;
	default:
		rest_problem(reply, exchange->refused, "out of memory", "");
		break;
	}
}

/* Sends the reply, whose body is freed. Where there was no memory for one, status 500 without. */
static enum MHD_Result send_reply(struct MHD_Connection *connection, struct rest_reply *reply)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	char *text = NULL;
	size_t length = 0;

	if (reply->body) {
		text = json_dumps(reply->body, JSON_COMPACT);
		json_decref(reply->body);
		reply->body = NULL;
	}
	if (text)
		length = strlen(text);
	else if (reply->status != MHD_HTTP_NO_CONTENT)
		reply->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	if (text)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					reply->content_type);
	if (reply->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
	if (reply->location[0])
		MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, reply->location);
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer(struct rest *rest, struct MHD_Connection *connection,
			      const struct exchange *exchange)
{
	struct rest_reply reply = { .content_type = JSON_CONTENT_TYPE };
	struct rest_request request = {
		.target = exchange->target,
		.body = exchange->body ? exchange->body : "",
		.length = exchange->length,
	};

	if (exchange->refused)
		reply_refused(exchange, &reply);
	else
		handlers[request.target.route](rest, &request, &reply);
	return send_reply(connection, &reply);
}

/* Whether the value of Content-Type is JSON's, with or without parameters. */
static bool content_type_ok(const char *value)
{
	size_t length = strlen(JSON_CONTENT_TYPE);

	return strncasecmp(value, JSON_CONTENT_TYPE, length) == 0 &&
	       (value[length] == '\0' || value[length] == ';' || value[length] == ' ');
}

/* The value of Content-Length, or 0; MHD has checked its form. */
static unsigned long long content_length(struct MHD_Connection *connection)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							MHD_HTTP_HEADER_CONTENT_LENGTH);

	return value ? strtoull(value, NULL, 10) : 0;
}

/* Keeps a part of the body, or notes why it is refused. */
static void collect(struct exchange *exchange, struct MHD_Connection *connection, const char *bytes,
		    size_t length)
{
	const char *type;

	if (!exchange->refused && exchange->length == 0) {
		type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						   MHD_HTTP_HEADER_CONTENT_TYPE);
		if (type && !content_type_ok(type))
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

/* MHD calls it when the headers are there, for every part of the body, and when it is complete. */
static enum MHD_Result access_handler(void *opaque, struct MHD_Connection *connection,
				      const char *url, const char *method, const char *version,
				      const char *upload_data, size_t *upload_data_size,
				      void **context)
{
	struct exchange *exchange = *context;
	struct rest *rest = opaque;

	(void)version;
	if (!exchange) {
		exchange = calloc(1, sizeof(*exchange));
		if (!exchange)
			return MHD_NO;
		*context = exchange;
		exchange->deadline_ns = vgpu_now_ns() + BODY_NS_MAX;
		exchange->refused = (unsigned int)rest_route(method, url, &exchange->target);
		if (content_length(connection) > BODY_MAX) {
			/* At once, and MHD closes: the rest is not worth reading. */
			exchange->refused = CONTENT_TOO_LARGE;
			return answer(rest, connection, exchange);
		}
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
	return answer(rest, connection, exchange);
}

static void request_completed(void *opaque, struct MHD_Connection *connection, void **context,
			      enum MHD_RequestTerminationCode why)
{
	struct exchange *exchange = *context;

	(void)opaque;
	(void)connection;
	(void)why;
	*context = NULL;
	if (!exchange)
		return;
	free(exchange->body);
	free(exchange);
}

/* Nothing is decoded in paths: "%00" would cut one short, and no path of ours needs it. */
static size_t keep_escapes(void *opaque, struct MHD_Connection *connection, char *text)
{
	(void)opaque;
	(void)connection;
	return strlen(text);
}

/* Who may connect, settled before the socket listens or has its name. */
static int set_owner(const struct config *config, const char *path)
{
	if (config->has_control_group && chown(path, (uid_t)-1, config->control_gid) < 0)
		return -1;
	return chmod(path, config->has_control_group ? 0660 : 0600);
}

/*
 * Binds under another name and renames: the socket's name always leads to one that listens and has
 * its rights, and what an earlier mediator left there goes in the same step. Returns the socket,
 * or -1 and err.
 */
static int listen_on(struct rest *rest, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = rest->config->control_socket;
	struct stat st;
	int length;

	length = snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return vgpu_error_set(err, ENAMETOOLONG,
				      "control-socket %s is too long: at most %zu bytes", path,
				      sizeof(address.sun_path) - strlen(".new") - 1);
	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot make a socket");
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return vgpu_error_errno(err, errno, "cannot bind the control socket %s",
					address.sun_path);
	if (set_owner(rest->config, address.sun_path) < 0 || listen(fd, BACKLOG) < 0 ||
	    rename(address.sun_path, path) < 0 || stat(path, &st) < 0) {
		vgpu_error_errno(err, errno, "cannot set up the control socket %s", path);
		unlink(address.sun_path);
		return -1;
	}
	rest->socket_device = st.st_dev;
	rest->socket_inode = st.st_ino;
	rest->socket_path = strdup(path);
	if (!rest->socket_path) {
		unlink(path);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	return vgpu_steal_fd(&fd);
}

static void remove_socket(struct rest *rest)
{
	struct stat st;

	if (rest->socket_path && stat(rest->socket_path, &st) == 0 &&
	    st.st_dev == rest->socket_device && st.st_ino == rest->socket_inode)
		unlink(rest->socket_path);
	free(rest->socket_path);
	rest->socket_path = NULL;
}

int rest_start(const struct config *config, struct registry *registry, struct control *control,
	       struct rest **rest, struct vgpu_error **err)
{
	struct rest *r = calloc(1, sizeof(*r));
	VGPU_AUTO_CLOSE int fd = -1;

	*rest = NULL;
	if (!r)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	r->config = config;
	r->registry = registry;
	r->control = control;
	/* jansson seeds its hash tables at their first use: here, before there are threads. */
	json_object_seed(0);
	fd = listen_on(r, err);
	if (fd < 0) {
		rest_stop(&r);
		return -1;
	}
	r->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, access_handler, r,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, request_completed, NULL,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
	if (!r->daemon) {
		vgpu_error_set(err, errno ? errno : EIO, "cannot start the HTTP server");
		rest_stop(&r);
		return -1;
	}
	vgpu_steal_fd(&fd);
	*rest = r;
	return 0;
}

void rest_stop(struct rest **rest)
{
	struct rest *r = *rest;

	*rest = NULL;
	if (!r)
		return;
	remove_socket(r);
	if (r->daemon)
		MHD_stop_daemon(r->daemon);
	free(r);
}
