/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/eventfd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"

static bool is_eventfd(int fd)
{
	static const char wanted[] = "anon_inode:[eventfd]";
	char path[64], target[sizeof(wanted)];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target));
	return length == sizeof(wanted) - 1 && memcmp(target, wanted, sizeof(wanted) - 1) == 0;
}

/* The number that the kernel gave the eventfd behind a descriptor (since Linux 5.2), or -1. */
static int eventfd_id(int fd)
{
	static const char key[] = "eventfd-id:";
	VGPU_AUTO_CLOSE int info = -1;
	char path[64], text[512];
	const char *found;
	ssize_t length;
	int id;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -1;
	length = read(info, text, sizeof(text) - 1);
	if (length < 0)
		return -1;
	text[length] = '\0';
	found = strstr(text, key);
	return found && sscanf(found + sizeof(key) - 1, "%d", &id) == 1 ? id : -1;
}

const char *eventfd_pair_fault(const int fds[2])
{
	int first, second;

	if (!is_eventfd(fds[0]) || !is_eventfd(fds[1]))
		return "an OPEN with a descriptor that is no eventfd";
	first = eventfd_id(fds[0]);
	second = eventfd_id(fds[1]);
	if (first < 0 || second < 0)
		return "an OPEN with an eventfd that cannot be told from others";
	return first == second ? "an OPEN whose doorbell and completion are one eventfd" : NULL;
}
