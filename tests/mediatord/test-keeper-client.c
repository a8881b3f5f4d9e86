/* SPDX-License-Identifier: Apache-2.0 */
/* The mediator's side with real keepers: what its owner is told, whoever of the two is restarted.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/mediatord/keeper-mediator.h"

/* The pid of whoever listens at the driver's socket. */
static pid_t keeper_pid(const struct keeper_driver *driver)
{
	struct ucred peer = { .pid = 0 };
	socklen_t length = sizeof(peer);
	int fd = keeper_dial(driver);

	if (fd < 0)
		return 0;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length), 0);
	close(fd);
	return peer.pid;
}

/* Ends a keeper that the mediator started, and waits for that. */
static void end_own_keeper(struct keeper_mediator *mediator, const struct keeper_driver *driver)
{
	pid_t pid = keeper_pid(driver);

	assert_true(pid > 0);
	assert_false(keeper_stays(mediator->client));
	keeper_end(mediator->client);
	keeper_mediator_close(mediator);
	keeper_await_gone(pid);
}

static void where_nobody_listens_it_starts_a_keeper(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator mediator;
	struct keeper_owner *owner;
	pid_t keeper, worker;

	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	keeper = keeper_pid(driver);
	assert_true(keeper > 0 && keeper != getpid());
	/* Not in our session, so that what ends that does not end it. */
	assert_int_not_equal(getsid(keeper), getsid(0));
	owner = keeper_mediator_spawn(&mediator);
	assert_false(owner->spawned);
	keeper_mediator_wait(&mediator, owner->spawned);
	worker = owner->worker->pid;
	assert_int_equal(keeper_ask(keeper_owner_control(owner)), worker);
	end_own_keeper(&mediator, driver);
	keeper_await_gone(worker);
}

static void a_worker_is_killed_and_forgotten(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator mediator;
	struct keeper_owner *killed, *exiting;

	keeper_launch(driver, NULL);
	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	assert_true(keeper_stays(mediator.client));
	exiting = keeper_mediator_spawn(&mediator);
	killed = keeper_mediator_spawn(&mediator);
	/* At once: before it is known to be running. */
	keeper_kill(killed->worker);
	keeper_mediator_wait(&mediator, killed->ended);
	assert_int_equal(killed->status, SIGKILL);
	keeper_mediator_wait(&mediator, exiting->spawned);
	keeper_tell_exit(keeper_owner_control(exiting), 3);
	keeper_mediator_wait(&mediator, exiting->ended);
	assert_int_equal(exiting->status, 3 << 8);
	keeper_mediator_close(&mediator);
	close(keeper_greet_empty(driver));
}

static void the_next_mediator_goes_on_with_the_workers(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator first, next;
	struct keeper_owner *running, *ending, *fresh;
	pid_t pid, gone;

	keeper_launch(driver, NULL);
	keeper_mediator_init(&first, driver);
	keeper_mediator_open(&first);
	running = keeper_mediator_spawn(&first);
	ending = keeper_mediator_spawn(&first);
	keeper_mediator_wait(&first, running->spawned && ending->spawned);
	pid = running->worker->pid;
	gone = ending->worker->pid;
	keeper_tell_exit(keeper_owner_control(ending), 4);
	keeper_mediator_close(&first);
	while (kill(gone, 0) == 0)
		usleep(1000);

	keeper_mediator_init(&next, driver);
	keeper_mediator_open(&next);
	assert_int_equal(next.owner_count, 2);
	running = &next.owners[next.owners[0].ended];
	ending = &next.owners[!next.owners[0].ended];
	assert_true(running->kept && !running->ended && running->worker->pid == pid);
	assert_true(ending->kept && ending->ended && ending->status == 4 << 8);
	keeper_forget(&ending->worker);
	assert_int_equal(keeper_ask(keeper_owner_control(running)), pid);
	/* New ones do not get in the way of the old ones. */
	fresh = keeper_mediator_spawn(&next);
	keeper_mediator_wait(&next, fresh->spawned);
	keeper_kill(running->worker);
	keeper_kill(fresh->worker);
	keeper_mediator_wait(&next, running->ended && fresh->ended);
	assert_int_equal(running->status, SIGKILL);
	keeper_mediator_close(&next);
	close(keeper_greet_empty(driver));
}

static void a_lost_keeper_is_replaced(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator mediator;
	struct keeper_owner *owner, *ending, *fresh;
	pid_t pid;

	/* One that a mediator may replace. */
	keeper_launch(driver, "60");
	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	owner = keeper_mediator_spawn(&mediator);
	ending = keeper_mediator_spawn(&mediator);
	keeper_mediator_wait(&mediator, owner->spawned && ending->spawned);
	pid = owner->worker->pid;
	keeper_signal(driver, SIGKILL);
	/* Both before and after we notice. */
	keeper_kill(ending->worker);
	fresh = keeper_mediator_spawn(&mediator);
	keeper_mediator_wait(&mediator, ending->ended && (fresh->spawned || fresh->failed));
	assert_int_equal(ending->status, -1);
	assert_int_equal(keeper_ask(keeper_owner_control(owner)), pid);
	/* The new one holds it. */
	keeper_mediator_close(&mediator);
	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	assert_true(mediator.owner_count >= 1);
	owner = mediator.owners[0].worker->pid == pid ? &mediator.owners[0] : &mediator.owners[1];
	assert_int_equal(keeper_ask(keeper_owner_control(owner)), pid);
	end_own_keeper(&mediator, driver);
	keeper_await_gone(pid);
}

static void a_service_managers_keeper_is_waited_for(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator mediator;
	struct keeper_owner *owner, *waiting, *cancelled;
	pid_t pid;

	keeper_launch(driver, NULL);
	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	owner = keeper_mediator_spawn(&mediator);
	keeper_mediator_wait(&mediator, owner->spawned);
	pid = owner->worker->pid;
	keeper_signal(driver, SIGTERM);
	/* Until the loss is seen, a message would go to the old one. */
	keeper_mediator_wait(&mediator, !keeper_is_there(mediator.client));
	waiting = keeper_mediator_spawn(&mediator);
	cancelled = keeper_mediator_spawn(&mediator);
	keeper_kill(cancelled->worker);
	keeper_mediator_wait(&mediator, cancelled->failed);
	assert_int_equal(cancelled->errnum, ECANCELED);
	assert_int_equal(keeper_pid(driver), 0);

	keeper_launch(driver, NULL);
	keeper_mediator_wait(&mediator, waiting->spawned);
	assert_int_equal(keeper_ask(keeper_owner_control(waiting)), waiting->worker->pid);
	assert_int_equal(keeper_ask(keeper_owner_control(owner)), pid);
	keeper_kill(owner->worker);
	keeper_kill(waiting->worker);
	keeper_mediator_wait(&mediator, owner->ended && waiting->ended);
	assert_int_equal(owner->status, -1);
	assert_int_equal(waiting->status, SIGKILL);
	keeper_mediator_close(&mediator);
}

static void what_cannot_be_started_is_said(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator mediator;
	struct keeper_owner *owner;
	struct vgpu_error *err = NULL;

	strcpy(driver->worker, "/nonexistent/worker");
	keeper_mediator_init(&mediator, driver);
	mediator.settings.program = "/nonexistent/keeper";
	assert_int_equal(keeper_mediator_connect(&mediator, &err), -1);
	assert_int_equal(err->status, ENOENT);
	assert_non_null(strstr(err->message, "/nonexistent/keeper"));
	vgpu_error_free(&err);

	mediator.settings.program = mediator.program;
	keeper_mediator_open(&mediator);
	owner = keeper_mediator_spawn(&mediator);
	keeper_mediator_wait(&mediator, owner->failed);
	assert_int_equal(owner->errnum, ENOENT);
	assert_non_null(strstr(owner->text, "/nonexistent/worker: exec"));
	end_own_keeper(&mediator, driver);
}

static void a_second_mediator_is_told(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_mediator mediator;
	struct vgpu_error *err = NULL;
	int fd;

	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	keeper_mediator_init(&mediator, driver);
	assert_int_equal(keeper_mediator_connect(&mediator, &err), -1);
	assert_int_equal(err->status, EBUSY);
	vgpu_error_free(&err);
	keeper_mediator_close(&mediator);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keeper_setup, keeper_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_nobody_listens_it_starts_a_keeper),
		TEST(a_worker_is_killed_and_forgotten),
		TEST(the_next_mediator_goes_on_with_the_workers),
		TEST(a_lost_keeper_is_replaced),
		TEST(a_service_managers_keeper_is_waited_for),
		TEST(what_cannot_be_started_is_said),
		TEST(a_second_mediator_is_told),
	};

	vgpu_log_init("test", VGPU_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
