/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that a worker may make once it is confined; any other ends the process with
 * SIGSYS. The list is what the cpu backend needs: wait, exchange packets, take and give memory,
 * log, end. There is no call on it that names a file, a process but itself, or a new descriptor,
 * and no memory can become executable.
 *
 * Built with a sanitizer, the run-time library makes calls of its own, more than are worth listing:
 * then what is not on the list fails with EPERM instead, and any memory may be mapped. Such a build
 * is for tests.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mediatord/worker/sandbox.h"

#ifndef MAP_TYPE
#define MAP_TYPE 0x0f
#endif

struct rule {
	int system_call;
	unsigned int condition_count;
	struct scmp_arg_cmp conditions[2];
};

#define ALWAYS(name)                                                                               \
	{                                                                                          \
		.system_call = SCMP_SYS(name)                                                      \
	}

static int add_rules(scmp_filter_ctx filter, const struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].system_call,
						    rules[i].condition_count, rules[i].conditions);

		if (result < 0)
			return result;
	}
	return 0;
}

/* A channel's: the doorbell is read, and the completion's eventfd written. */
static int add_channel(scmp_filter_ctx filter, const struct sandbox *sandbox)
{
	const struct rule rules[] = {
		{ SCMP_SYS(read), 1, { SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sandbox->doorbell, 0) } },
		{ SCMP_SYS(write),
		  1,
		  { SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sandbox->completion, 0) } },
	};

	if (sandbox->doorbell < 0)
		return 0;
	return add_rules(filter, rules, sizeof(rules) / sizeof(rules[0]));
}

/*
 * A shared mapping that grows shows more of its file: of BAR2, the other channels. realloc() copies
 * where it is told that there is no memory; so may a GPU's driver, which tests/gpu shows.
 */
static int add_mremap(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOMEM), SCMP_SYS(mremap), 0);
}

/*
 * What NVIDIA's driver needs besides, as strace showed it (driver 580, an H100) for every call that
 * the cuda backend makes, contexts given back and taken again, and a checkpoint and restore from
 * outside. Of processes, it may start threads alone; of files, what its root and user let it reach.
 */
static int add_gpu(scmp_filter_ctx filter)
{
	const scmp_datum_t thread =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	const scmp_datum_t never = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE |
				   CLONE_UNTRACED | CLONE_VFORK;
	const struct rule rules[] = {
		/* The driver's own numbers ('F'), and UVM's, which have no letter. No terminals'.
		 */
		{ SCMP_SYS(ioctl), 1, { SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 'F' << 8) } },
		{ SCMP_SYS(ioctl), 1, { SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffff00, 0) } },
		{ SCMP_SYS(ioctl), 1, { SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffff00, 0x30000000) } },

		/* Device memory; nothing becomes executable. */
		{ SCMP_SYS(mmap), 1, { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		ALWAYS(openat),
		ALWAYS(stat),
		ALWAYS(fstat),
		ALWAYS(newfstatat),
		ALWAYS(access),
		ALWAYS(read),
		ALWAYS(write),
		ALWAYS(lseek),
		ALWAYS(fcntl),
		ALWAYS(dup),
		ALWAYS(dup2),
		ALWAYS(dup3),
		ALWAYS(pipe2),
		ALWAYS(eventfd2),

		/* Its threads. */
		{ SCMP_SYS(clone), 1, { SCMP_A0(SCMP_CMP_MASKED_EQ, thread | never, thread) } },
		ALWAYS(set_robust_list),
		ALWAYS(rseq),
		ALWAYS(rt_sigaction),
		ALWAYS(sigaltstack),
		ALWAYS(sched_getaffinity),
		ALWAYS(sched_get_priority_min),
		ALWAYS(sched_get_priority_max),
		ALWAYS(get_mempolicy),
		ALWAYS(mbind),
		ALWAYS(sysinfo),
		ALWAYS(uname),
		ALWAYS(geteuid),
		ALWAYS(getuid),
		ALWAYS(clock_nanosleep),
		ALWAYS(nanosleep),
		ALWAYS(getrusage),
		ALWAYS(mincore),
		{ SCMP_SYS(prlimit64), 1, { SCMP_A2(SCMP_CMP_EQ, 0, 0) } },
	};
	/* Tried, and done without: links in /dev/char; peers of other processes; glibc's first way
	 * to a thread, whose flags no filter can see. */
	static const struct {
		int system_call, errnum;
	} refused[] = {
		{ SCMP_SYS(clone3), ENOSYS },	{ SCMP_SYS(unlink), EACCES },
		{ SCMP_SYS(symlink), EACCES },	{ SCMP_SYS(mkdir), EACCES },
		{ SCMP_SYS(mknod), EACCES },	{ SCMP_SYS(chmod), EACCES },
		{ SCMP_SYS(readlink), ENOENT }, { SCMP_SYS(accept4), EACCES },
		{ SCMP_SYS(accept), EACCES },	{ SCMP_SYS(socket), EACCES },
		{ SCMP_SYS(mlock), EACCES },	{ SCMP_SYS(set_mempolicy), EACCES },
	};
	int result = add_rules(filter, rules, sizeof(rules) / sizeof(rules[0]));

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)refused[i].errnum),
					  refused[i].system_call, 0);
	return result;
}

static int add_all(scmp_filter_ctx filter, const struct sandbox *sandbox)
{
	const scmp_datum_t control = (scmp_datum_t)sandbox->keep_fd;
	const scmp_datum_t self = (scmp_datum_t)getpid();
	const struct rule rules[] = {
		/* The mediator. */
		{ SCMP_SYS(recvmsg), 1, { SCMP_A0(SCMP_CMP_EQ, control, 0) } },
		{ SCMP_SYS(sendmsg), 1, { SCMP_A0(SCMP_CMP_EQ, control, 0) } },
		ALWAYS(poll),
		ALWAYS(ppoll),
		ALWAYS(restart_syscall), /* poll() after the process was stopped and went on */
		ALWAYS(close),		 /* of descriptors that came where none should */

		/* Memory, private and never executable. */
		{ SCMP_SYS(mmap),
		  2,
		  { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		    SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE | MAP_ANONYMOUS,
			    MAP_PRIVATE | MAP_ANONYMOUS) } },
		{ SCMP_SYS(mprotect), 1, { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		ALWAYS(munmap),
		ALWAYS(madvise),
		ALWAYS(brk),
		ALWAYS(getrandom), /* malloc() */

		/* The log. */
		{ SCMP_SYS(write), 1, { SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0) } },
		{ SCMP_SYS(writev), 1, { SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0) } },

		/* Time, where the vDSO has none. */
		ALWAYS(clock_gettime),
		ALWAYS(gettimeofday),

		/* Itself: locks, and its end by exit() or abort(). */
		ALWAYS(futex),
		ALWAYS(sched_yield),
		ALWAYS(getpid),
		ALWAYS(gettid),
		ALWAYS(rt_sigprocmask),
		ALWAYS(rt_sigreturn),
		{ SCMP_SYS(tgkill), 1, { SCMP_A0(SCMP_CMP_EQ, self, 0) } },
		ALWAYS(exit),
		ALWAYS(exit_group),
	};
	static const struct rule for_sanitizers[] = {
		ALWAYS(mmap),  ALWAYS(mprotect),     ALWAYS(sigaltstack), ALWAYS(prlimit64),
		ALWAYS(uname), ALWAYS(rt_sigaction), ALWAYS(write),
	};
	int result = add_rules(filter, rules, sizeof(rules) / sizeof(rules[0]));

	if (result == 0)
		result = add_mremap(filter);
	if (result == 0 && sandbox->gpu)
		result = add_gpu(filter);
	else if (result == 0)
		result = add_channel(filter, sandbox);
	if (result == 0 && SANDBOX_FOR_SANITIZERS)
		result = add_rules(filter, for_sanitizers,
				   sizeof(for_sanitizers) / sizeof(for_sanitizers[0]));
	return result;
}

static void release_filter(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

int sandbox_filter_system_calls(const struct sandbox *sandbox, struct vgpu_error **err)
{
	VGPU_CLEANUP(release_filter)
	scmp_filter_ctx filter = seccomp_init(SANDBOX_FOR_SANITIZERS ? SCMP_ACT_ERRNO(EPERM)
								     : SCMP_ACT_KILL_PROCESS);
	int result;

	if (!filter)
		return vgpu_error_set(err, ENOMEM, "cannot make the system call filter");
	/* Calls by another architecture's numbers, and threads that the backend started. */
	result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (result == 0)
		result = add_all(filter, sandbox);
	if (result == 0)
		result = seccomp_load(filter);
	if (result < 0)
		return vgpu_error_errno(err, -result, "cannot load the system call filter");
	return 0;
}
