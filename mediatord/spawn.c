/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfork() because the child then costs no copy of our page tables, and because its failure is seen
 * at once. In exchange the child runs in our memory: it makes system calls only.
 *
 * The child keeps its privileges: making the worker's namespaces needs them. vgpu-worker gives them
 * up, before it reads anything that a tenant sent, in the stages that its sandbox.c names.
 */
#include "mediatord/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "mediatord/worker_protocol.h"

#define WORKER_FILES_MAX 256u

/* What the child writes for its parent: the step that failed, and why. */
struct failure {
	const char *step;
	int errnum;
};

#define TRY(failure, call)                                                                         \
	do {                                                                                       \
		if ((call) < 0) {                                                                  \
			(failure)->step = #call;                                                   \
			(failure)->errnum = errno;                                                 \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* In the child. Returns only on failure. */
static void become_worker(const char *program, char *const arguments[], int control,
			  volatile struct failure *failure)
{
	char *const environment[] = { NULL };
	struct rlimit files;
	sigset_t none;
	int null;

	/* Out of the way of the numbers that it and /dev/null are to get. */
	TRY(failure, control = fcntl(control, F_DUPFD_CLOEXEC, 10));
	TRY(failure, null = open("/dev/null", O_RDWR | O_CLOEXEC));
	TRY(failure, dup2(null, STDIN_FILENO));
	TRY(failure, dup2(null, STDOUT_FILENO));
	TRY(failure, dup2(control, VGPU_WORKER_CONTROL_FD));
	TRY(failure, syscall(SYS_close_range, VGPU_WORKER_CONTROL_FD + 1, ~0u, 0));
	TRY(failure, setsid());
	TRY(failure, chdir("/"));
	/* Back from what the daemon raised; the hard limit is the worker's own to lower. */
	TRY(failure, getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_cur = files.rlim_max < WORKER_FILES_MAX ? files.rlim_max : WORKER_FILES_MAX;
	TRY(failure, setrlimit(RLIMIT_NOFILE, &files));
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	TRY(failure, sigprocmask(SIG_SETMASK, &none, NULL));
	execve(program, arguments, environment);
	failure->step = "exec";
	failure->errnum = errno;
}

pid_t spawn_worker(const char *program, int control, struct vgpu_error **err)
{
	static char name[] = "vgpu-worker";
	char *arguments[] = { name, NULL };
	volatile struct failure failure = { .step = NULL };
	pid_t pid;

	pid = vfork();
	if (pid == 0) {
		become_worker(program, arguments, control, &failure);
		_exit(127);
	}
	if (pid < 0) {
		vgpu_error_errno(err, errno, "cannot start the worker program %s: vfork", program);
		return -1;
	}
	if (failure.step) {
		/* It has exited already; the loop's reaper finds no worker of that pid. */
		vgpu_error_errno(err, failure.errnum, "cannot start the worker program %s: %s",
				 program, failure.step);
		return -1;
	}
	return pid;
}
