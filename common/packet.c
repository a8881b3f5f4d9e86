/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
#include "common/packet.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char bytes[CMSG_SPACE(sizeof(int) * VGPU_PACKET_FDS_MAX)];
	struct cmsghdr align;
};

int vgpu_packet_send(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count)
{
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t sent;

	if (fd_count > VGPU_PACKET_FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (fd_count) {
		struct cmsghdr *header;

		memset(&control, 0, sizeof(control));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
	}
	do
		sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

static void close_all(const int *fds, size_t count)
{
	while (count > 0)
		close(fds[--count]);
}

ssize_t vgpu_packet_receive(int socket, void *bytes, size_t size, int *fds, size_t fd_max,
			    size_t *fd_count)
{
	struct iovec iov = { .iov_base = bytes, .iov_len = size };
	union control control;
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	bool too_many = false;
	size_t kept = 0;
	ssize_t length;

	if (fd_count)
		*fd_count = 0;
	/* ECONNRESET, told once: the peer left with packets of ours unread. Its own last ones are
	 * here. */
	do
		length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (length < 0 && (errno == EINTR || errno == ECONNRESET));
	if (length < 0)
		return -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
	     header = CMSG_NXTHDR(&message, header)) {
		size_t count;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
			if (kept < fd_max) {
				fds[kept++] = fd;
			} else {
				close(fd);
				too_many = true;
			}
		}
	}
	if (too_many || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		close_all(fds, kept);
		errno = EMSGSIZE;
		return -1;
	}
	if (length == 0) {
		close_all(fds, kept);
		return 0;
	}
	if (fd_count)
		*fd_count = kept;
	return length;
}
