/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No device, but a folder that the host shares with its VM: the mailbox's registers are kept here,
 * and its requests and answers go as lines through files (docs/migration.md). What else a device
 * tells, its host does not tell here: those registers read 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file_line.h"
#include "guest-agent/last_error.h"
#include "guest-agent/transport.h"

#define NEW_REQUEST ".request.new"
#define LOCK	    ".client.lock"

/* Nothing tells when the answer is there: looked for ever more rarely. */
#define WAIT_MIN_NS (50 * VGPU_NS_PER_US)
#define WAIT_MAX_NS (20 * VGPU_NS_PER_MS)
#define WAIT_PART   8 /* of the time that it has taken so far */

struct file {
	struct transport transport;
	int folder;
	int lock;
	uint64_t id; /* of the last request */
	uint32_t status;
	uint32_t error;
	uint32_t request_length;
	uint32_t response_length;
	uint8_t request[VGPU_MAILBOX_BYTES];
	uint8_t response[VGPU_MAILBOX_BYTES];
	char problem[128];
};

static struct file *file_of(struct transport *transport)
{
	return (struct file *)transport; /* its first member */
}

static int write_request(const struct file *file, const char *line, size_t length)
{
	VGPU_AUTO_CLOSE int fd =
		openat(file->folder, NEW_REQUEST,
		       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, line, length);
	if (written >= 0 && (size_t)written != length)
		errno = ENOSPC;
	if (written < 0 || (size_t)written != length)
		return -1;
	/* A shared file system may say only then that it has no room. */
	if (close(vgpu_steal_fd(&fd)) < 0)
		return -1;
	return renameat(file->folder, NEW_REQUEST, file->folder, VGPU_FILE_REQUEST);
}

static void submit(struct file *file)
{
	char line[VGPU_FILE_LINE_MAX];
	size_t length =
		vgpu_file_request_format(++file->id, file->request, file->request_length, line);

	file->status = VGPU_STATUS_BUSY;
	file->response_length = 0;
	if (length && write_request(file, line, length) == 0)
		return;
	file->status = VGPU_STATUS_ERROR;
	file->error = length ? VGPU_ERR_UNAVAILABLE : VGPU_ERR_UNSUPPORTED;
	snprintf(file->problem, sizeof(file->problem), "writing the request: %s",
		 length ? strerror(errno) : "it has no line");
}

/*
 * Where it is not there, it is made: NFS remembers for half a minute that a name was not there, but
 * asks its server each time that a file is opened. The answer then replaces it.
 */
static int open_response(const struct file *file)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(file->folder, VGPU_FILE_RESPONSE, flags);

	if (fd < 0 && errno == ENOENT)
		fd = openat(file->folder, VGPU_FILE_RESPONSE, flags | O_CREAT, 0644);
	return fd;
}

/* The answer, once it is there and whole; one to an earlier request is none. */
static void look(struct file *file)
{
	VGPU_AUTO_CLOSE int fd = open_response(file);
	char line[VGPU_FILE_LINE_MAX];
	uint32_t error, response_length;
	uint8_t response[VGPU_MAILBOX_BYTES] = { 0 };
	ssize_t length = fd < 0 ? -1 : read(fd, line, sizeof(line));
	uint64_t id;

	if (length <= 0 || vgpu_file_answer_parse(line, (size_t)length, &id, &error, response,
						  &response_length) < 0)
		return;
	if (id != file->id)
		return;
	memcpy(file->response, response, sizeof(response));
	file->response_length = response_length;
	file->error = error;
	file->status = error ? VGPU_STATUS_ERROR : VGPU_STATUS_DONE;
}

static uint32_t file_read(struct transport *transport, uint32_t offset)
{
	struct file *file = file_of(transport);

	if (offset >= VGPU_REG_RESPONSE_BUF && offset < VGPU_REG_RESPONSE_BUF + VGPU_MAILBOX_BYTES)
		return vgpu_load32(&file->response[offset - VGPU_REG_RESPONSE_BUF]);
	switch (offset) {
	case VGPU_REG_STATUS:
		if (file->status == VGPU_STATUS_BUSY)
			look(file);
		return file->status;
	case VGPU_REG_ERROR_CODE:
		return file->error;
	case VGPU_REG_RESPONSE_LEN:
		return file->response_length;
	case VGPU_REG_PROTOCOL_VER:
		return VGPU_PROTOCOL_VERSION;
	case VGPU_REG_CAPABILITIES:
		return VGPU_CAP_MAILBOX;
	case VGPU_REG_LINK_STATE:
		return VGPU_LINK_UP;
	default:
		return 0;
	}
}

static void file_write(struct transport *transport, uint32_t offset, uint32_t value)
{
	struct file *file = file_of(transport);

	if (offset >= VGPU_REG_REQUEST_BUF && offset < VGPU_REG_REQUEST_BUF + VGPU_MAILBOX_BYTES)
		vgpu_store32(&file->request[offset - VGPU_REG_REQUEST_BUF], value);
	else if (offset == VGPU_REG_REQUEST_LEN)
		file->request_length = value;
	else if (offset == VGPU_REG_DOORBELL && value == 1)
		submit(file);
}

static void sleep_ns(int64_t ns)
{
	const struct timespec time = { .tv_sec = ns / VGPU_NS_PER_SECOND,
				       .tv_nsec = ns % VGPU_NS_PER_SECOND };

	nanosleep(&time, NULL);
}

static void file_wait(struct transport *transport, int64_t since, int64_t deadline)
{
	int64_t now = vgpu_now_ns(), ns = (now - since) / WAIT_PART;

	(void)transport;
	if (ns < WAIT_MIN_NS)
		ns = WAIT_MIN_NS;
	if (ns > WAIT_MAX_NS)
		ns = WAIT_MAX_NS;
	if (ns > deadline - now)
		ns = deadline - now;
	if (ns > 0)
		sleep_ns(ns);
}

/* Among the processes of this guest; a killed one's is free. */
static enum vgpu_result file_lock(struct transport *transport, int64_t deadline)
{
	struct file *file = file_of(transport);
	int64_t since = vgpu_now_ns();

	while (flock(file->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return last_error_errno(VGPU_E_IO, errno, "locking %s", transport->name);
		if (vgpu_now_ns() >= deadline)
			return last_error_set(VGPU_E_TIMEOUT,
					      "another process uses %s: the timeout has passed",
					      transport->name);
		file_wait(transport, since, deadline);
	}
	/* What was asked for and not waited for does not concern who comes next. */
	file->status = VGPU_STATUS_IDLE;
	return VGPU_OK;
}

static void file_unlock(struct transport *transport)
{
	flock(file_of(transport)->lock, LOCK_UN);
}

static const char *file_problem(struct transport *transport)
{
	return file_of(transport)->problem;
}

/* Nobody can say whether other processes have memory there, so none of it is freed. */
static enum vgpu_result file_enter(struct transport *transport, int64_t deadline, bool *alone)
{
	(void)transport;
	(void)deadline;
	*alone = false;
	return VGPU_OK;
}

static enum vgpu_result file_settle(struct transport *transport, int64_t deadline)
{
	(void)transport;
	(void)deadline;
	return VGPU_OK;
}

/* There are no channels. */
static bool file_claim(struct transport *transport, unsigned int channel)
{
	(void)transport;
	(void)channel;
	return false;
}

static void file_unclaim(struct transport *transport, unsigned int channel)
{
	(void)transport;
	(void)channel;
}

static enum vgpu_result no_channels(const struct transport *transport)
{
	return last_error_set(VGPU_E_UNSUPPORTED, "%s has no channels", transport->name);
}

static enum vgpu_result file_map(struct transport *transport, uint64_t offset, uint64_t bytes,
				 void **memory, bool *combining)
{
	(void)offset;
	(void)bytes;
	(void)memory;
	(void)combining;
	return no_channels(transport);
}

static enum vgpu_result file_eventfds(struct transport *transport, unsigned int channel,
				      int *doorbell, int *completion)
{
	(void)channel;
	(void)doorbell;
	(void)completion;
	return no_channels(transport);
}

static void file_close(struct transport *transport)
{
	struct file *file = file_of(transport);

	if (file->lock >= 0)
		close(file->lock);
	if (file->folder >= 0)
		close(file->folder);
	free(file);
}

static const struct transport_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.lock = file_lock,
	.unlock = file_unlock,
	.wait = file_wait,
	.problem = file_problem,
	.enter = file_enter,
	.settle = file_settle,
	.claim = file_claim,
	.unclaim = file_unclaim,
	.map = file_map,
	.eventfds = file_eventfds,
	.close = file_close,
};

static enum vgpu_result open_failed(const char *folder)
{
	enum vgpu_result result = errno == ENOENT || errno == ENOTDIR ? VGPU_E_NO_DEVICE
				  : errno == EACCES || errno == EPERM ? VGPU_E_PERMISSION
								      : VGPU_E_IO;

	return last_error_errno(result, errno, "%s", folder);
}

enum vgpu_result transport_file_open(const char *folder, struct transport **transport)
{
	struct file *file = calloc(1, sizeof(*file));
	enum vgpu_result result;

	if (!file)
		return last_error_set(VGPU_E_NO_MEMORY, "out of memory");
	file->transport.ops = &file_ops;
	file->lock = -1;
	snprintf(file->transport.name, sizeof(file->transport.name), "file:%s", folder);
	file->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->folder >= 0)
		file->lock =
			openat(file->folder, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (file->lock < 0) {
		result = open_failed(folder);
		file_close(&file->transport);
		return result;
	}
	/* No answer to another process, or to one of an earlier boot, is to be taken for ours. */
	if (getrandom(&file->id, sizeof(file->id), 0) != sizeof(file->id))
		file->id = (uint64_t)vgpu_now_ns();
	*transport = &file->transport;
	return VGPU_OK;
}
