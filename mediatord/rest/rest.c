/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/rest/rest.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "common/clock.h"
#include "mediatord/rest/internal.h"
#include "mediatord/token.h"

#define THREADS		      8u
#define LOCAL_CONNECTIONS_MAX 2048u
#define IDLE_SECONDS	      10u
#define DRAIN_NS	      (2 * VGPU_NS_PER_SECOND)
/* How long nobody must ask any more; a client that is connected may be about to. */
#define QUIET_NS	   (20 * VGPU_NS_PER_MS)
#define QUIET_CONNECTED_NS (300 * VGPU_NS_PER_MS)

/* Nothing is decoded: "%00" would cut one short, and no path of ours needs it. */
size_t rest_keep_escapes(void *opaque, struct MHD_Connection *connection, char *text)
{
	(void)opaque;
	(void)connection;
	return strlen(text);
}

static int start_local(struct rest *rest, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = rest_listen_local(rest, err);

	if (fd < 0)
		return -1;
	rest->local_face = (struct rest_face){ .rest = rest, .local = true };
	rest->local = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
		NULL, rest_access, &rest->local_face, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT,
		LOCAL_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)REST_CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
		MHD_OPTION_NOTIFY_COMPLETED, rest_completed, &rest->local_face,
		MHD_OPTION_UNESCAPE_CALLBACK, rest_keep_escapes, NULL, MHD_OPTION_END);
	if (!rest->local)
		return vgpu_error_set(err, errno ? errno : EIO, "cannot start the HTTP server");
	rest->local_fd = vgpu_steal_fd(&fd);
	return 0;
}

int rest_start(const struct rest_parts *parts, struct rest **rest, struct vgpu_error **err)
{
	VGPU_CLEANUP(rest_stop) struct rest *made = calloc(1, sizeof(*made));

	*rest = NULL;
	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->parts = *parts;
	made->config = parts->config;
	made->registry = parts->registry;
	made->control = parts->control;
	/* jansson seeds its hash tables at their first use: here, before there are threads. */
	json_object_seed(0);
	if (rest_status_new(parts->control, &made->status, err) < 0 ||
	    rest_streams_new(parts->feed, &made->streams, err) < 0 ||
	    tokens_open(parts->state, &made->tokens, err) < 0 || start_local(made, err) < 0 ||
	    rest_start_tcp(made, err) < 0)
		return -1;
	*rest = vgpu_steal_pointer(&made);
	return 0;
}

static bool is_connected(struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info =
		daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS) : NULL;

	return info && info->num_connections > 0;
}

/* Whether nobody waits for an answer, or to be let in. */
static bool is_quiet(struct rest *rest)
{
	struct pollfd poll_fd = { .fd = rest->local_fd, .events = POLLIN };

	return atomic_load(&rest->requests) == 0 && poll(&poll_fd, 1, 0) == 0;
}

void rest_drain(struct rest *rest)
{
	int64_t now = vgpu_now_ns(), end = now + DRAIN_NS, quiet_since = now, quiet = QUIET_NS;

	atomic_store(&rest->draining, true);
	rest_unlisten_local(rest);
	rest_streams_end(rest->streams);
	/* Its socket is closed at the end of the process. */
	if (rest->remote)
		MHD_quiesce_daemon(rest->remote);
	/* A request that is being read is no request yet. */
	while (now < end && now - quiet_since < quiet) {
		bool connected = is_connected(rest->local) || is_connected(rest->remote);

		quiet = connected ? QUIET_CONNECTED_NS : QUIET_NS;
		if (!is_quiet(rest))
			quiet_since = now;
		usleep(5000);
		now = vgpu_now_ns();
	}
}

void rest_stop(struct rest **rest)
{
	struct rest *old = *rest;

	*rest = NULL;
	if (!old)
		return;
	if (old->streams)
		rest_streams_end(old->streams);
	rest_unlisten_local(old);
	if (old->local)
		MHD_stop_daemon(old->local);
	if (old->remote)
		MHD_stop_daemon(old->remote);
	tokens_close(&old->tokens);
	rest_streams_free(&old->streams);
	rest_status_free(&old->status);
	free(old);
}
