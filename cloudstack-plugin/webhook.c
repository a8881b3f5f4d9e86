/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/webhook.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <microhttpd.h>

#include "cloudstack-plugin/webhook_check.h"
#include "common/clock.h"
#include "common/log.h"

#define CONNECTIONS_MAX 32u
#define PER_ADDRESS_MAX 8u /* who holds many open keeps nobody else out */
#define TIMEOUT_S	5u
#define LISTEN_MAX	128

struct webhook {
	struct MHD_Daemon *daemon;
	char *secret;
	int eventfd;
	struct webhook_memory memory;
	struct vgpu_log_limit limit;
};

/* What came of a request's body so far. */
struct body {
	size_t length;
	bool too_long;
	char bytes[WEBHOOK_BODY_MAX];
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
			      const char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_queue_response(connection, status, response);

	MHD_destroy_response(response);
	return result;
}

/* A whole request. */
static enum MHD_Result judge(struct webhook *webhook, struct MHD_Connection *connection,
			     const char *method, const struct body *body)
{
	const char *reason = "only POST, and a body of at most 64 KiB";
	unsigned int status = MHD_HTTP_METHOD_NOT_ALLOWED;
	const uint64_t one = 1;

	if (body->too_long)
		status = MHD_HTTP_CONTENT_TOO_LARGE;
	else if (strcmp(method, "POST") == 0)
		status = webhook_check(
			&webhook->memory,
			MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-CS-Signature"),
			body->bytes, body->length, webhook->secret, time(NULL), &reason);
	if (status != MHD_HTTP_OK) {
		if (vgpu_log_allowed(&webhook->limit, vgpu_now_ns()))
			vgpu_log_warning("webhook: refused with %u: %s", status, reason);
	} else if (write(webhook->eventfd, &one, sizeof(one)) < 0) {
		/* As good as told: it was full of those before. */
		vgpu_log_debug("webhook: %s", strerror(errno));
	}
	return answer(connection, status, reason);
}

static enum MHD_Result handle(void *opaque, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *length, void **request)
{
	struct body *body = *request;

	(void)url;
	(void)version;
	if (!body) {
		body = malloc(sizeof(*body));
		if (!body)
			return MHD_NO;
		body->length = 0;
		body->too_long = false;
		*request = body;
		return MHD_YES;
	}
	if (*length == 0)
		return judge(opaque, connection, method, body);
	if (*length > sizeof(body->bytes) - body->length) {
		body->too_long = true;
	} else {
		memcpy(body->bytes + body->length, data, *length);
		body->length += *length;
	}
	*length = 0;
	return MHD_YES;
}

static void completed(void *opaque, struct MHD_Connection *connection, void **request,
		      enum MHD_RequestTerminationCode code)
{
	(void)opaque;
	(void)connection;
	(void)code;
	free(*request);
	*request = NULL;
}

/* Splits at the last colon; brackets around an address of IPv6 go. */
static struct addrinfo *resolve(const char *listen, struct vgpu_error **err)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char copy[LISTEN_MAX], *host = copy;
	char *port = NULL;
	size_t length;

	if (strlen(listen) < sizeof(copy))
		port = strrchr(strcpy(copy, listen), ':');
	if (port) {
		*port++ = '\0';
		length = strlen(host);
		if (*host == '[' && host[length - 1] == ']') {
			host[length - 1] = '\0';
			host++;
		}
	}
	if (!port || getaddrinfo(host, port, &hints, &found) != 0)
		vgpu_error_set(err, EINVAL, "webhook-listen \"%s\" is not ADDRESS:PORT", listen);
	return found;
}

struct webhook *webhook_start(const char *listen, const char *secret, int eventfd,
			      struct vgpu_error **err)
{
	struct addrinfo *address = resolve(listen, err);
	struct webhook *webhook = address ? calloc(1, sizeof(*webhook)) : NULL;
	unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL;

	if (!address)
		return NULL;
	if (webhook)
		webhook->secret = strdup(secret);
	if (webhook && webhook->secret) {
		webhook->eventfd = eventfd;
		webhook->limit =
			(struct vgpu_log_limit){ .burst = 5, .period_ns = 60 * VGPU_NS_PER_SECOND };
		if (address->ai_family == AF_INET6)
			flags |= MHD_USE_IPv6;
		webhook->daemon = MHD_start_daemon(
			flags, 0, NULL, NULL, handle, webhook, MHD_OPTION_SOCK_ADDR,
			address->ai_addr, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
			MHD_OPTION_PER_IP_CONNECTION_LIMIT, PER_ADDRESS_MAX,
			MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED,
			completed, NULL, MHD_OPTION_END);
	}
	freeaddrinfo(address);
	if (!webhook || !webhook->daemon) {
		vgpu_error_errno(err, errno ? errno : ENOMEM, "cannot listen at %s", listen);
		webhook_stop(&webhook);
	}
	return webhook;
}

void webhook_stop(struct webhook **webhook)
{
	struct webhook *old = vgpu_steal_pointer(webhook);

	if (old && old->daemon)
		MHD_stop_daemon(old->daemon);
	if (old)
		free(old->secret);
	free(old);
}
