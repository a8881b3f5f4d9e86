/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/keeper/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mediatord/record.h"
#include "mediatord/worker_protocol.h"

static bool is_socket(int fd)
{
	int domain, type;
	socklen_t length = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

/* Whether whoever maps so many bytes of it need not fear that they go. */
static bool is_page(int fd, size_t bytes)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat status;

	return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(fd, &status) == 0 &&
	       status.st_size >= (off_t)bytes;
}

static bool is_pidfd(int fd)
{
	return pidfd_send_signal(fd, 0, NULL, 0) == 0 || errno == EPERM || errno == ESRCH;
}

static bool has_length(const union vgpu_keeper_message *message, size_t length, size_t expected)
{
	return length == expected && message->header.length == length;
}

const char *message_hello_fault(const union vgpu_keeper_message *message, size_t length)
{
	if (length < sizeof(message->header) || message->header.type != VGPU_KEEPER_HELLO)
		return "something else than HELLO";
	if (!has_length(message, length, sizeof(message->hello)) || message->hello.reserved)
		return "a malformed HELLO";
	return NULL;
}

size_t message_fds(const union vgpu_keeper_message *message)
{
	const uint32_t type = message->header.type;

	return type == VGPU_KEEPER_SPAWN || type == VGPU_KEEPER_KEEP ? VGPU_KEEPER_FDS : 0;
}

const char *message_fault(const union vgpu_keeper_message *message, size_t length)
{
	const struct vgpu_keeper_kept *keep = &message->kept;

	if (length < sizeof(message->header))
		return "less than a header";
	switch (message->header.type) {
	case VGPU_KEEPER_SPAWN:
		return has_length(message, length, sizeof(message->spawn)) ? NULL
									   : "a malformed SPAWN";
	case VGPU_KEEPER_KEEP:
		if (!has_length(message, length, sizeof(*keep)) || keep->pid <= 0 || keep->ended ||
		    keep->status || keep->reserved)
			return "a malformed KEEP";
		return NULL;
	case VGPU_KEEPER_FORGET:
		return has_length(message, length, sizeof(message->plain)) ? NULL
									   : "a malformed FORGET";
	case VGPU_KEEPER_END:
		return has_length(message, length, sizeof(message->plain)) && !message->plain.worker
			       ? NULL
			       : "a malformed END";
	default:
		return "a message that a mediator does not send";
	}
}

const char *message_fds_fault(const union vgpu_keeper_message *message, const int *fds)
{
	if (message_fds(message) == 0)
		return NULL;
	if (!is_socket(fds[VGPU_KEEPER_FD_CONTROL]))
		return "a control socket that is none";
	if (!is_page(fds[VGPU_KEEPER_FD_RECORD], RECORD_BYTES))
		return "a record that is no sealed page";
	if (!is_page(fds[VGPU_KEEPER_FD_GRANT], sizeof(struct vgpu_grant_page)))
		return "a grant page that is no sealed page";
	if (message->header.type == VGPU_KEEPER_SPAWN && !is_socket(fds[VGPU_KEEPER_FD_OTHER]))
		return "a worker's end that is no socket";
	if (message->header.type == VGPU_KEEPER_KEEP && !is_pidfd(fds[VGPU_KEEPER_FD_OTHER]))
		return "a pidfd that is none";
	return NULL;
}
