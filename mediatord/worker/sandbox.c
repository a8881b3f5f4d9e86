/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A worker runs what one tenant sends. Assume that the tenant takes it over: from then on it is to
 * reach nothing but its own memory, its GPU, the mediator's socket, and lines in the log. Other
 * tenants, the host's files, its network and its processes must be out of reach even if one of the
 * layers below fails, so each is complete in itself, and they fall in this order, because each
 * needs privileges that a later one takes away:
 *
 *   sandbox_prepare(), single-threaded, nothing untrusted read yet
 *     1. descriptors   all but the control socket and standard error are closed; standard input
 *                      and output become /dev/null
 *     2. session       a session of its own: a terminal's signals to the mediator do not end
 *                      workers; the kernel's out-of-memory killer prefers it to the mediator
 *     3. namespaces    network (empty: no interface, no abstract sockets), IPC, UTS, mount; where
 *                      the worker is not started as root, inside a user namespace. That of
 *                      processes it was born into (keeper/spawn.c), where that was started as root
 *     4. root's maker  a second process, in the same mount namespace, that keeps what stage 7 needs
 *     5. capabilities  none but CAP_SETUID and CAP_SETGID, for stage 6, and these only where it was
 *                      started as root; none to be had by execve()
 *   -- PREPARE: here the backend opens its devices and libraries. A GPU's driver starts threads,
 *      which have what their process has left; its kernel part allows an administrator more. From
 *      here on a worker may wait for long: nobody's, warm --
 *   sandbox_become(), upon START
 *     6. user          no supplementary groups, then the VM's own uid and gid, in every thread, and
 *                      with that no capability: one VM's worker can neither signal nor trace
 *                      another's. /proc has to show it of each thread (sandbox_user.c)
 *   -- here the channel's memory is mapped --
 *   sandbox_enter()
 *     7. root          a read-only tmpfs, with nothing in it but what the backend still opens; the
 *                      host's tree is unmounted (sandbox_root.c)
 *     8. limits        no core file (it would hold the tenant's data), no new processes, no locked
 *                      memory, few descriptors, a bound to the address space
 *     9. dumpable      off: no other process of this uid may attach or read /proc/PID/mem
 *    10. system calls  an allowlist; anything else ends the process (sandbox_seccomp.c)
 *
 * Stage 3, and so 7, may be impossible (containers, user namespaces switched off): that is said in
 * the log, and the rest must carry it. Every other stage that fails ends the worker before it
 * reads the tenant's first byte. What each one achieved can be seen in /proc/PID/status and
 * /proc/PID/ns, and a test looks.
 *
 * Not here: limits of the host's CPU time and memory over all workers (a cgroup's task, which
 * belongs to whoever starts the mediator).
 */
#include "mediatord/worker/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/log.h"

/* Control socket and standard streams, and a few to spare. */
#define DESCRIPTORS_MAX 16
/* The driver's: some 40 on an H100. */
#define DESCRIPTORS_MAX_GPU 256
/* Of all workers of a VM; the driver has three a worker. */
#define THREADS_MAX_GPU 4096

#define NAMESPACES (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS)

static int close_inherited(int keep_fd, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int null = -1;

	if (keep_fd != STDERR_FILENO + 1)
		return vgpu_error_set(err, EINVAL, "the control socket must be descriptor %d",
				      STDERR_FILENO + 1);
	if (close_range((unsigned int)keep_fd + 1, ~0u, 0) < 0)
		return vgpu_error_errno(err, errno, "cannot close inherited descriptors");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return vgpu_error_errno(err, errno, "cannot open /dev/null");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fd == STDERR_FILENO && fcntl(fd, F_GETFD) >= 0)
			continue;
		if (null != fd && dup2(null, fd) < 0)
			return vgpu_error_errno(err, errno, "cannot replace descriptor %d", fd);
	}
	/* It is one of the three where the worker was started without them. */
	if (null <= STDERR_FILENO)
		vgpu_steal_fd(&null);
	return 0;
}

/* Writes a file of /proc in one piece. Returns 0, or -1 with errno. */
static int write_proc(const char *path, const char *text)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t length = strlen(text);

	if (fd < 0)
		return -1;
	return write(fd, text, length) == (ssize_t)length ? 0 : -1;
}

static void leave_session(void)
{
	/* Fails where the process leads a session already. */
	(void)setsid();
	/* A log that nobody reads any more must not end the worker. */
	signal(SIGPIPE, SIG_IGN);
	if (write_proc("/proc/self/oom_score_adj", "500") < 0)
		vgpu_log_debug("cannot raise oom_score_adj: %s", strerror(errno));
}

/* A user namespace in which the caller keeps its own ids, and so gains nothing on the host. */
static int enter_user_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER) < 0)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
	if (write_proc("/proc/self/uid_map", map) < 0)
		return -1;
	/* The kernel wants this before an unprivileged process may map its group. */
	if (write_proc("/proc/self/setgroups", "deny") < 0)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
	return write_proc("/proc/self/gid_map", map);
}

static bool enter_namespaces(void)
{
	/* With privileges first; most containers, and every other user, have none. */
	if (unshare(NAMESPACES) == 0)
		return true;
	if (geteuid() != 0 && enter_user_namespace() == 0 && unshare(NAMESPACES) == 0)
		return true;
	vgpu_log_warning("no namespaces of its own (%s): the worker goes on without them",
			 strerror(errno));
	return false;
}

/* Nothing of what is done to the mounts may travel back to the host. */
static void leave_mounts(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		vgpu_log_warning("cannot make the mounts private: %s", strerror(errno));
		return;
	}
	/* Shared memory through which others can have a GPU's driver load a library. */
	if (mount("none", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=1m,mode=1777") < 0)
		vgpu_log_debug("cannot hide /dev/shm: %s", strerror(errno));
	/* So that what a driver makes of getpid() is its own folder, and no other is there. */
	if (!sandbox_proc_is_ours() &&
	    mount("none", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		vgpu_log_warning("cannot mount its own /proc: %s", strerror(errno));
}

int sandbox_prepare(struct sandbox *sandbox, struct vgpu_error **err)
{
	if (close_inherited(sandbox->keep_fd, err) < 0)
		return -1;
	leave_session();
	sandbox->namespaces = enter_namespaces();
	if (sandbox->namespaces) {
		leave_mounts();
		sandbox_start_root_maker(sandbox);
	}
	return sandbox_drop_capabilities(err);
}

static int set_limit(int resource, const char *name, uint64_t value, struct vgpu_error **err)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return vgpu_error_errno(err, errno, "cannot read %s", name);
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > value)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return vgpu_error_errno(err, errno, "cannot set %s", name);
	return 0;
}

static int set_limits(bool gpu, uint64_t address_space_bytes, struct vgpu_error **err)
{
	struct stat status;

	if (set_limit(RLIMIT_CORE, "RLIMIT_CORE", 0, err) < 0 ||
	    set_limit(RLIMIT_NPROC, "RLIMIT_NPROC", gpu ? THREADS_MAX_GPU : 0, err) < 0 ||
	    set_limit(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", 0, err) < 0 ||
	    set_limit(RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE", 0, err) < 0 ||
	    set_limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", gpu ? DESCRIPTORS_MAX_GPU : DESCRIPTORS_MAX,
		      err) < 0)
		return -1;
	/* No file can be opened any more; a log that is one must stay writable. */
	if (fstat(STDERR_FILENO, &status) == 0 && !S_ISREG(status.st_mode) &&
	    set_limit(RLIMIT_FSIZE, "RLIMIT_FSIZE", 0, err) < 0)
		return -1;
	if (address_space_bytes && !SANDBOX_FOR_SANITIZERS &&
	    set_limit(RLIMIT_AS, "RLIMIT_AS", address_space_bytes, err) < 0)
		return -1;
	return 0;
}

int sandbox_enter(struct sandbox *sandbox, uint64_t address_space_bytes, struct vgpu_error **err)
{
	sandbox_enter_root(sandbox);
	if (set_limits(sandbox->gpu, address_space_bytes, err) < 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return vgpu_error_errno(err, errno, "cannot become undumpable");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return vgpu_error_errno(err, errno, "cannot set no_new_privs");
	return sandbox_filter_system_calls(sandbox, err);
}
