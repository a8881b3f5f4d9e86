/* SPDX-License-Identifier: Apache-2.0 */
/* What the mediator's side does about a keeper that is none, or that it lost in the middle. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/mediatord/keeper-mediator.h"

/* In a process of its own: what a keeper is to say at each connection. */
typedef void script(int listener, const void *argument);

static pid_t start(const struct keeper_driver *driver, script *play, const void *argument)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pid_t pid;

	strcpy(address.sun_path, driver->socket);
	unlink(address.sun_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		play(listener, argument);
		_exit(0);
	}
	close(listener);
	return pid;
}

/* It played to its end. */
static void finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int accept_hello(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	keeper_receive(fd, VGPU_KEEPER_HELLO, NULL, 0);
	return fd;
}

static void welcome(int fd, uint32_t version)
{
	const struct vgpu_keeper_welcome message = {
		.header = { .type = VGPU_KEEPER_WELCOME, .length = sizeof(message) },
		.version = version,
	};

	keeper_send(fd, &message, sizeof(message), NULL, 0);
}

/* A packet, after WELCOME or in its place. */
struct said {
	union vgpu_keeper_message message;
	size_t length;
	size_t fds;
	bool unwelcomed;
	bool twice;
	int status; /* of keeper_connect() */
};

static void say(int listener, const void *argument)
{
	const struct said *said = argument;
	const struct keeper_bundle bundle = keeper_bundle_new();
	int fds[VGPU_KEEPER_FDS + 1], fd = accept_hello(listener);
	const int times = said->twice ? 2 : 1;
	char byte;

	memcpy(fds, bundle.fds, sizeof(bundle.fds));
	fds[VGPU_KEEPER_FDS] = listener;
	if (!said->unwelcomed)
		welcome(fd, VGPU_KEEPER_VERSION);
	for (int i = 0; i < times; i++)
		keeper_send(fd, &said->message, said->length, fds, said->fds);
	/* Until the other side has enough of it. */
	while (recv(fd, &byte, 1, 0) > 0)
		;
}

#define SAID(member, kind, ...)                                                                    \
	.message.member = { .header = { .type = (kind),                                            \
					.length = sizeof(                                          \
						((union vgpu_keeper_message *)NULL)->member) },    \
			    ##__VA_ARGS__ },                                                       \
	.length = sizeof(((union vgpu_keeper_message *)NULL)->member)

static void a_keeper_that_is_none_is_not_connected_to(void **state)
{
	static const struct said cases[] = {
		{ SAID(refused, VGPU_KEEPER_REFUSED, .reason = VGPU_KEEPER_REFUSED_VERSION),
		  .unwelcomed = true, .status = EPROTONOSUPPORT },
		{ SAID(refused, VGPU_KEEPER_REFUSED, .reason = VGPU_KEEPER_REFUSED_PEER),
		  .unwelcomed = true, .status = EPERM },
		{ SAID(welcome, VGPU_KEEPER_WELCOME, .version = 0), .unwelcomed = true,
		  .status = EPROTO },
		{ SAID(welcome, VGPU_KEEPER_WELCOME, .version = VGPU_KEEPER_VERSION + 1),
		  .unwelcomed = true, .status = EPROTO },
		{ SAID(welcome, VGPU_KEEPER_WELCOME, .version = VGPU_KEEPER_VERSION),
		  .status = EPROTO },
		{ SAID(plain, VGPU_KEEPER_COMPLETE), .unwelcomed = true, .status = EPROTO },
		{ SAID(kept, VGPU_KEEPER_KEPT, .worker = 1), .fds = 4, .unwelcomed = true,
		  .status = EPROTO },
		{ SAID(kept, VGPU_KEEPER_KEPT, .worker = 1), .fds = 3, .status = EPROTO },
		{ SAID(kept, VGPU_KEEPER_KEPT, .worker = 1), .fds = 5, .status = EMSGSIZE },
		{ SAID(kept, VGPU_KEEPER_KEPT, .worker = 0), .fds = 4, .status = EPROTO },
		{ SAID(kept, VGPU_KEEPER_KEPT, .worker = 1, .ended = 2), .fds = 4,
		  .status = EPROTO },
		{ SAID(kept, VGPU_KEEPER_KEPT, .worker = 1), .fds = 4, .twice = true,
		  .status = EPROTO },
		{ SAID(spawned, VGPU_KEEPER_SPAWNED, .worker = 1), .status = EPROTO },
		{ SAID(spawned, VGPU_KEEPER_SPAWNED, .worker = 1, .pid = 1), .status = EPROTO },
		{ SAID(ended, VGPU_KEEPER_ENDED, .worker = 1), .status = EPROTO },
		{ SAID(plain, VGPU_KEEPER_COMPLETE), .fds = 1, .status = EPROTO },
		{ SAID(plain, VGPU_KEEPER_HELLO), .status = EPROTO },
		{ .message.header = { VGPU_KEEPER_COMPLETE, 24 }, .length = 16, .status = EPROTO },
		{ .message.header = { VGPU_KEEPER_COMPLETE, 4 }, .length = 4, .status = EPROTO },
		{ .message.header = { 0, 8 }, .length = 8, .status = EPROTO },
	};
	struct keeper_driver *driver = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keeper_mediator mediator;
		struct vgpu_error *err = NULL;
		pid_t pid = start(driver, say, &cases[i]);

		print_message("case %zu\n", i);
		keeper_mediator_init(&mediator, driver);
		assert_int_equal(keeper_mediator_connect(&mediator, &err), -1);
		assert_int_equal(err->status, cases[i].status);
		vgpu_error_free(&err);
		keeper_mediator_close(&mediator);
		finish(pid);
	}
}

static void say_nothing(int listener, const void *argument)
{
	int fd = accept_hello(listener);
	char byte;

	(void)argument;
	while (recv(fd, &byte, 1, 0) > 0)
		;
}

static void a_silent_keeper_is_not_waited_for_without_end(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator mediator;
	struct vgpu_error *err = NULL;
	pid_t pid = start(driver, say_nothing, NULL);

	keeper_mediator_init(&mediator, driver);
	assert_int_equal(keeper_mediator_connect(&mediator, &err), -1);
	assert_int_equal(err->status, ETIMEDOUT);
	vgpu_error_free(&err);
	keeper_mediator_close(&mediator);
	finish(pid);
}

static int accept_empty(int listener)
{
	int fd = accept_hello(listener);

	welcome(fd, VGPU_KEEPER_VERSION);
	keeper_send_plain(fd, VGPU_KEEPER_COMPLETE, 0);
	return fd;
}

/* Loses the connection upon SPAWN, and has the worker all the same. */
static void spawn_and_lose(int listener, const void *argument)
{
	struct keeper_bundle bundle;
	int fd = accept_empty(listener);
	union vgpu_keeper_message message =
		keeper_receive(fd, VGPU_KEEPER_SPAWN, bundle.fds, VGPU_KEEPER_FDS);
	struct vgpu_keeper_kept kept = {
		.header = { .type = VGPU_KEEPER_KEPT, .length = sizeof(kept) },
		.worker = message.spawn.worker,
	};
	struct vgpu_keeper_ended ended = {
		.header = { .type = VGPU_KEEPER_ENDED, .length = sizeof(ended) },
		.worker = message.spawn.worker,
		.status = SIGKILL,
	};
	int status;

	(void)argument;
	close(fd);
	kept.pid = fork();
	if (kept.pid == 0)
		for (;;)
			pause();
	close(bundle.fds[VGPU_KEEPER_FD_OTHER]);
	bundle.fds[VGPU_KEEPER_FD_OTHER] = (int)syscall(SYS_pidfd_open, kept.pid, 0);
	fd = accept_hello(listener);
	welcome(fd, VGPU_KEEPER_VERSION);
	keeper_send(fd, &kept, sizeof(kept), bundle.fds, VGPU_KEEPER_FDS);
	keeper_send_plain(fd, VGPU_KEEPER_COMPLETE, 0);
	/* Nobody wants it. */
	waitpid(kept.pid, &status, 0);
	keeper_send(fd, &ended, sizeof(ended), NULL, 0);
	message = keeper_receive(fd, VGPU_KEEPER_FORGET, NULL, 0);
	assert_int_equal(message.plain.worker, kept.worker);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_worker_whose_start_was_not_heard_of_is_killed(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator mediator;
	struct keeper_owner *owner;
	int64_t deadline = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;
	int status, pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	pid_t pid;

	if (pidfd < 0 && errno == ENOSYS)
		skip(); /* valgrind knows none */
	close(pidfd);
	pid = start(driver, spawn_and_lose, NULL);
	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	owner = keeper_mediator_spawn(&mediator);
	keeper_mediator_wait(&mediator, owner->failed);
	assert_int_equal(owner->errnum, ECONNRESET);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_true(vgpu_now_ns() < deadline);
		loop_step(mediator.loop, 10 * VGPU_NS_PER_MS);
	}
	assert_int_equal(status, 0);
	keeper_mediator_close(&mediator);
}

/* Cannot hold what it is handed, at first. */
static void keep_at_the_second_try(int listener, const void *argument)
{
	const struct keeper_bundle *worker = argument;
	struct vgpu_keeper_kept kept = {
		.header = { .type = VGPU_KEEPER_KEPT, .length = sizeof(kept) },
		.worker = 1,
		.pid = getpid(),
	};
	struct vgpu_keeper_spawned sorry = {
		.header = { .type = VGPU_KEEPER_SPAWNED, .length = sizeof(sorry) },
		.worker = 1,
		.errnum = ENOMEM,
		.step = "memory",
	};
	int fds[VGPU_KEEPER_FDS];
	int fd = accept_hello(listener);

	welcome(fd, VGPU_KEEPER_VERSION);
	keeper_send(fd, &kept, sizeof(kept), worker->fds, VGPU_KEEPER_FDS);
	keeper_send_plain(fd, VGPU_KEEPER_COMPLETE, 0);
	close(fd);
	fd = accept_empty(listener);
	keeper_receive(fd, VGPU_KEEPER_KEEP, fds, VGPU_KEEPER_FDS);
	keeper_send(fd, &sorry, sizeof(sorry), NULL, 0);
	assert_int_equal(keeper_receive(fd, VGPU_KEEPER_KEEP, fds, VGPU_KEEPER_FDS).kept.worker, 1);
}

static void what_cannot_be_held_is_offered_again(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle worker = keeper_bundle_new();
	struct keeper_mediator mediator;
	int64_t deadline = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;
	pid_t pid = start(driver, keep_at_the_second_try, &worker);
	int status;

	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	assert_int_equal(mediator.owner_count, 1);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_true(vgpu_now_ns() < deadline);
		loop_step(mediator.loop, 10 * VGPU_NS_PER_MS);
	}
	assert_int_equal(status, 0);
	assert_false(mediator.owners[0].ended);
	keeper_mediator_close(&mediator);
	keeper_bundle_close(&worker);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keeper_setup, keeper_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_keeper_that_is_none_is_not_connected_to),
		TEST(a_silent_keeper_is_not_waited_for_without_end),
		TEST(a_worker_whose_start_was_not_heard_of_is_killed),
		TEST(what_cannot_be_held_is_offered_again),
	};

	vgpu_log_init("test", VGPU_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
