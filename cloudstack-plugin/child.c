/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "cloudstack-plugin/quiet.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define CHILDREN_MAX 4
#define READ_AT_ONCE 65536
#define END_POLL_NS  (10 * VGPU_NS_PER_MS)

int child_start(struct child *child, const char *name, int (*run)(void *opaque), void *opaque,
		struct vgpu_error **err)
{
	int pipes[2];

	*child = (struct child){ .name = name, .fd = -1 };
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return vgpu_error_errno(err, errno, "cannot make a pipe");
	child->pid = fork();
	if (child->pid == 0) {
		int null = open("/dev/null", O_RDWR);

		setpgid(0, 0);
		dup2(null, STDIN_FILENO);
		dup2(null, STDERR_FILENO);
		dup2(pipes[1], STDOUT_FILENO);
		_exit(run(opaque));
	}
	close(pipes[1]);
	child->fd = pipes[0];
	if (child->pid > 0)
		return 0;
	child->pid = 0;
	return vgpu_error_errno(err, errno, "cannot fork");
}

static void close_fd(struct child *child)
{
	close(child->fd);
	child->fd = -1;
}

/* What there is to read; at the end the descriptor is closed, and the output is whole. */
static void read_some(struct child *child)
{
	char *longer = child->length < CHILD_OUTPUT_MAX
			       ? realloc(child->output, child->length + READ_AT_ONCE + 1)
			       : NULL;
	ssize_t got;

	if (!longer) {
		quiet_say(LOG_ERR, "%s: too long an answer", child->name);
		close_fd(child);
		return;
	}
	child->output = longer;
	got = read(child->fd, longer + child->length, READ_AT_ONCE);
	if (got < 0 && errno == EINTR)
		got = 0;
	else if (got <= 0) {
		child->succeeded = got == 0;
		close_fd(child);
		got = 0;
	}
	child->length += (size_t)got;
	longer[child->length] = '\0';
}

/* Ends what is left of it. Whoever closed its output may still be at work: so long it may. */
static void reap(struct child *child, int64_t deadline_ns)
{
	int status = 0;
	pid_t ended = 0;

	while (child->succeeded && ended == 0) {
		ended = waitpid(child->pid, &status, WNOHANG);
		if (ended != 0 || vgpu_now_ns() >= deadline_ns)
			break;
		poll(NULL, 0, END_POLL_NS / VGPU_NS_PER_MS);
	}
	/* The group is there until its leader is reaped; afterwards its number may be another's. */
	if (ended == 0) {
		kill(-child->pid, SIGKILL);
		kill(child->pid, SIGKILL);
		waitpid(child->pid, &status, 0);
		child->succeeded = false;
	}
	child->succeeded = child->succeeded && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	child->pid = 0;
}

static bool wait_once(struct child *children, size_t count, int64_t deadline_ns)
{
	int64_t left_ms = (deadline_ns - vgpu_now_ns()) / VGPU_NS_PER_MS;
	struct pollfd fds[CHILDREN_MAX];
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		fds[i] = (struct pollfd){ .fd = children[i].fd, .events = POLLIN };
		any = any || children[i].fd >= 0;
	}
	if (!any || left_ms <= 0)
		return false;
	if (poll(fds, count, (int)left_ms) < 0)
		return errno == EINTR;
	for (size_t i = 0; i < count; i++)
		if (fds[i].revents)
			read_some(&children[i]);
	return true;
}

void children_wait(struct child *children, size_t count, int64_t deadline_ns)
{
	while (wait_once(children, count, deadline_ns))
		;
	for (size_t i = 0; i < count; i++) {
		if (!children[i].pid)
			continue;
		if (children[i].fd >= 0) {
			quiet_say(LOG_WARNING, "%s: no answer in time", children[i].name);
			close_fd(&children[i]);
		}
		reap(&children[i], deadline_ns);
	}
}

void child_clear(struct child *child)
{
	free(child->output);
	child->output = NULL;
}
