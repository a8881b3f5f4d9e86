/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/keeper_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* In the child of a process with threads: it makes system calls only. */
static void become_keeper(const char *program, char *const arguments[])
{
	char *const environment[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0) < 0 || setsid() < 0 ||
	    chdir("/") < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return;
	/* Its parent does not wait for it: so init does. */
	if (fork() == 0)
		execve(program, arguments, environment);
}

int keeper_start(const struct keeper_settings *settings, struct vgpu_error **err)
{
	char name[] = "vgpu-keeper", socket_option[] = "--socket", worker_option[] = "--worker";
	char wait_option[] = "--wait", wait[16];
	/* execve() does not change them; its type is older than const. */
	char *arguments[] = { name,
			      socket_option,
			      (char *)settings->socket,
			      worker_option,
			      (char *)settings->worker,
			      wait_option,
			      wait,
			      NULL };
	pid_t pid;

	/* The one failure to be expected, which the processes could tell nobody. */
	if (access(settings->program, X_OK) < 0)
		return vgpu_error_errno(err, errno, "cannot start the keeper %s",
					settings->program);
	snprintf(wait, sizeof(wait), "%u", (unsigned int)settings->wait_seconds);
	pid = fork();
	if (pid == 0) {
		become_keeper(settings->program, arguments);
		_exit(127);
	}
	if (pid < 0)
		return vgpu_error_errno(err, errno, "cannot start the keeper %s: fork",
					settings->program);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}
