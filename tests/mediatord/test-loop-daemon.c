/* SPDX-License-Identifier: Apache-2.0 */
/* The programs themselves: what a restart keeps, what an end leaves, and what a worker is given. */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "tests/mediatord/loop-client.h"
#include "tests/mediatord/loop-daemon.h"
#include "tests/wait.h"

#define STALE "6f1d6c1e-0f5e-4c55-9d3a-ffffffffffff"

static void after_kill_9_all_is_back_with_nothing_put_again(void **state)
{
	struct daemon *daemon = *state;
	struct client client;
	uint64_t context;
	pid_t worker;

	client_open(&client, daemon->link);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 4096), VGPU_ERR_NONE);
	context = client.config.context;
	worker = daemon_worker_pid(daemon);
	assert_true(worker > 0);
	daemon_end(daemon, SIGKILL);
	assert_true(client_sees_end(&client, CLIENT_TIMEOUT_MS));
	client_close(&client);

	/* A socket of a VM that is not registered any more, and a file that is none of ours. */
	char path[160];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int stale = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	snprintf(path, sizeof(path), "%s/run/link/" STALE ".sock", daemon->dir);
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	snprintf(path, sizeof(path), "%s/run/link/notes.sock", daemon->dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));

	daemon_start(daemon);
	client_open(&client, daemon->link);
	assert_int_equal(client.config.vm_id, 5);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	/* It resumed nothing, so nothing is left of before. */
	assert_true(client.config.context != context);
	daemon_wait_until_gone(worker);
	client_close(&client);
	assert_int_equal(access(address.sun_path, F_OK), -1);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_clean_end_leaves_no_socket_and_no_process(void **state)
{
	struct daemon *daemon = *state;
	struct client client;
	pid_t worker;
	int status;

	client_open(&client, daemon->link);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	worker = daemon_worker_pid(daemon);
	kill(daemon->pid, SIGHUP);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	status = daemon_end(daemon, SIGTERM);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(kill(worker, 0), -1);
	assert_int_equal(access(daemon->link, F_OK), -1);
	assert_int_equal(access(daemon->control, F_OK), -1);
	client_close(&client);
}

static void a_second_mediator_does_not_start(void **state)
{
	struct daemon *daemon = *state;
	struct client client;
	char log[1024];
	pid_t second;
	int status, fd;
	ssize_t length;

	client_open(&client, daemon->link);
	daemon_start_another(daemon, &second);
	assert_int_equal(waitpid(second, &status, 0), second);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	fd = open(daemon->log, O_RDONLY);
	length = read(fd, log, sizeof(log) - 1);
	close(fd);
	assert_true(length > 0);
	log[length] = '\0';
	assert_non_null(strstr(log, "another vgpu-mediatord holds"));
	/* The first one goes on. */
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
}

static uint64_t allocate(struct client *client, uint64_t bytes)
{
	const uint32_t params[2] = { (uint32_t)bytes, 0 };
	struct vgpu_link_response response;
	uint8_t request[VGPU_MAILBOX_BYTES];
	uint32_t length = client_request(request, VGPU_OP_MEMORY_ALLOC, 0, params, 2);

	assert_int_equal(client_call(client, request, length, &response), VGPU_ERR_NONE);
	return vgpu_load64(response.data + sizeof(struct vgpu_response_header));
}

static void two_vectors_are_added_by_the_real_worker(void **state)
{
	enum {
		COUNT = 64
	};
	struct daemon *daemon = *state;
	const uint32_t launch[] = { 1, 1, 1, COUNT, 1, 1, 0, 8, 32 };
	struct vgpu_link_response response;
	uint8_t request[VGPU_MAILBOX_BYTES], data[40] = "vadd_i32";
	struct client client;
	uint64_t buffers[3];
	uint32_t length;

	client_open(&client, daemon->link);
	for (int i = 0; i < 3; i++)
		buffers[i] = allocate(&client, COUNT * 4);
	for (int i = 0; i < 2; i++) {
		const uint32_t copy[] = { VGPU_COPY_HOST_TO_DEVICE, (uint32_t)buffers[i],
					  (uint32_t)(buffers[i] >> 32) };

		length = client_request(request, VGPU_OP_MEMORY_COPY, 0, copy, 3);
		vgpu_store32(request + offsetof(struct vgpu_request_header, data_offset), length);
		vgpu_store32(request + offsetof(struct vgpu_request_header, data_length),
			     COUNT * 4);
		for (uint32_t j = 0; j < COUNT; j++)
			vgpu_store32(request + length + 4 * j, i == 0 ? j : 1000 * j);
		assert_int_equal(client_call(&client, request, length + COUNT * 4, NULL),
				 VGPU_ERR_NONE);
	}
	for (int i = 0; i < 3; i++)
		vgpu_store64(data + 8 + 8 * i, buffers[i]);
	vgpu_store64(data + 32, COUNT);
	length = client_request(request, VGPU_OP_CUDA_KERNEL, 0, launch, 9);
	vgpu_store32(request + offsetof(struct vgpu_request_header, data_offset), length);
	vgpu_store32(request + offsetof(struct vgpu_request_header, data_length), sizeof(data));
	memcpy(request + length, data, sizeof(data));
	assert_int_equal(client_call(&client, request, length + (uint32_t)sizeof(data), &response),
			 VGPU_ERR_NONE);
	const uint32_t back[] = { VGPU_COPY_DEVICE_TO_HOST, (uint32_t)buffers[2],
				  (uint32_t)(buffers[2] >> 32), COUNT * 4 };
	length = client_request(request, VGPU_OP_MEMORY_COPY, 0, back, 4);
	assert_int_equal(client_call(&client, request, length, &response), VGPU_ERR_NONE);
	assert_int_equal(response.length, sizeof(struct vgpu_response_header) + COUNT * 4);
	for (uint32_t j = 0; j < COUNT; j++)
		assert_int_equal(vgpu_load32(response.data + 32 + 4 * j), 1001 * j);
	client_close(&client);
}

static void a_worker_has_nothing_that_it_does_not_need(void **state)
{
	struct daemon *daemon = *state;
	struct client client;
	char path[64], text[8192], expected[128];
	struct stat file;
	ssize_t length;
	pid_t worker;
	int fd;

	client_open(&client, daemon->link);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	worker = daemon_worker_pid(daemon);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)worker);
	fd = open(path, O_RDONLY);
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(length > 0);
	text[length] = '\0';
	if (geteuid() == 0) {
		const unsigned int uid = DAEMON_UID_BASE + DAEMON_VM_ID;

		snprintf(expected, sizeof(expected), "Uid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
		assert_non_null(strstr(text, expected));
		snprintf(expected, sizeof(expected), "Gid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
		assert_non_null(strstr(text, expected));
		assert_non_null(strstr(text, "Groups:\t \n"));
		assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
		/* Root can read what the worker hides from its own uid. */
		assert_true(daemon_descriptors_of(worker) <= 4);
		snprintf(path, sizeof(path), "/proc/%d/environ", (int)worker);
		fd = open(path, O_RDONLY);
		assert_int_equal(read(fd, text, sizeof(text)), 0);
		/* Not dumpable: its files in /proc are root's and not its own uid's. */
		assert_int_equal(fstat(fd, &file), 0);
		assert_int_equal(file.st_uid, 0);
		close(fd);
	}
	client_close(&client);
}

static void the_daemon_leaks_no_descriptor(void **state)
{
	struct daemon *daemon = *state;
	unsigned int before = daemon_descriptors_of(daemon->pid);
	struct client client;

	for (int i = 0; i < 20; i++) {
		client_open(&client, daemon->link);
		assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
		client_close(&client);
	}
	/* Fewer: the registration's HTTP connection was still being closed. */
	wait_until(daemon_descriptors_of(daemon->pid) <= before);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(after_kill_9_all_is_back_with_nothing_put_again),
		TEST(a_clean_end_leaves_no_socket_and_no_process),
		TEST(a_second_mediator_does_not_start),
		TEST(two_vectors_are_added_by_the_real_worker),
		TEST(a_worker_has_nothing_that_it_does_not_need),
		TEST(the_daemon_leaks_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
