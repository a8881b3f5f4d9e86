/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfork() because the child then costs no copy of our page tables, and because its failure is seen
 * at once. In exchange the child runs in our memory: it makes system calls only.
 *
 * The child keeps its privileges: making the worker's namespaces needs them. vgpu-worker gives them
 * up, before it reads anything that a tenant sent, in the stages that its sandbox.c names.
 *
 * One namespace it cannot enter by itself: that of processes, which is a child's from its birth. So
 * each is born into one of its own, as its first process; it sees no other process, and can name
 * none.
 */
#include "mediatord/keeper/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "mediatord/worker_protocol.h"

#define WORKER_FILES_MAX 256u

/* What /proc/self/oom_score_adj held when the keeper was started. */
static char oom_score_adj[8];

/* The keeper's own namespace of processes, to come back to; -1 where workers get none. */
static int own_processes = -1;

#define TRY(failure, name, call)                                                                   \
	do {                                                                                       \
		if ((call) < 0) {                                                                  \
			(failure)->step = name;                                                    \
			(failure)->errnum = errno;                                                 \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* Children are born into a new namespace from here on; the keeper stays where it is. */
static bool begin_namespace(void)
{
	return unshare(CLONE_NEWPID) == 0;
}

static bool end_namespace(void)
{
	return setns(own_processes, CLONE_NEWPID) == 0;
}

void spawn_init(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, oom_score_adj, sizeof(oom_score_adj) - 1);

	oom_score_adj[length > 0 ? length : 0] = '\0';
	if (fd >= 0)
		close(fd);
	own_processes = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own_processes >= 0 && begin_namespace() && end_namespace())
		return;
	vgpu_log_warning("no process namespaces for the workers (%s): they go on without them",
			 strerror(errno));
	if (own_processes >= 0)
		close(own_processes);
	own_processes = -1;
}

/* In the child. Returns only on failure. */
static void become_worker(const char *program, int control, volatile struct spawn_failure *failure)
{
	static char name[] = "vgpu-worker";
	char *const arguments[] = { name, NULL };
	char *const environment[] = { NULL };
	struct rlimit files;
	sigset_t none;
	ssize_t written;
	int null, score;

	/* Out of the way of the numbers that it and /dev/null are to get. */
	TRY(failure, "dup", control = fcntl(control, F_DUPFD_CLOEXEC, 10));
	TRY(failure, "open /dev/null", null = open("/dev/null", O_RDWR | O_CLOEXEC));
	TRY(failure, "dup2", dup2(null, STDIN_FILENO));
	TRY(failure, "dup2", dup2(null, STDOUT_FILENO));
	/* Not worth a worker: it is spared then as the keeper is. */
	score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	written = write(score, oom_score_adj, strlen(oom_score_adj));
	(void)written;
	TRY(failure, "dup2", dup2(control, VGPU_WORKER_CONTROL_FD));
	TRY(failure, "close_range", syscall(SYS_close_range, VGPU_WORKER_CONTROL_FD + 1, ~0u, 0));
	TRY(failure, "setsid", setsid());
	TRY(failure, "chdir", chdir("/"));
	/* Back from what the keeper raised; the hard limit is the worker's own to lower. */
	TRY(failure, "getrlimit", getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_cur = files.rlim_max < WORKER_FILES_MAX ? files.rlim_max : WORKER_FILES_MAX;
	TRY(failure, "setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	TRY(failure, "sigprocmask", sigprocmask(SIG_SETMASK, &none, NULL));
	execve(program, arguments, environment);
	failure->step = "exec";
	failure->errnum = errno;
}

/* A child that nobody can watch is of no use. */
static pid_t give_up(pid_t pid, struct spawn_failure *failure)
{
	*failure = (struct spawn_failure){ .step = "pidfd_open", .errnum = errno };
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

pid_t spawn_worker(const char *program, int control, int *pidfd, struct spawn_failure *failure)
{
	volatile struct spawn_failure seen = { .step = NULL };
	pid_t pid;
	int errnum;

	if (own_processes >= 0 && !begin_namespace()) {
		*failure = (struct spawn_failure){ .step = "unshare", .errnum = errno };
		return -1;
	}
	pid = vfork();
	if (pid == 0) {
		become_worker(program, control, &seen);
		_exit(127);
	}
	errnum = errno;
	/* It did so when the keeper began; if ever not, no other worker can be started, and each
	 * failure says so. */
	if (own_processes >= 0 && !end_namespace())
		vgpu_log_error("cannot leave a worker's process namespace: %s", strerror(errno));
	if (pid < 0) {
		*failure = (struct spawn_failure){ .step = "vfork", .errnum = errnum };
		return -1;
	}
	if (seen.step) {
		*failure = (struct spawn_failure){ .step = seen.step, .errnum = seen.errnum };
		waitpid(pid, NULL, 0);
		return -1;
	}
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return *pidfd < 0 ? give_up(pid, failure) : pid;
}
