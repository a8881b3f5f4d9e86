/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper starts, what a worker gets of it, and what is said of its end. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediatord/worker_protocol.h"
#include "tests/mediatord/keeper-driver.h"

static void ended_and_forgotten(int fd, uint64_t worker, int status)
{
	const union vgpu_keeper_message message = keeper_receive(fd, VGPU_KEEPER_ENDED, NULL, 0);

	assert_int_equal(message.ended.worker, worker);
	assert_int_equal(message.ended.status, status);
	keeper_send_plain(fd, VGPU_KEEPER_FORGET, worker);
}

static void it_says_how_a_worker_ended(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle = keeper_bundle_new(), other = keeper_bundle_new();
	pid_t pid;
	int fd;

	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	pid = keeper_spawned(fd, 7, &bundle);
	assert_int_equal(keeper_ask(bundle.fds[VGPU_KEEPER_FD_CONTROL]), pid);
	keeper_tell_exit(bundle.fds[VGPU_KEEPER_FD_CONTROL], 33);
	ended_and_forgotten(fd, 7, 33 << 8);

	/* The number is free again; the pidfd is the process's. */
	pid = keeper_spawned(fd, 7, &other);
	assert_int_equal(keeper_ask(other.fds[VGPU_KEEPER_FD_CONTROL]), pid);
	assert_int_equal(pidfd_send_signal(other.fds[VGPU_KEEPER_FD_OTHER], SIGKILL, NULL, 0), 0);
	ended_and_forgotten(fd, 7, SIGKILL);
	assert_false(keeper_alive(pid));
	keeper_bundle_close(&bundle);
	keeper_bundle_close(&other);
	close(fd);
	/* Nothing is left for the next one. */
	close(keeper_greet_empty(driver));
}

static void read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	FILE *file;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	assert_non_null(file);
	length = fread(text, 1, size - 1, file);
	text[length] = '\0';
	fclose(file);
}

/* Root alone does not suffice in every container. */
static bool may_be_spared(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);

		_exit(write(fd, "-900", 4) != 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static void a_worker_gets_nothing_of_the_keeper(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle = keeper_bundle_new();
	char text[256], ours[256], path[64];
	unsigned int descriptors = 0;
	pid_t pid;
	DIR *dir;
	int fd;

	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	pid = keeper_spawned(fd, 1, &bundle);
	keeper_ask(bundle.fds[VGPU_KEEPER_FD_CONTROL]);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		descriptors += *entry->d_name != '.';
	closedir(dir);
	assert_int_equal(descriptors, VGPU_WORKER_CONTROL_FD + 1);
	read_proc(pid, "environ", text, sizeof(text));
	assert_string_equal(text, "");
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	assert_int_equal(readlink(path, text, sizeof(text)), 1);
	assert_int_equal(getsid(pid), pid);
	read_proc(getpid(), "oom_score_adj", ours, sizeof(ours));
	read_proc(pid, "oom_score_adj", text, sizeof(text));
	assert_string_equal(text, ours);
	if (may_be_spared()) {
		read_proc(driver->pid, "oom_score_adj", text, sizeof(text));
		assert_string_equal(text, "-900\n");
	}
	keeper_bundle_close(&bundle);
	close(fd);
}

static void the_real_worker_serves(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle = keeper_bundle_new();
	const struct vgpu_worker_prepare prepare = {
		.header = { .type = VGPU_WORKER_PREPARE, .length = sizeof(prepare) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.backend = VGPU_BACKEND_CPU,
	};
	struct vgpu_worker_prepared prepared;
	int fd, control = bundle.fds[VGPU_KEEPER_FD_CONTROL];

	keeper_program(driver->worker, sizeof(driver->worker), "vgpu-worker");
	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	keeper_spawned(fd, 1, &bundle);
	assert_int_equal(send(control, &prepare, sizeof(prepare), 0), sizeof(prepare));
	assert_int_equal(recv(control, &prepared, sizeof(prepared), 0), sizeof(prepared));
	assert_int_equal(prepared.header.type, VGPU_WORKER_PREPARED_MESSAGE);
	/* The end of the stream is the worker's; the keeper holds the other end open. */
	shutdown(control, SHUT_RDWR);
	ended_and_forgotten(fd, 1, 0);
	keeper_bundle_close(&bundle);
	close(fd);
}

static void a_program_that_is_not_there_is_an_answer(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle = keeper_bundle_new();
	union vgpu_keeper_message message;
	int fd;

	strcpy(driver->worker, "/nonexistent/worker");
	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	keeper_send_spawn(fd, 1, &bundle);
	message = keeper_receive(fd, VGPU_KEEPER_SPAWNED, NULL, 0);
	assert_int_equal(message.spawned.worker, 1);
	assert_int_equal(message.spawned.pid, 0);
	assert_int_equal(message.spawned.errnum, ENOENT);
	assert_string_equal(message.spawned.step, "exec");
	/* It is no worker, and the keeper has kept none of its descriptors. */
	keeper_send_spawn(fd, 1, &bundle);
	keeper_receive(fd, VGPU_KEEPER_SPAWNED, NULL, 0);
	close(fd);
	close(keeper_greet_empty(driver));
	close(bundle.fds[VGPU_KEEPER_FD_OTHER]);
	bundle.fds[VGPU_KEEPER_FD_OTHER] = -1;
	keeper_expect_end(bundle.fds[VGPU_KEEPER_FD_CONTROL]);
	keeper_bundle_close(&bundle);
}

/* 32 of its own, and room for three workers. */
static void without_descriptors_nothing_is_lost(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundles[4];
	union vgpu_keeper_message message;
	int fd, fds[VGPU_KEEPER_FDS];

	/* valgrind keeps a limit of descriptors to itself: the keeper would not have it. */
	if (getenv("VGPU_TEST_SLOW"))
		skip();
	driver->files = 32 + 3 * VGPU_KEEPER_FDS;
	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	for (uint64_t i = 0; i < 4; i++)
		bundles[i] = keeper_bundle_new();
	for (uint64_t i = 0; i < 3; i++)
		keeper_spawned(fd, i, &bundles[i]);
	keeper_send_spawn(fd, 3, &bundles[3]);
	message = keeper_receive(fd, VGPU_KEEPER_SPAWNED, NULL, 0);
	assert_int_equal(message.spawned.worker, 3);
	assert_int_equal(message.spawned.pid, 0);
	assert_int_equal(message.spawned.errnum, EMFILE);
	assert_string_equal(message.spawned.step, "table");
	/* A mediator that comes anew is served all the same. */
	close(fd);
	fd = keeper_greet(driver);
	for (int i = 0; i < 3; i++) {
		keeper_receive(fd, VGPU_KEEPER_KEPT, fds, VGPU_KEEPER_FDS);
		for (int j = 0; j < VGPU_KEEPER_FDS; j++)
			close(fds[j]);
	}
	keeper_receive(fd, VGPU_KEEPER_COMPLETE, NULL, 0);
	keeper_tell_exit(bundles[1].fds[VGPU_KEEPER_FD_CONTROL], 0);
	ended_and_forgotten(fd, 1, 0);
	keeper_spawned(fd, 3, &bundles[3]);
	for (int i = 0; i < 4; i++)
		keeper_bundle_close(&bundles[i]);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keeper_setup, keeper_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_says_how_a_worker_ended),
		TEST(a_worker_gets_nothing_of_the_keeper),
		TEST(the_real_worker_serves),
		TEST(a_program_that_is_not_there_is_an_answer),
		TEST(without_descriptors_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
