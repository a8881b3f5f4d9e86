/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mediator that does not do its work: fake-mediator SOCKET [REPLY]. Listens, says "ready" on
 * standard output, and to every connection writes the bytes of the file REPLY and closes it; or
 * without REPLY never answers. Ends with its standard input, so that no test leaves it behind.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "xml/file.h"

/* Reads a request's first bytes, so that closing the socket does not reset the connection. */
static void answer(int listener, const char *reply)
{
	VGPU_AUTO_CLOSE int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char *bytes = NULL;
	char request[4096];
	size_t length;

	if (connection < 0)
		return;
	if (!reply) {
		/* Kept open, and forgotten: the client waits. */
		connection = -1;
		return;
	}
	if (read(connection, request, sizeof(request)) > 0 &&
	    file_read_path(reply, (size_t)1 << 20, &bytes, &length, NULL) == 0)
		file_write(connection, bytes, length, NULL);
	free(bytes);
}

int main(int argc, char **argv)
{
	VGPU_AUTO_CLOSE int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
				 { .fd = listener, .events = POLLIN } };
	char end[64];

	if (argc < 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 64;
	strcpy(address.sun_path, argv[1]);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 16) < 0) {
		perror(argv[1]);
		return 71;
	}
	puts("ready");
	fflush(stdout);
	while (poll(fds, 2, -1) >= 0) {
		if (fds[0].revents && read(STDIN_FILENO, end, sizeof(end)) <= 0)
			return 0;
		if (fds[1].revents)
			answer(listener, argc > 2 ? argv[2] : NULL);
	}
	return 71;
}
