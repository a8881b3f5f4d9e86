/* SPDX-License-Identifier: Apache-2.0 */
/* Workers over the end of a mediator, and over that of the keeper. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/mediatord/keeper-driver.h"

#define WORKERS 3

/* A mediator of its own process: spawns workers, says so, and is killed. */
static void spawn_and_be_killed(const struct keeper_driver *driver)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = keeper_greet_empty(driver);

		for (uint64_t i = 0; i < WORKERS; i++) {
			struct keeper_bundle bundle = keeper_bundle_new();

			/* What a record holds is the next mediator's to find. */
			if (pwrite(bundle.fds[VGPU_KEEPER_FD_RECORD], &i, sizeof(i), 0) !=
			    sizeof(i))
				_exit(1);
			keeper_spawned(fd, 10 + i, &bundle);
		}
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* A keeper that was given worker 1 by the mediator that is connected at *fd. */
static pid_t launch_with_worker(struct keeper_driver *driver, int *fd, struct keeper_bundle *bundle)
{
	keeper_launch(driver, NULL);
	*fd = keeper_greet_empty(driver);
	*bundle = keeper_bundle_new();
	return keeper_spawned(*fd, 1, bundle);
}

static void a_killed_mediators_workers_are_the_next_ones(void **state)
{
	struct keeper_driver *driver = *state;
	bool seen[WORKERS] = { false };
	int fd, fds[VGPU_KEEPER_FDS];

	keeper_launch(driver, NULL);
	spawn_and_be_killed(driver);
	fd = keeper_greet(driver);
	for (int i = 0; i < WORKERS; i++) {
		const union vgpu_keeper_message message =
			keeper_receive(fd, VGPU_KEEPER_KEPT, fds, VGPU_KEEPER_FDS);
		uint64_t number = message.kept.worker - 10, record;
		struct stat page;

		assert_true(number < WORKERS && !seen[number]);
		seen[number] = true;
		assert_int_equal(message.kept.ended, 0);
		assert_int_equal(pread(fds[VGPU_KEEPER_FD_RECORD], &record, sizeof(record), 0),
				 sizeof(record));
		assert_int_equal(record, number);
		assert_int_equal(fstat(fds[VGPU_KEEPER_FD_GRANT], &page), 0);
		assert_int_equal(page.st_size, 4096);
		assert_int_equal(keeper_ask(fds[VGPU_KEEPER_FD_CONTROL]), message.kept.pid);
		assert_int_equal(pidfd_send_signal(fds[VGPU_KEEPER_FD_OTHER], SIGKILL, NULL, 0), 0);
		for (int j = 0; j < VGPU_KEEPER_FDS; j++)
			close(fds[j]);
	}
	keeper_receive(fd, VGPU_KEEPER_COMPLETE, NULL, 0);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(keeper_receive(fd, VGPU_KEEPER_ENDED, NULL, 0).ended.status,
				 SIGKILL);
	close(fd);
}

static void what_ended_meanwhile_is_told(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle = keeper_bundle_new();
	union vgpu_keeper_message message;
	int fd, fds[VGPU_KEEPER_FDS];
	pid_t pid;

	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	pid = keeper_spawned(fd, 5, &bundle);
	close(fd);
	keeper_tell_exit(bundle.fds[VGPU_KEEPER_FD_CONTROL], 9);
	/* Reaped: it is not even a zombie. */
	while (kill(pid, 0) == 0)
		usleep(1000);
	for (int round = 0; round < 2; round++) {
		fd = keeper_greet(driver);
		message = keeper_receive(fd, VGPU_KEEPER_KEPT, fds, VGPU_KEEPER_FDS);
		assert_int_equal(message.kept.worker, 5);
		assert_int_equal(message.kept.pid, pid);
		assert_int_equal(message.kept.ended, 1);
		assert_int_equal(message.kept.status, 9 << 8);
		keeper_receive(fd, VGPU_KEEPER_COMPLETE, NULL, 0);
		for (int i = 0; i < VGPU_KEEPER_FDS; i++)
			close(fds[i]);
		/* Until it is forgotten. */
		if (round == 1)
			keeper_send_plain(fd, VGPU_KEEPER_FORGET, 5);
		close(fd);
	}
	close(keeper_greet_empty(driver));
	keeper_bundle_close(&bundle);
}

static void send_keep(int fd, uint64_t worker, pid_t pid, const struct keeper_bundle *bundle)
{
	const struct vgpu_keeper_kept keep = {
		.header = { .type = VGPU_KEEPER_KEEP, .length = sizeof(keep) },
		.worker = worker,
		.pid = pid,
	};

	keeper_send(fd, &keep, sizeof(keep), bundle->fds, VGPU_KEEPER_FDS);
}

static void a_killed_keepers_workers_are_the_next_ones(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle;
	union vgpu_keeper_message message;
	int fd, fds[VGPU_KEEPER_FDS];
	pid_t pid;

	pid = launch_with_worker(driver, &fd, &bundle);
	keeper_signal(driver, SIGKILL);
	keeper_expect_end(fd);
	close(fd);
	assert_int_equal(keeper_ask(bundle.fds[VGPU_KEEPER_FD_CONTROL]), pid);

	/* It takes the stale socket's place, and starts empty. */
	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	send_keep(fd, 1, pid, &bundle);
	close(fd);
	fd = keeper_greet(driver);
	message = keeper_receive(fd, VGPU_KEEPER_KEPT, fds, VGPU_KEEPER_FDS);
	assert_int_equal(message.kept.worker, 1);
	assert_int_equal(message.kept.pid, pid);
	keeper_receive(fd, VGPU_KEEPER_COMPLETE, NULL, 0);
	assert_int_equal(keeper_ask(fds[VGPU_KEEPER_FD_CONTROL]), pid);

	/* Not its child: that it ended is known, and nothing more. */
	assert_int_equal(kill(pid, SIGKILL), 0);
	message = keeper_receive(fd, VGPU_KEEPER_ENDED, NULL, 0);
	assert_int_equal(message.ended.worker, 1);
	assert_int_equal(message.ended.status, -1);
	keeper_send_plain(fd, VGPU_KEEPER_FORGET, 1);
	for (int i = 0; i < VGPU_KEEPER_FDS; i++)
		close(fds[i]);
	close(fd);
	close(keeper_greet_empty(driver));
	keeper_bundle_close(&bundle);
}

static void one_that_had_ended_before_its_keep_ends_at_once(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle;
	int fd;
	pid_t pid = launch_with_worker(driver, &fd, &bundle);

	keeper_signal(driver, SIGKILL);
	close(fd);
	assert_int_equal(kill(pid, SIGKILL), 0);
	keeper_await_gone(pid);
	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	send_keep(fd, 1, pid, &bundle);
	assert_int_equal(keeper_receive(fd, VGPU_KEEPER_ENDED, NULL, 0).ended.status, -1);
	keeper_bundle_close(&bundle);
	close(fd);
}

static void a_terminated_keeper_leaves_the_workers_to_their_mediator(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle;
	int fd;
	pid_t pid = launch_with_worker(driver, &fd, &bundle);

	assert_int_equal(keeper_signal(driver, SIGTERM), 0);
	assert_int_equal(keeper_dial(driver), -1);
	assert_int_equal(keeper_ask(bundle.fds[VGPU_KEEPER_FD_CONTROL]), pid);
	keeper_bundle_close(&bundle);
	keeper_await_gone(pid);
	close(fd);
}

static void a_terminated_keeper_without_a_mediator_ends_them(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle;
	int fd;
	pid_t pid = launch_with_worker(driver, &fd, &bundle);

	close(fd);
	/* Also one that would not end with its socket, which is open here. */
	assert_int_equal(keeper_signal(driver, SIGTERM), 0);
	assert_false(keeper_alive(pid));
	keeper_bundle_close(&bundle);
}

static void without_a_mediator_it_waits_as_long_as_it_was_told(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle = keeper_bundle_new();
	union vgpu_keeper_message message;
	pid_t pid;
	int fd;

	keeper_launch(driver, "1");
	fd = keeper_dial(driver);
	keeper_send_hello(fd, VGPU_KEEPER_VERSION);
	message = keeper_receive(fd, VGPU_KEEPER_WELCOME, NULL, 0);
	assert_int_equal(message.welcome.wait_seconds, 1);
	keeper_receive(fd, VGPU_KEEPER_COMPLETE, NULL, 0);
	pid = keeper_spawned(fd, 1, &bundle);
	close(fd);
	assert_int_equal(keeper_wait_end(driver), 0);
	assert_false(keeper_alive(pid));
	assert_int_equal(access(driver->socket, F_OK), -1);
	keeper_bundle_close(&bundle);
}

static void a_mediator_can_end_it(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle;
	int fd;
	pid_t pid = launch_with_worker(driver, &fd, &bundle);

	keeper_send_plain(fd, VGPU_KEEPER_END, 0);
	close(fd);
	assert_int_equal(keeper_wait_end(driver), 0);
	assert_false(keeper_alive(pid));
	keeper_bundle_close(&bundle);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keeper_setup, keeper_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_killed_mediators_workers_are_the_next_ones),
		TEST(what_ended_meanwhile_is_told),
		TEST(a_killed_keepers_workers_are_the_next_ones),
		TEST(one_that_had_ended_before_its_keep_ends_at_once),
		TEST(a_terminated_keeper_leaves_the_workers_to_their_mediator),
		TEST(a_terminated_keeper_without_a_mediator_ends_them),
		TEST(without_a_mediator_it_waits_as_long_as_it_was_told),
		TEST(a_mediator_can_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
