/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"

extern char **environ;

/* Returns 0 and the reading end of its output, or -1 and err. */
static int start(const char *const arguments[], pid_t *pid, int *output, struct vgpu_error **err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int pair[2], failed;

	/* Blocking: a program that may not wait for its reader loses what does not fit. */
	if (pipe2(pair, O_CLOEXEC) < 0)
		return vgpu_error_errno(err, errno, "cannot make a pipe");
	posix_spawnattr_init(&attributes);
	/* A group of its own, so that what it starts can be ended with it. */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pair[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, pair[1], STDERR_FILENO);
	/* posix_spawn() changes no argument; its type is older than const. */
	failed = posix_spawn(pid, arguments[0], &actions, &attributes, (char *const *)arguments,
			     environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(pair[1]);
	if (failed) {
		close(pair[0]);
		return vgpu_error_errno(err, failed, "cannot run %s", arguments[0]);
	}
	*output = pair[0];
	return 0;
}

/* Reads until the output ends. Returns 0, or -1 where that takes too long. */
static int read_all(int fd, int64_t deadline_ns, char *text)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char rest[4096] = "";
	size_t used = 0;

	for (;;) {
		int64_t left_ms = (deadline_ns - vgpu_now_ns()) / VGPU_NS_PER_MS;
		bool full = used == PROGRAM_OUTPUT_MAX;
		ssize_t length;

		if (left_ms <= 0)
			return -1;
		if (poll(&poll_fd, 1, (int)left_ms) <= 0)
			continue;
		length = read(fd, full ? rest : text + used,
			      full ? sizeof(rest) : PROGRAM_OUTPUT_MAX - used);
		if (length == 0 || (length < 0 && errno != EINTR))
			break;
		if (length > 0 && !full)
			used += (size_t)length;
		text[used] = '\0';
	}
	return 0;
}

int program_run(const char *const arguments[], unsigned int timeout_ms, char **output,
		struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *text = calloc(1, PROGRAM_OUTPUT_MAX + 1);
	VGPU_AUTO_CLOSE int fd = -1;
	int status = 0, late;
	pid_t pid;

	if (!text)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (start(arguments, &pid, &fd, err) < 0)
		return -1;
	late = read_all(fd, vgpu_now_ns() + timeout_ms * VGPU_NS_PER_MS, text);
	if (late)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (late)
		return vgpu_error_set(err, ETIMEDOUT, "%s did not end within %u ms", arguments[0],
				      timeout_ms);
	*output = vgpu_steal_pointer(&text);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
