/* SPDX-License-Identifier: Apache-2.0 */
/* What a confined worker must not do ends it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "common/log.h"
#include "common/packet.h"
#include "mediatord/worker/sandbox.h"
#include "tests/mediatord/worker-driver.h"

/* Becomes another user, and as dumpable as execve() would leave it. */
static void become(uid_t uid)
{
	if (uid && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
		    prctl(PR_SET_DUMPABLE, 1) < 0))
		_exit(100);
}

/* Whether the host lets this user (0: the caller) have what a worker wants. */
static bool namespaces_possible(uid_t uid)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		become(uid);
		_exit(unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) == 0
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Whether do_confined()'s child has a channel's eventfds, with these numbers. */
static bool has_channel;

#define DOORBELL   10
#define COMPLETION 11

static void open_eventfds(struct sandbox *sandbox)
{
	if (!has_channel)
		return;
	if (dup2(eventfd(1, EFD_NONBLOCK), DOORBELL) < 0 ||
	    dup2(eventfd(1, EFD_NONBLOCK), COMPLETION) < 0)
		_exit(104);
	sandbox->doorbell = DOORBELL;
	sandbox->completion = COMPLETION;
}

/*
 * Confines a child of this test as a worker is, started as `uid` where that is not 0, and has it do
 * something. Returns what waitpid() said.
 */
static int do_confined(uid_t start_uid, void (*action)(void))
{
	bool expect_namespaces = namespaces_possible(start_uid);
	int pair[2], status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sandbox sandbox = {
			.root_maker = -1, .keep_fd = 3, .doorbell = -1, .completion = -1
		};
		uint32_t id = geteuid() == 0 && start_uid == 0 ? DRIVER_UID : VGPU_WORKER_NO_ID;
		struct vgpu_error *err = NULL;

		become(start_uid);
		dup2(pair[1], 10);
		dup2(10, 3);
		if (sandbox_prepare(&sandbox, &err) == 0)
			open_eventfds(&sandbox);
		if (err || sandbox_become(id, id, &err) < 0 ||
		    sandbox_enter(&sandbox, UINT64_C(1) << 32, &err) < 0) {
			fprintf(stderr, "%s\n", err->message);
			_exit(101);
		}
		if (expect_namespaces && !sandbox.namespaces)
			_exit(103);
		action();
		_exit(0);
	}
	close(pair[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pair[0]);
	return status;
}

/* What a worker does all the time. */
static void act_permitted(void)
{
	char *memory = malloc(1 << 24), *more;

	memset(memory, 1, 1 << 24);
	more = realloc(memory, 1 << 25);
	free(more ? more : memory);
	if (vgpu_packet_send(3, "x", 1, NULL, 0) < 0 ||
	    vgpu_packet_receive(3, &memory, 1, NULL, 0, NULL) >= 0 || errno != EAGAIN)
		_exit(102);
	vgpu_log_debug("not printed");
}

static void act_send_with_an_address(void)
{
	send(3, "x", 1, 0); /* that is sendto() */
}

static void act_open(void)
{
	syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static void act_socket(void)
{
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void act_fork(void)
{
	syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void act_exec(void)
{
	char *const none[] = { NULL };

	syscall(SYS_execve, "/bin/true", none, none);
}

static void act_kill_parent(void)
{
	syscall(SYS_kill, getppid(), 0);
}

static void act_signal_another(void)
{
	syscall(SYS_tgkill, 1, 1, 0);
}

static void act_executable_memory(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void act_make_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void act_shared_memory(void)
{
	mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void act_write_elsewhere(void)
{
	write(STDOUT_FILENO, "x", 1) == 1 ? _exit(0) : _exit(1);
}

static void act_receive_elsewhere(void)
{
	struct msghdr message = { 0 };

	syscall(SYS_recvmsg, 0, &message, 0);
}

static void act_ptrace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void act_new_privileges(void)
{
	syscall(SYS_setresuid, 0, 0, 0);
}

/* What the loop of a channel does besides. */
static void act_serve_a_channel(void)
{
	struct pollfd fds[] = { { .fd = DOORBELL, .events = POLLIN },
				{ .fd = 3, .events = POLLIN } };
	const struct timespec limit = { .tv_nsec = 1000 };
	uint64_t count = 1;

	if (ppoll(fds, 2, &limit, NULL) != 1 ||
	    read(DOORBELL, &count, sizeof(count)) != sizeof(count) || count != 1 ||
	    write(COMPLETION, &count, sizeof(count)) != sizeof(count))
		_exit(102);
	act_permitted();
}

static void act_ring_itself(void)
{
	const uint64_t one = 1;

	write(DOORBELL, &one, sizeof(one)) == sizeof(one) ? _exit(0) : _exit(1);
}

static void act_read_completions(void)
{
	uint64_t count;

	read(COMPLETION, &count, sizeof(count)) == sizeof(count) ? _exit(0) : _exit(1);
}

static void act_read_elsewhere(void)
{
	char byte;

	read(STDIN_FILENO, &byte, 1) == 1 ? _exit(0) : _exit(1);
}

static void forbidden_system_calls_end_it(void **state)
{
	static void (*const actions[])(void) = {
		act_send_with_an_address,
		act_open,
		act_socket,
		act_fork,
		act_exec,
		act_kill_parent,
		act_signal_another,
		act_executable_memory,
		act_make_executable,
		act_shared_memory,
		act_write_elsewhere,
		act_receive_elsewhere,
		act_ptrace,
		act_new_privileges,
		act_read_elsewhere,
		/* These where there is such a descriptor, too. */
		act_ring_itself,
		act_read_completions,
	};
	int status;

	(void)state;
	/* With sanitizers they fail instead; valgrind itself makes many of them. */
	if (SANDBOX_FOR_SANITIZERS || RUNNING_ON_VALGRIND)
		skip();
	for (int channel = 0; channel < 2; channel++) {
		has_channel = channel;
		status = do_confined(0, channel ? act_serve_a_channel : act_permitted);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
			status = do_confined(0, actions[i]);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("action %zu: wait status 0x%x, expected SIGSYS", i,
					 (unsigned int)status);
			assert_false(WCOREDUMP(status));
		}
	}
	has_channel = false;
}

/* The first page of a file of two. */
static void *map_first_page(void)
{
	int fd = memfd_create("test-worker-sandbox", MFD_CLOEXEC);
	void *page;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	close(fd);
	return page;
}

static void *first_page;

static void act_grow_what_is_shared(void)
{
	void *grown = mremap(first_page, 4096, 8192, MREMAP_MAYMOVE);

	_exit(grown == MAP_FAILED && errno == ENOMEM ? 0 : 1);
}

/* A region of BAR2 does not become the region behind it, which is another channel's. */
static void shared_memory_cannot_grow(void **state)
{
	int status;

	(void)state;
	if (RUNNING_ON_VALGRIND)
		skip();
	first_page = map_first_page();
	status = do_confined(0, act_grow_what_is_shared);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	munmap(first_page, 4096);
}

/* Beside a GPU's driver neither, whatever mapping it is; realloc() makes do without. */
static void no_memory_is_moved_beside_a_driver(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (RUNNING_ON_VALGRIND)
		skip();
	first_page = map_first_page();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct sandbox sandbox = { .gpu = true,
						 .root_maker = -1,
						 .keep_fd = 3,
						 .doorbell = -1,
						 .completion = -1 };
		void *own = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		/* Large enough for a mapping of its own, which realloc() would move. */
		char *text = malloc(1u << 22), *longer;

		if (!text || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    sandbox_filter_system_calls(&sandbox, NULL) < 0)
			_exit(101);
		if (mremap(own, 4096, 8192, MREMAP_MAYMOVE) != MAP_FAILED || errno != ENOMEM)
			_exit(102);
		text[0] = 'x';
		longer = realloc(text, 1u << 25);
		if (!longer || longer[0] != 'x')
			_exit(103);
		act_grow_what_is_shared();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	munmap(first_page, 4096);
}

/* Started by another user than root, it is confined as well, within a user namespace. */
static void without_root(void **state)
{
	int status;

	(void)state;
	if (RUNNING_ON_VALGRIND)
		skip();
	status = do_confined(geteuid() == 0 ? 65534 : 0, act_permitted);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	if (SANDBOX_FOR_SANITIZERS)
		return;
	status = do_confined(geteuid() == 0 ? 65534 : 0, act_open);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* The end of whoever reads its log is not its own. */
static void a_log_without_a_reader(void **state)
{
	int pair[2], pipes[2], status;
	pid_t pid;

	(void)state;
	if (RUNNING_ON_VALGRIND)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe(pipes), 0);
	close(pipes[0]);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sandbox sandbox = {
			.root_maker = -1, .keep_fd = 3, .doorbell = -1, .completion = -1
		};
		uint32_t id = geteuid() == 0 ? DRIVER_UID : VGPU_WORKER_NO_ID;

		dup2(pipes[1], STDERR_FILENO);
		dup2(pair[1], 10);
		dup2(10, 3);
		if (sandbox_prepare(&sandbox, NULL) < 0 || sandbox_become(id, id, NULL) < 0 ||
		    sandbox_enter(&sandbox, 0, NULL) < 0)
			_exit(101);
		_exit(write(STDERR_FILENO, "x", 1) == -1 ? 0 : 1);
	}
	close(pair[0]);
	close(pair[1]);
	close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forbidden_system_calls_end_it),
		cmocka_unit_test(shared_memory_cannot_grow),
		cmocka_unit_test(no_memory_is_moved_beside_a_driver),
		cmocka_unit_test(without_root),
		cmocka_unit_test(a_log_without_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
