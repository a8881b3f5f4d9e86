/* SPDX-License-Identifier: Apache-2.0 */
/* Upon START every thread of a worker becomes the VM's user, or the worker does not go on. */
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "mediatord/worker/sandbox.h"
#include "mediatord/worker_protocol.h"
#include "tests/mediatord/worker-driver.h"

#define THREADS 3

static pthread_barrier_t started, changed;

/* By system calls, which say it of this thread alone. */
static bool is_tenants(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	uid_t uids[3];
	gid_t gids[3];

	if (syscall(SYS_getresuid, &uids[0], &uids[1], &uids[2]) < 0 ||
	    syscall(SYS_getresgid, &gids[0], &gids[1], &gids[2]) < 0 ||
	    syscall(SYS_capget, &header, sets) < 0 || syscall(SYS_getgroups, 0, NULL) != 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (uids[i] != DRIVER_UID || gids[i] != DRIVER_UID)
			return false;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (sets[i].effective || sets[i].permitted || sets[i].inheritable)
			return false;
	return true;
}

/* As a driver's threads do, it lets no signal in. */
static void *wait_and_look(void *opaque)
{
	sigset_t all;

	(void)opaque;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	pthread_barrier_wait(&started);
	pthread_barrier_wait(&changed);
	return is_tenants() ? NULL : &started;
}

static int sleep_for_ever(void *opaque)
{
	(void)opaque;
	for (;;)
		syscall(SYS_pause);
	return 0;
}

/* A thread that glibc has not heard of. */
static void start_unknown_thread(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	if (clone(sleep_for_ever, stack + sizeof(stack),
		  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
		  NULL) < 0)
		_exit(100);
}

static void fail_in_child(const char *what)
{
	fprintf(stderr, "%s\n", what);
	_exit(1);
}

/* Each of these runs in a process of its own, as root. */

static void become_with_threads(void)
{
	pthread_t threads[THREADS];
	struct vgpu_error *err = NULL;
	void *wrong;

	pthread_barrier_init(&started, NULL, THREADS + 1);
	pthread_barrier_init(&changed, NULL, THREADS + 1);
	if (sandbox_drop_capabilities(&err) < 0)
		fail_in_child(err->message);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, wait_and_look, NULL) != 0)
			fail_in_child("no thread");
	pthread_barrier_wait(&started);
	if (sandbox_become(DRIVER_UID, DRIVER_UID, &err) < 0)
		fail_in_child(err->message);
	pthread_barrier_wait(&changed);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		if (wrong)
			fail_in_child("a thread is not the tenant's");
	}
	if (!is_tenants())
		fail_in_child("the first thread is not the tenant's");
}

static void become_with_an_unknown_thread(void)
{
	struct vgpu_error *err = NULL;

	if (sandbox_drop_capabilities(&err) < 0)
		fail_in_child(err->message);
	start_unknown_thread();
	if (sandbox_become(DRIVER_UID, DRIVER_UID, &err) == 0)
		fail_in_child("it went on");
	if (err->status != EPERM || strncmp(err->message, "thread ", 7) != 0)
		fail_in_child(err->message);
}

/* Without stage 5: the kernel takes them with the uid. */
static void become_with_every_capability(void)
{
	struct vgpu_error *err = NULL;

	if (sandbox_become(DRIVER_UID, DRIVER_UID, &err) < 0)
		fail_in_child(err->message);
	if (!is_tenants())
		fail_in_child("it is not the tenant's");
}

/* One that the change of the uid leaves behind. */
static void become_with_an_inheritable_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	struct vgpu_error *err = NULL;

	if (syscall(SYS_capget, &header, sets) < 0)
		fail_in_child("capget");
	sets[0].inheritable = 1u << CAP_SETUID;
	if (syscall(SYS_capset, &header, sets) < 0)
		fail_in_child("capset");
	if (sandbox_become(DRIVER_UID, DRIVER_UID, &err) == 0)
		fail_in_child("it went on");
	if (err->status != EPERM)
		fail_in_child(err->message);
}

static void run_in_child(void (*action)(void))
{
	int status;
	pid_t pid;

	if (geteuid() != 0 || RUNNING_ON_VALGRIND)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		action();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void every_thread_becomes_the_tenants(void **state)
{
	(void)state;
	run_in_child(become_with_threads);
	run_in_child(become_with_every_capability);
}

static void a_thread_that_does_not_ends_it(void **state)
{
	(void)state;
	run_in_child(become_with_an_unknown_thread);
}

static void a_capability_that_remains_ends_it(void **state)
{
	(void)state;
	run_in_child(become_with_an_inheritable_capability);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_thread_becomes_the_tenants),
		cmocka_unit_test(a_thread_that_does_not_ends_it),
		cmocka_unit_test(a_capability_that_remains_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
