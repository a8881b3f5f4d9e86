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

static int send_message(int socket, const void *message, size_t length, struct vgpu_error **err)
{
	for (;;) {
		if (vgpu_packet_send(socket, message, length, NULL, 0) == 0)
			return 0;
		if (errno == EPIPE || errno == ECONNRESET)
			return gone(err);
		if (errno != EAGAIN)
			return vgpu_error_errno(err, errno, "cannot send to the mediator");
		if (wait_until(socket, POLLOUT, err) < 0)
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

static const char *check_start(const struct vgpu_worker_start *start, size_t length)
{
	if (length != sizeof(*start))
		return "START has the wrong size";
	if (start->version != VGPU_WORKER_PROTOCOL_VERSION)
		return "START speaks another version of the protocol; mediator and worker must be "
		       "of one installation";
	if (start->flags & ~VGPU_WORKER_START_ALLOW_PAGEABLE)
		return "START has a flag that this worker does not know";
	if (start->reserved2 != 0)
		return "START's reserved word is not 0";
	if (!start->region_bytes && (start->region || start->entries))
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
	if (reserved->granted > 1 || reserved->reserved != 0)
		return "RESERVED says neither yes nor no";
	return NULL;
}

static const char *check_message(const union vgpu_worker_message *message, size_t length)
{
	switch (message->header.type) {
	case VGPU_WORKER_START:
		return check_start(&message->start, length);
	case VGPU_WORKER_JOB:
		return check_job(&message->job, length);
	case VGPU_WORKER_END:
		return length == sizeof(message->end) ? NULL : "END has the wrong size";
	default:
		return check_reserved(&message->reserved, length);
	}
}

/* Checks a message that was received, which must be of this type, or may be END. */
static int check(const union vgpu_worker_message *message, ssize_t length, uint32_t type,
		 bool may_end, struct vgpu_error **err)
{
	const char *wrong;

	if (length < 0)
		return -1;
	if ((size_t)length < sizeof(message->header) || message->header.length != (uint32_t)length)
		return vgpu_error_set(err, EBADMSG,
				      "the mediator's message of %zd bytes does not have the "
				      "length that it says",
				      length);
	if (message->header.type != type && !(may_end && message->header.type == VGPU_WORKER_END))
		return vgpu_error_set(err, EBADMSG,
				      "the mediator sent message type %" PRIu32
				      " where only %" PRIu32 " can be",
				      message->header.type, type);
	wrong = check_message(message, (size_t)length);
	if (wrong)
		return vgpu_error_set(err, EBADMSG, "the mediator's %s", wrong);
	if (message->header.type == VGPU_WORKER_END)
		return vgpu_error_set(err, ESHUTDOWN, "the mediator ended the channel");
	return 0;
}

int mediator_receive(int socket, uint32_t type, union vgpu_worker_message *message,
		     struct vgpu_error **err)
{
	ssize_t length = receive_packet(socket, message, sizeof(*message), NULL, 0, NULL, err);

	return check(message, length, type, false, err);
}

int mediator_receive_start(int socket, struct vgpu_worker_start *start, int fds[RING_FDS],
			   struct vgpu_error **err)
{
	union vgpu_worker_message message;
	size_t count = 0, expected;
	ssize_t length =
		receive_packet(socket, &message, sizeof(message), fds, RING_FDS, &count, err);
	int result = check(&message, length, VGPU_WORKER_START, false, err);

	if (result == 0) {
		*start = message.start;
		expected = start->region_bytes ? RING_FDS : 0;
		if (count != expected)
			result = vgpu_error_set(err, EBADMSG,
						"the mediator's START carries %zu descriptors, not "
						"%zu",
						count, expected);
	}
	for (size_t i = result < 0 ? 0 : count; i < RING_FDS; i++) {
		if (i < count)
			close(fds[i]);
		fds[i] = -1;
	}
	return result;
}

int mediator_check_end(int socket, struct vgpu_error **err)
{
	struct pollfd poll_fd = { .fd = socket, .events = POLLIN };
	union vgpu_worker_message message;
	ssize_t length;

	if (poll(&poll_fd, 1, 0) <= 0)
		return 0;
	length = receive_packet(socket, &message, sizeof(message), NULL, 0, NULL, err);
	return check(&message, length, VGPU_WORKER_END, true, err);
}

int mediator_send_ready(int socket, const struct backend_info *info, struct vgpu_error **err)
{
	struct vgpu_worker_ready ready = {
		.header = { .type = VGPU_WORKER_READY_MESSAGE, .length = sizeof(ready) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.gpu_memory_bytes = info->memory_bytes,
	};

	memcpy(ready.gpu_name, info->gpu_name, strnlen(info->gpu_name, sizeof(ready.gpu_name) - 1));
	return send_message(socket, &ready, sizeof(ready), err);
}

int mediator_send_failed(int socket, const char *text, struct vgpu_error **err)
{
	struct vgpu_worker_failed failed = {
		.header = { .type = VGPU_WORKER_FAILED_MESSAGE, .length = sizeof(failed) },
	};

	memcpy(failed.text, text, strnlen(text, sizeof(failed.text) - 1));
	return send_message(socket, &failed, sizeof(failed), err);
}

int mediator_send_done(int socket, uint64_t job, const struct execution *execution,
		       struct vgpu_error **err)
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
	return send_message(socket, &done, length, err);
}

int mediator_reserve(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	const struct vgpu_worker_reserve reserve = {
		.header = { .type = VGPU_WORKER_RESERVE, .length = sizeof(reserve) },
		.bytes = bytes,
	};
	int socket = *(const int *)opaque;
	union vgpu_worker_message answer;
	ssize_t length;

	if (send_message(socket, &reserve, sizeof(reserve), err) < 0)
		return -1;
	length = receive_packet(socket, &answer, sizeof(answer), NULL, 0, NULL, err);
	/* A channel may be closed while its worker asks. */
	if (check(&answer, length, VGPU_WORKER_RESERVED, true, err) < 0)
		return -1;
	return (int)answer.reserved.granted;
}

int mediator_release(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	const struct vgpu_worker_release release = {
		.header = { .type = VGPU_WORKER_RELEASE, .length = sizeof(release) },
		.bytes = bytes,
	};

	return send_message(*(const int *)opaque, &release, sizeof(release), err);
}
