/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * The link's state machine. The mediator may be absent, restart, hang or be hostile: whatever it
 * does, the device drops the link, ends a request under way with an error, and connects again.
 * Nothing here blocks, and what waits for room in the socket has a fixed size.
 */
#include "device/core_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/packet.h"

#define BACKOFF_FIRST_NS     (100 * VGPU_NS_PER_MS)
#define BACKOFF_MAX_NS	     (500 * VGPU_NS_PER_MS)
#define REFUSED_RETRY_NS     (2 * VGPU_NS_PER_SECOND)
#define HANDSHAKE_TIMEOUT_NS (5 * VGPU_NS_PER_SECOND)

/* Messages taken in one call, so that a flood does not hold up the embedder's loop. */
#define MESSAGES_AT_ONCE 16

void link_init(struct link *link, const char *path)
{
	memset(link, 0, sizeof(*link));
	link->address.sun_family = AF_UNIX;
	snprintf(link->address.sun_path, sizeof(link->address.sun_path), "%s", path);
	link->phase = LINK_WAITING;
	link->fd = -1;
	link->backoff_ns = BACKOFF_FIRST_NS;
	link->deadline_ns = -1;
	link->log_limit =
		(struct vgpu_log_limit){ .burst = 10, .period_ns = 60 * VGPU_NS_PER_SECOND };
}

uint32_t link_state(const struct link *link)
{
	switch (link->phase) {
	case LINK_HANDSHAKE:
	case LINK_WELCOMED:
		return VGPU_LINK_CONNECTING;
	case LINK_UP:
		return VGPU_LINK_UP;
	default:
		return link->refused ? VGPU_LINK_REFUSED : VGPU_LINK_DOWN;
	}
}

static void set_timer(struct vgpu_core *core, int64_t deadline_ns)
{
	core->link.deadline_ns = deadline_ns;
	core->ops.timer(core->opaque, deadline_ns);
}

/* Says why there is no link, once for a row of attempts that fail in the same way. */
static void log_problem(struct vgpu_core *core, const char *problem)
{
	struct link *link = &core->link;

	if (strncmp(link->problem, problem, sizeof(link->problem) - 1) == 0)
		return;
	snprintf(link->problem, sizeof(link->problem), "%s", problem);
	core_log(core, VGPU_LOG_WARNING, "mediator link %s: %s; trying again",
		 link->address.sun_path, problem);
}

static void close_socket(struct vgpu_core *core)
{
	struct link *link = &core->link;

	link->phase = LINK_WAITING;
	link->want_write = false;
	link->resume_pending = false;
	link->request_pending = false;
	if (link->fd < 0)
		return;
	core->ops.watch(core->opaque, -1, false, false);
	close(link->fd);
	link->fd = -1;
}

/* Ends the link and the request under way; what is open waits for the next. */
static void drop(struct vgpu_core *core, const char *problem)
{
	struct link *link = &core->link;
	int64_t delay = link->backoff_ns;

	close_socket(core);
	if (link->refused)
		delay = REFUSED_RETRY_NS;
	else
		link->backoff_ns = delay * 2 < BACKOFF_MAX_NS ? delay * 2 : BACKOFF_MAX_NS;
	set_timer(core, core_now(core) + delay);
	log_problem(core, problem);
	if (link->awaits_response) {
		link->awaits_response = false;
		mailbox_complete(core, VGPU_ERR_UNAVAILABLE, NULL, 0);
	}
	channels_link_lost(core);
}

static void drop_errno(struct vgpu_core *core, const char *what, int errnum)
{
	char problem[128];

	snprintf(problem, sizeof(problem), "%s: %s", what, strerror(errnum));
	drop(core, problem);
}

void link_connect(struct vgpu_core *core)
{
	struct link *link = &core->link;
	struct vgpu_link_hello hello = {
		.header = { .type = VGPU_MSG_HELLO, .length = sizeof(hello) },
		.version = VGPU_LINK_VERSION,
		.vectors = core->vectors,
		.window_bytes = core->window_bytes,
	};

	link->refused = 0;
	link->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0) {
		drop_errno(core, "cannot make a socket", errno);
		return;
	}
	/* A Unix socket connects at once or fails: EAGAIN, too, means that nothing is under way. */
	if (connect(link->fd, (const struct sockaddr *)&link->address, sizeof(link->address)) < 0) {
		int errnum = errno;

		close(vgpu_steal_fd(&link->fd));
		drop_errno(core, "cannot connect", errnum);
		return;
	}
	if (vgpu_packet_send(link->fd, &hello, sizeof(hello), &core->window_fd, 1) < 0) {
		int errnum = errno;

		close(vgpu_steal_fd(&link->fd));
		drop_errno(core, "cannot send HELLO", errnum);
		return;
	}
	link->phase = LINK_HANDSHAKE;
	channels_connected(&core->channels);
	core->ops.watch(core->opaque, link->fd, true, false);
	set_timer(core, core_now(core) + HANDSHAKE_TIMEOUT_NS);
}

void link_close(struct vgpu_core *core)
{
	close_socket(core);
	set_timer(core, -1);
}

/*
 * Sends what is pending, in its order, and clears what was sent. Returns 0, or -1 with errno:
 * EAGAIN where the socket has no room for the rest, another where the link is broken.
 */
static int send_pending(struct vgpu_core *core)
{
	static const struct vgpu_link_header reset = { .type = VGPU_MSG_RESET,
						       .length = sizeof(struct vgpu_link_reset) };
	struct link *link = &core->link;
	const struct vgpu_link_header *request = &link->request.header;

	if (link->resume_pending && channels_send_resume(core) < 0)
		return -1;
	link->resume_pending = false;
	if (link->reset_pending && vgpu_packet_send(link->fd, &reset, reset.length, NULL, 0) < 0)
		return -1;
	link->reset_pending = false;
	if (link->request_pending &&
	    vgpu_packet_send(link->fd, request, request->length, NULL, 0) < 0)
		return -1;
	link->request_pending = false;
	return channels_send(core);
}

/* Also watches for room for what remains. */
void link_flush(struct vgpu_core *core)
{
	struct link *link = &core->link;
	bool want_write;

	if (link->phase != LINK_WELCOMED && link->phase != LINK_UP)
		return;
	want_write = send_pending(core) < 0;
	if (want_write && errno != EAGAIN) {
		drop_errno(core, "cannot send", errno);
		return;
	}
	if (want_write != link->want_write) {
		link->want_write = want_write;
		core->ops.watch(core->opaque, link->fd, true, want_write);
	}
}

void link_submit(struct vgpu_core *core, const uint8_t *data, uint32_t length)
{
	struct link *link = &core->link;
	struct vgpu_link_request *request = &link->request;

	request->header.type = VGPU_MSG_REQUEST;
	request->header.length = (uint32_t)offsetof(struct vgpu_link_request, data) + length;
	request->tag = ++link->tag;
	request->length = length;
	memcpy(request->data, data, length);
	link->request_pending = true;
	link->awaits_response = true;
	link_flush(core);
}

void link_reset(struct vgpu_core *core)
{
	struct link *link = &core->link;

	link->resume_pending = false;
	link->request_pending = false;
	link->awaits_response = false;
	link->reset_pending = true;
	link_flush(core);
}

static void handle_refused(struct vgpu_core *core, struct vgpu_link_refused *refused)
{
	char problem[160];

	link_text_clean(refused->text, sizeof(refused->text));
	snprintf(problem, sizeof(problem), "refused (reason %u): %s", refused->reason,
		 refused->text);
	/* 0 is no reason, and a refusal all the same. */
	core->link.refused = refused->reason ? refused->reason : VGPU_REFUSED_MALFORMED;
	drop(core, problem);
}

static void handle_welcome(struct vgpu_core *core, const struct vgpu_link_welcome *welcome)
{
	struct link *link = &core->link;
	bool in_use = core->report.in_use || channels_placed(&core->channels);

	link->phase = LINK_WELCOMED;
	link->resume_pending = in_use && welcome->version >= VGPU_LINK_VERSION_RESUME;
	if (!link->resume_pending)
		channels_not_resumed(core);
	/*
	 * A guest that holds nothing wants nothing kept: this also repeats a RESET that an earlier
	 * mediator may have died with, and frees what another process left behind for this VM.
	 */
	if (!link->resume_pending && !core->report.in_use)
		link->reset_pending = true;
	link_flush(core);
}

static void handle_config(struct vgpu_core *core, const struct vgpu_link_config *config)
{
	struct link *link = &core->link;

	report_config(&core->report, config);
	if (link->phase == LINK_UP)
		return;
	link->phase = LINK_UP;
	link->backoff_ns = BACKOFF_FIRST_NS;
	link->problem[0] = '\0';
	set_timer(core, -1);
	core_log(core, VGPU_LOG_INFO, "mediator link %s: up", link->address.sun_path);
}

static void handle_response(struct vgpu_core *core, const struct vgpu_link_response *response)
{
	struct link *link = &core->link;

	/* Another tag is the answer to a request that a reset made the device forget. */
	if (!link->awaits_response || link->request_pending || response->tag != link->tag)
		return;
	link->awaits_response = false;
	core->report.in_use = true;
	mailbox_complete(core, response->error_code, response->data, response->length);
}

/* Takes one message. Returns whether there may be another. */
static bool receive(struct vgpu_core *core)
{
	struct link *link = &core->link;
	union vgpu_link_message message;
	const char *problem;
	ssize_t length;

	length = vgpu_packet_receive(link->fd, &message, sizeof(message), NULL, 0, NULL);
	if (length < 0 && errno == EAGAIN)
		return false;
	if (length < 0 && errno == EMSGSIZE) {
		drop(core, "a message too long or with descriptors");
		return false;
	}
	if (length < 0) {
		drop_errno(core, "cannot receive", errno);
		return false;
	}
	if (length == 0) {
		drop(core, "the mediator closed it");
		return false;
	}
	problem = link_message_check(&message, (size_t)length, link->phase);
	if (problem) {
		drop(core, problem);
		return false;
	}
	switch (message.header.type) {
	case VGPU_MSG_WELCOME:
		handle_welcome(core, &message.welcome);
		break;
	case VGPU_MSG_REFUSED:
		handle_refused(core, &message.refused);
		break;
	case VGPU_MSG_CONFIG:
		handle_config(core, &message.config);
		break;
	case VGPU_MSG_USAGE:
		report_usage(&core->report, &message.usage);
		break;
	case VGPU_MSG_RESPONSE:
		handle_response(core, &message.response);
		break;
	case VGPU_MSG_OPENED:
		problem = channels_opened(core, &message.opened);
		break;
	case VGPU_MSG_CLOSED:
		problem = channels_closed(core, &message.closed);
		break;
	}
	if (problem)
		drop(core, problem);
	return link->fd >= 0;
}

void vgpu_core_link_ready(struct vgpu_core *core, bool readable, bool writable)
{
	if (writable && core->link.fd >= 0)
		link_flush(core);
	for (int i = 0; readable && core->link.fd >= 0 && i < MESSAGES_AT_ONCE; i++)
		readable = receive(core);
}

uint32_t vgpu_core_refused(const struct vgpu_core *core)
{
	return core->link.refused;
}

void vgpu_core_timer(struct vgpu_core *core)
{
	struct link *link = &core->link;

	if (link->deadline_ns < 0)
		return;
	if (core_now(core) < link->deadline_ns) {
		set_timer(core, link->deadline_ns);
		return;
	}
	link->deadline_ns = -1;
	if (link->phase == LINK_WAITING)
		link_connect(core);
	else
		drop(core, "no answer to HELLO within 5 s");
}
