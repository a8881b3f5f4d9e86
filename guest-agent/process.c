/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define FIELD_NAME	 2
#define FIELD_START_TIME 22

uint64_t process_start_time(pid_t pid)
{
	VGPU_AUTO_CLOSE int fd = -1;
	char path[64], text[1024], *at;
	ssize_t length;

	/* By name, /proc finds this process even where it counts processes otherwise than getpid().
	 */
	if (pid == 0)
		snprintf(path, sizeof(path), "/proc/self/stat");
	else
		snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	/* The name, in parentheses, may hold anything. */
	at = strrchr(text, ')');
	for (int field = FIELD_NAME; at && field < FIELD_START_TIME; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}
