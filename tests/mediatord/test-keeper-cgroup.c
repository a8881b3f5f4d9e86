/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service manager ends a service by its control group; a terminal, a session or group of
 * processes. The workers of a mediator that ends so are there for the next.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/mediatord/keeper-mediator.h"

/* A mediator in a process of its own, in a session of its own, and what it tells. */
struct other_mediator {
	pid_t pid;
	pid_t worker;
};

static void put(const char *dir, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Serves until it is killed; a process of its own beside it, as the control plane's helpers are. */
static void serve(const struct keeper_driver *driver, const char *group, int report)
{
	struct keeper_mediator mediator;
	struct keeper_owner *owner;

	setsid();
	if (group)
		put(group, "cgroup.procs", "0");
	if (fork() == 0)
		for (;;)
			pause();
	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	owner = keeper_mediator_spawn(&mediator);
	keeper_mediator_wait(&mediator, owner->spawned);
	if (write(report, &owner->worker->pid, sizeof(pid_t)) != sizeof(pid_t))
		_exit(1);
	for (;;)
		loop_step(mediator.loop, VGPU_NS_PER_SECOND);
}

static struct other_mediator start(const struct keeper_driver *driver, const char *group)
{
	struct other_mediator other;
	int report[2];

	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	other.pid = fork();
	assert_true(other.pid >= 0);
	if (other.pid == 0)
		serve(driver, group, report[1]);
	close(report[1]);
	assert_int_equal(read(report[0], &other.worker, sizeof(other.worker)),
			 sizeof(other.worker));
	close(report[0]);
	return other;
}

static void goes_on_with(const struct keeper_driver *driver, const struct other_mediator *other)
{
	struct keeper_mediator mediator;
	int status;

	assert_int_equal(waitpid(other->pid, &status, 0), other->pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	keeper_mediator_init(&mediator, driver);
	keeper_mediator_open(&mediator);
	assert_int_equal(mediator.owner_count, 1);
	assert_int_equal(keeper_ask(keeper_owner_control(&mediator.owners[0])), other->worker);
	keeper_end(mediator.client);
	keeper_mediator_close(&mediator);
	keeper_await_gone(other->worker);
}

/* Where the unified hierarchy is, or NULL. */
static const char *hierarchy(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/cgroup.procs", places[i]);
		if (access(path, W_OK) == 0)
			return places[i];
	}
	return NULL;
}

static void workers_survive_the_mediators_control_group(void **state)
{
	struct keeper_driver *driver = *state;
	struct other_mediator other;
	const char *place = hierarchy();
	char group[64], kill_file[80];

	snprintf(group, sizeof(group), "%s/vgpu-test-%d", place ? place : "", (int)getpid());
	if (!place || mkdir(group, 0755) < 0) {
		print_message("no control group of version 2 can be made here\n");
		skip();
	}
	snprintf(kill_file, sizeof(kill_file), "%s/cgroup.kill", group);
	if (access(kill_file, W_OK) < 0) {
		rmdir(group);
		print_message("this kernel kills no control group (Linux 5.14 does)\n");
		skip();
	}
	/* The keeper stays in ours. */
	keeper_launch(driver, NULL);
	other = start(driver, group);
	put(group, "cgroup.kill", "1");
	goes_on_with(driver, &other);
	keeper_wait_end(driver);
	/* Busy until the last of its processes was reaped. */
	while (rmdir(group) < 0 && errno == EBUSY)
		usleep(1000);
	assert_int_equal(access(group, F_OK), -1);
}

/* Also with a keeper that this very mediator started. */
static void workers_survive_the_mediators_session(void **state)
{
	struct keeper_driver *driver = *state;
	const struct other_mediator other = start(driver, NULL);

	assert_int_equal(kill(-other.pid, SIGKILL), 0);
	goes_on_with(driver, &other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keeper_setup, keeper_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(workers_survive_the_mediators_control_group),
		TEST(workers_survive_the_mediators_session),
	};

	vgpu_log_init("test", VGPU_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
