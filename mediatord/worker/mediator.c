/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/mediator.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/packet.h"

static int gone(struct vgpu_error **err)
{
	return vgpu_error_set(err, EPIPE, "the mediator is gone");
}

/* Waits until the socket can be read or written, or its other end is closed. */
static int wait_until(int socket, short events, struct vgpu_error **err)
{
	struct pollfd poll_fd = { .fd = socket, .events = events };

	while (poll(&poll_fd, 1, -1) < 0)
		if (errno != EINTR)
			return vgpu_error_errno(err, errno, "cannot wait for the mediator");
	return 0;
}

static int send_message(const struct mediator_socket *mediator, const void *message, size_t length,
			struct vgpu_error **err)
{
	for (;;) {
		if (vgpu_packet_send(mediator->fd, message, length, NULL, 0) == 0)
			return 0;
		if (errno == EPIPE || errno == ECONNRESET)
			return gone(err);
		if (errno != EAGAIN)
			return vgpu_error_errno(err, errno, "cannot send to the mediator");
		if (wait_until(mediator->fd, POLLOUT, err) < 0)
			return -1;
	}
}

/* Returns the packet's length, or -1 and err. */
static ssize_t receive_packet(int socket, void *bytes, size_t size, int *fds, size_t fd_max,
			      size_t *fd_count, struct vgpu_error **err)
{
	for (;;) {
		ssize_t length = vgpu_packet_receive(socket, bytes, size, fds, fd_max, fd_count);

		if (length > 0)
			return length;
		if (length == 0 || errno == ECONNRESET)
			return gone(err);
		if (errno == EMSGSIZE)
			return vgpu_error_set(err, EBADMSG,
					      "the mediator's message is longer than any, or "
					      "carries a descriptor that it must not");
		if (errno != EAGAIN)
			return vgpu_error_errno(err, errno, "cannot receive from the mediator");
		if (wait_until(socket, POLLIN, err) < 0)
			return -1;
	}
}

static const char *check_prepare(const struct vgpu_worker_prepare *prepare, size_t length)
{
	if (length != sizeof(*prepare))
		return "PREPARE has the wrong size";
	if (prepare->version != VGPU_WORKER_PROTOCOL_VERSION)
		return "PREPARE speaks another version of the protocol; mediator and worker must "
		       "be of one installation";
	if (prepare->flags & ~VGPU_WORKER_PREPARE_ALLOW_PAGEABLE)
		return "PREPARE has a flag that this worker does not know";
	return NULL;
}

static const char *check_start(const struct vgpu_worker_start *start, size_t length)
{
	if (length != sizeof(*start))
		return "START has the wrong size";
	if (!start->region_bytes && (start->region || start->entries || start->idle_ms))
		return "START has a part of a channel";
	return NULL;
}

static const char *check_job(const struct vgpu_worker_job *job, size_t length)
{
	const size_t fixed = offsetof(struct vgpu_worker_job, request);

	if (length < fixed || job->length > sizeof(job->request) || length != fixed + job->length)
		return "JOB has the wrong size";
	if (job->reserved != 0)
		return "JOB's reserved word is not 0";
	return NULL;
}

static const char *check_reserved(const struct vgpu_worker_reserved *reserved, size_t length)
{
	if (length != sizeof(*reserved))
		return "RESERVED has the wrong size";
	if (reserved->granted > 1)
		return "RESERVED says neither yes nor no";
	return NULL;
}

static const char *check_adopt(const struct vgpu_worker_adopt *adopt, size_t length)
{
	if (length != sizeof(*adopt))
		return "ADOPT has the wrong size";
	/* A later one knows what we speak once it has ADOPTED, and may not go on with us. */
	if (adopt->version < VGPU_WORKER_PROTOCOL_OLDEST)
		return "ADOPT speaks a version of the protocol that has none";
	return NULL;
}

static const char *check_message(const union vgpu_worker_message *message, size_t length)
{
	switch (message->header.type) {
	case VGPU_WORKER_PREPARE:
		return check_prepare(&message->prepare, length);
	case VGPU_WORKER_START:
		return check_start(&message->start, length);
	case VGPU_WORKER_JOB:
		return check_job(&message->job, length);
	case VGPU_WORKER_RESERVED:
		return check_reserved(&message->reserved, length);
	case VGPU_WORKER_ADOPT:
		return check_adopt(&message->adopt, length);
	case VGPU_WORKER_WAKE:
		return length == sizeof(message->wake) ? NULL : "WAKE has the wrong size";
	default:
		return length == sizeof(message->end) ? NULL : "END has the wrong size";
	}
}

/* Checks a message that was received, whose type must be one of these bits. */
static int check(const union vgpu_worker_message *message, ssize_t length, uint32_t types,
		 struct vgpu_error **err)
{
	uint32_t type = message->header.type;
	const char *wrong;

	if ((size_t)length < sizeof(message->header) || message->header.length != (uint32_t)length)
		return vgpu_error_set(err, EBADMSG,
				      "the mediator's message of %zd bytes does not have the "
				      "length that it says",
				      length);
	if (type >= 32 || !(types & 1u << type))
		return vgpu_error_set(
			err, EBADMSG,
			"the mediator sent message type %" PRIu32 ", which cannot be here", type);
	wrong = check_message(message, (size_t)length);
	if (wrong)
		return vgpu_error_set(err, EBADMSG, "the mediator's %s", wrong);
	return 0;
}

static int send_adopted(const struct mediator_socket *mediator, struct vgpu_error **err)
{
	const struct vgpu_worker_adopted adopted = {
		.header = { .type = VGPU_WORKER_ADOPTED, .length = sizeof(adopted) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.context = mediator->context,
		.held_bytes = mediator->held_bytes,
	};

	return send_message(mediator, &adopted, sizeof(adopted), err);
}

static int send_want(const struct mediator_socket *mediator, struct vgpu_error **err)
{
	const struct vgpu_worker_want want = {
		.header = { .type = VGPU_WORKER_WANT, .length = sizeof(want) },
		.what = mediator->wanted,
	};

	return send_message(mediator, &want, sizeof(want), err);
}

/* What the earlier mediator may not have heard goes to the one that takes over. */
static int adopted(const struct mediator_socket *mediator, struct vgpu_error **err)
{
	if (send_adopted(mediator, err) < 0)
		return -1;
	return mediator->wanted ? send_want(mediator, err) : 0;
}

/*
 * Receives one message, whose type is one of these bits, or ADOPT, which is answered. END becomes
 * an error. Returns 0, or -1 and err; the descriptors are the caller's in either case.
 */
static int receive(struct mediator_socket *mediator, uint32_t types,
		   union vgpu_worker_message *message, int *fds, size_t *fd_count,
		   struct vgpu_error **err)
{
	ssize_t length = receive_packet(mediator->fd, message, sizeof(*message), fds,
					fds ? RING_FDS : 0, fd_count, err);

	if (length < 0 || check(message, length, types | 1u << VGPU_WORKER_ADOPT, err) < 0)
		return -1;
	if (message->header.type == VGPU_WORKER_END)
		return vgpu_error_set(err, ESHUTDOWN, "the mediator ended the channel");
	if (message->header.type == VGPU_WORKER_WAKE) {
		mediator->wakes++;
		/* What was allowed may have been revoked before we saw it: then we ask once more.
		 */
		mediator->wanted = 0;
	}
	return message->header.type == VGPU_WORKER_ADOPT ? adopted(mediator, err) : 0;
}

int mediator_receive(struct mediator_socket *mediator, uint32_t type,
		     union vgpu_worker_message *message, struct vgpu_error **err)
{
	/* An answer that an earlier mediator gave before it ended, and the later one once more. */
	const uint32_t stale = type == VGPU_WORKER_JOB ? 1u << VGPU_WORKER_RESERVED : 0;

	do {
		if (receive(mediator, 1u << type | stale, message, NULL, NULL, err) < 0)
			return -1;
	} while (message->header.type != type);
	return 0;
}

/* Closes the descriptors from `from` on, of so many that came. */
static void close_fds(int fds[RING_FDS], size_t from, size_t count)
{
	for (size_t i = from; i < RING_FDS; i++) {
		if (i < count)
			close(fds[i]);
		fds[i] = -1;
	}
}

int mediator_receive_start(struct mediator_socket *mediator, struct vgpu_worker_start *start,
			   int fds[RING_FDS], struct vgpu_error **err)
{
	union vgpu_worker_message message;
	size_t count, expected = 0;
	int result;

	do {
		count = 0;
		result = receive(mediator, 1u << VGPU_WORKER_START, &message, fds, &count, err);
		if (result == 0 && message.header.type == VGPU_WORKER_START)
			expected = message.start.region_bytes ? RING_FDS : 0;
		if (result == 0 && count != expected)
			result = vgpu_error_set(err, EBADMSG,
						"the mediator's message carries %zu descriptors, "
						"not %zu",
						count, expected);
		close_fds(fds, result < 0 ? 0 : count, count);
	} while (result == 0 && message.header.type != VGPU_WORKER_START);
	if (result == 0)
		*start = message.start;
	return result;
}

int mediator_check(struct mediator_socket *mediator, struct vgpu_error **err)
{
	/* RESERVED: as in mediator_receive(). */
	const uint32_t types =
		1u << VGPU_WORKER_END | 1u << VGPU_WORKER_WAKE | 1u << VGPU_WORKER_RESERVED;
	struct pollfd poll_fd = { .fd = mediator->fd, .events = POLLIN };
	union vgpu_worker_message message;

	while (poll(&poll_fd, 1, 0) > 0)
		if (receive(mediator, types, &message, NULL, NULL, err) < 0)
			return -1;
	return 0;
}

int mediator_send_prepared(const struct mediator_socket *mediator, const struct backend_info *info,
			   struct vgpu_error **err)
{
	struct vgpu_worker_prepared prepared = {
		.header = { .type = VGPU_WORKER_PREPARED_MESSAGE, .length = sizeof(prepared) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.gpu_memory_bytes = info->memory_bytes,
	};

	memcpy(prepared.gpu_name, info->gpu_name,
	       strnlen(info->gpu_name, sizeof(prepared.gpu_name) - 1));
	return send_message(mediator, &prepared, sizeof(prepared), err);
}

int mediator_send_ready(const struct mediator_socket *mediator, struct vgpu_error **err)
{
	const struct vgpu_worker_ready ready = {
		.header = { .type = VGPU_WORKER_READY_MESSAGE, .length = sizeof(ready) },
	};

	return send_message(mediator, &ready, sizeof(ready), err);
}

int mediator_send_failed(const struct mediator_socket *mediator, const char *text,
			 struct vgpu_error **err)
{
	struct vgpu_worker_failed failed = {
		.header = { .type = VGPU_WORKER_FAILED_MESSAGE, .length = sizeof(failed) },
	};

	memcpy(failed.text, text, strnlen(text, sizeof(failed.text) - 1));
	return send_message(mediator, &failed, sizeof(failed), err);
}

int mediator_send_done(const struct mediator_socket *mediator, uint64_t job,
		       const struct execution *execution, struct vgpu_error **err)
{
	const uint32_t length =
		(uint32_t)offsetof(struct vgpu_worker_done, response) + execution->length;
	struct vgpu_worker_done done = {
		.header = { .type = VGPU_WORKER_DONE, .length = length },
		.job = job,
		.gpu_time_ns = execution->gpu_time_ns,
		.error_code = execution->error_code,
		.length = execution->length,
	};

	memcpy(done.response, execution->response, execution->length);
	return send_message(mediator, &done, length, err);
}

int mediator_send_want(struct mediator_socket *mediator, uint32_t what, struct vgpu_error **err)
{
	mediator->wanted |= what;
	return send_want(mediator, err);
}

int mediator_send_yielded(const struct mediator_socket *mediator, struct vgpu_error **err)
{
	const struct vgpu_worker_yielded yielded = {
		.header = { .type = VGPU_WORKER_YIELDED, .length = sizeof(yielded) },
	};

	return send_message(mediator, &yielded, sizeof(yielded), err);
}

/* Asks, once more whenever another mediator takes over, which may not have heard of it. */
static int reserve(struct mediator_socket *mediator, uint32_t kind, uint64_t bytes,
		   struct vgpu_error **err)
{
	/* A channel may be closed while its worker asks. */
	const uint32_t types =
		1u << VGPU_WORKER_RESERVED | 1u << VGPU_WORKER_END | 1u << VGPU_WORKER_WAKE;
	union vgpu_worker_message answer = { .header = { .type = VGPU_WORKER_ADOPT } };

	do {
		if (answer.header.type == VGPU_WORKER_ADOPT) {
			const struct vgpu_worker_reserve message = {
				.header = { .type = VGPU_WORKER_RESERVE,
					    .length = sizeof(message) },
				.number = ++mediator->number,
				.kind = kind,
				.bytes = bytes,
			};

			if (send_message(mediator, &message, sizeof(message), err) < 0)
				return -1;
		}
		if (receive(mediator, types, &answer, NULL, NULL, err) < 0)
			return -1;
	} while (answer.header.type != VGPU_WORKER_RESERVED ||
		 answer.reserved.number != mediator->number);
	if (answer.reserved.granted)
		mediator->held_bytes += bytes;
	return (int)answer.reserved.granted;
}

int mediator_reserve(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	return reserve(opaque, VGPU_WORKER_KIND_MEMORY, bytes, err);
}

static int release(struct mediator_socket *mediator, uint32_t kind, uint64_t bytes,
		   struct vgpu_error **err)
{
	const struct vgpu_worker_release message = {
		.header = { .type = VGPU_WORKER_RELEASE, .length = sizeof(message) },
		.kind = kind,
		.bytes = bytes,
	};

	mediator->held_bytes -= bytes;
	return send_message(mediator, &message, sizeof(message), err);
}

int mediator_release(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	return release(opaque, VGPU_WORKER_KIND_MEMORY, bytes, err);
}

int mediator_take_context(void *opaque, struct vgpu_error **err)
{
	struct mediator_socket *mediator = opaque;
	int granted = reserve(mediator, VGPU_WORKER_KIND_CONTEXT, 0, err);

	if (granted > 0)
		mediator->context = true;
	return granted;
}

int mediator_give_context_back(void *opaque, struct vgpu_error **err)
{
	struct mediator_socket *mediator = opaque;

	mediator->context = false;
	return release(mediator, VGPU_WORKER_KIND_CONTEXT, 0, err);
}
