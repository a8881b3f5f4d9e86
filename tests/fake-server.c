/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mediator that lies: fake-server SOCKET [FOLDER]. To the n-th connection, from 1 on, it writes
 * the bytes of FOLDER/n, or of FOLDER/any where that is not there, and closes it; without FOLDER it
 * never answers. Says "ready" on standard output, and writes every request that it answers to
 * standard error. Ends with its standard input, so that no test leaves it behind.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/cleanup.h"

/* Up to the empty line, and what comes with it: closing the socket then resets nothing. */
static void read_request(int connection)
{
	char request[65536] = "";
	size_t used = 0;
	ssize_t length;

	do {
		length = read(connection, request + used, sizeof(request) - 1 - used);
		if (length > 0)
			used += (size_t)length;
		request[used] = '\0';
	} while (length > 0 && !strstr(request, "\r\n\r\n"));
	fputs(request, stderr);
}

static void answer(int listener, const char *folder, unsigned int number)
{
	VGPU_AUTO_CLOSE int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	VGPU_AUTO_CLOSE int file = -1;
	char path[512], bytes[65536];
	ssize_t length;

	if (connection < 0)
		return;
	if (!folder) {
		/* Kept open, and forgotten: the client waits. */
		vgpu_steal_fd(&connection);
		return;
	}
	read_request(connection);
	snprintf(path, sizeof(path), "%s/%u", folder, number);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0) {
		snprintf(path, sizeof(path), "%s/any", folder);
		file = open(path, O_RDONLY | O_CLOEXEC);
	}
	/* A client that has had enough is its own affair. */
	while (file >= 0 && (length = read(file, bytes, sizeof(bytes))) > 0)
		if (send(connection, bytes, (size_t)length, MSG_NOSIGNAL) != length)
			break;
}

int main(int argc, char **argv)
{
	VGPU_AUTO_CLOSE int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
				 { .fd = listener, .events = POLLIN } };
	unsigned int number = 0;
	char end[64];

	if (argc < 2 || argc > 3 || strlen(argv[1]) >= sizeof(address.sun_path))
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
			answer(listener, argc > 2 ? argv[2] : NULL, ++number);
	}
	return 71;
}
