/* SPDX-License-Identifier: Apache-2.0 */
/* The programs themselves: what a restart keeps, what an end leaves, and what a worker is given. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

#define UUID  "6f1d6c1e-0f5e-4c55-9d3a-0123456789ab"
#define STALE "6f1d6c1e-0f5e-4c55-9d3a-ffffffffffff"

#define WORKER_UID_BASE 1900000000u

struct daemon {
	char dir[64];
	char config[128], control[128], link[128], log[128];
	char program[256];
	pid_t pid;
};

static void start_with_status(struct daemon *daemon, pid_t *pid)
{
	*pid = fork();
	assert_true(*pid >= 0);
	if (*pid == 0) {
		int log = open(daemon->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		const gid_t group = 12345;

		/* A group that workers must not inherit, whatever this test was given. */
		if (geteuid() == 0 && setgroups(1, &group) < 0)
			_exit(126);
		dup2(log, STDERR_FILENO);
		execl(daemon->program, "vgpu-mediatord", "--config", daemon->config, (char *)NULL);
		_exit(127);
	}
}

/* Waits for somebody who listens on that Unix stream socket; returns a connection. */
static int connect_control(const struct daemon *daemon)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, daemon->control);
	for (int i = 0; i < 1000; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		close(fd);
		usleep(10000);
	}
	fail_msg("nobody listens on %s", daemon->control);
	return -1;
}

static void start(struct daemon *daemon)
{
	start_with_status(daemon, &daemon->pid);
	close(connect_control(daemon));
}

static int end(struct daemon *daemon, int sig)
{
	int status;

	kill(daemon->pid, sig);
	assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
	daemon->pid = 0;
	return status;
}

/* Sends one request, and puts the answer's body and head into `answer`. */
static int http(struct daemon *daemon, const char *method, const char *path, const char *body,
		char *answer, size_t size)
{
	char request[1024];
	int fd = connect_control(daemon);
	size_t length = 0;
	ssize_t got;
	int status = 0;

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 method, path, strlen(body), body);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	while (length < size - 1 && (got = read(fd, answer + length, size - 1 - length)) > 0)
		length += (size_t)got;
	answer[length] = '\0';
	close(fd);
	sscanf(answer, "HTTP/1.1 %d", &status);
	return status;
}

/* The VM's worker, as REST reports it. */
static pid_t worker_pid(struct daemon *daemon)
{
	char answer[8192];
	const char *worker;
	int pid = 0;

	assert_int_equal(http(daemon, "GET", "/v1/vms/" UUID, "", answer, sizeof(answer)), 200);
	worker = strstr(answer, "\"worker\":");
	assert_non_null(worker);
	worker = strstr(worker, "\"pid\":");
	assert_non_null(worker);
	sscanf(worker, "\"pid\":%d", &pid);
	return pid;
}

static void wait_until_gone(pid_t pid)
{
	for (int i = 0; i < 1000 && kill(pid, 0) == 0; i++)
		usleep(5000);
	assert_int_equal(kill(pid, 0), -1);
}

static int setup(void **state)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	char here[PATH_MAX];
	const char *builddir =
		getenv("top_builddir") ? getenv("top_builddir") : getcwd(here, sizeof(here));
	char body[64], answer[8192];
	FILE *file;

	assert_non_null(daemon);
	strcpy(daemon->dir, "/tmp/vgpu-test-XXXXXX");
	assert_non_null(mkdtemp(daemon->dir));
	assert_int_equal(chmod(daemon->dir, 0755), 0);
	snprintf(daemon->program, sizeof(daemon->program), "%s/mediatord/vgpu-mediatord", builddir);
	snprintf(daemon->config, sizeof(daemon->config), "%s/conf", daemon->dir);
	snprintf(daemon->control, sizeof(daemon->control), "%s/run/control.sock", daemon->dir);
	snprintf(daemon->link, sizeof(daemon->link), "%s/run/link/" UUID ".sock", daemon->dir);
	snprintf(daemon->log, sizeof(daemon->log), "%s/log", daemon->dir);
	file = fopen(daemon->config, "w");
	assert_non_null(file);
	fprintf(file,
		"[mediatord]\ncontrol-socket = %s\nlink-dir = %s/run/link\nstate = "
		"%s/lib/state.db\n"
		"libvirt-run-dir = %s\nworker = %s/vgpu-worker\nworker-uid-base = %u\n",
		daemon->control, daemon->dir, daemon->dir, daemon->dir, builddir, WORKER_UID_BASE);
	fclose(file);
	start(daemon);
	snprintf(body, sizeof(body), "{\"link_uid\": %u, \"vm_id\": 5}", (unsigned int)geteuid());
	assert_int_equal(http(daemon, "PUT", "/v1/vms/" UUID, body, answer, sizeof(answer)), 201);
	*state = daemon;
	return 0;
}

static int teardown(void **state)
{
	struct daemon *daemon = *state;
	char command[128];

	if (daemon->pid)
		end(daemon, SIGTERM);
	snprintf(command, sizeof(command), "rm -r %s", daemon->dir);
	assert_int_equal(system(command), 0);
	free(daemon);
	return 0;
}

static void after_kill_9_all_is_back_with_nothing_put_again(void **state)
{
	struct daemon *daemon = *state;
	struct client client;
	uint64_t context;
	int64_t back;
	pid_t worker;

	client_open(&client, daemon->link);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 4096), VGPU_ERR_NONE);
	context = client.config.context;
	worker = worker_pid(daemon);
	assert_true(worker > 0);
	end(daemon, SIGKILL);
	assert_true(client_sees_end(&client, CLIENT_TIMEOUT_MS));
	client_close(&client);
	wait_until_gone(worker);

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

	start(daemon);
	back = vgpu_now_ns();
	client_open(&client, daemon->link);
	assert_int_equal(client.config.vm_id, 5);
	assert_true(client.config.context != context);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	assert_true(vgpu_now_ns() - back < 2 * VGPU_NS_PER_SECOND);
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
	worker = worker_pid(daemon);
	kill(daemon->pid, SIGHUP);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	status = end(daemon, SIGTERM);
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
	start_with_status(daemon, &second);
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

static unsigned int descriptors_of(pid_t pid)
{
	unsigned int count = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2; /* "." and ".." */
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
	worker = worker_pid(daemon);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)worker);
	fd = open(path, O_RDONLY);
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(length > 0);
	text[length] = '\0';
	if (geteuid() == 0) {
		const unsigned int uid = WORKER_UID_BASE + 5;

		snprintf(expected, sizeof(expected), "Uid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
		assert_non_null(strstr(text, expected));
		snprintf(expected, sizeof(expected), "Gid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
		assert_non_null(strstr(text, expected));
		assert_non_null(strstr(text, "Groups:\t \n"));
		assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
		/* Root can read what the worker hides from its own uid. */
		assert_true(descriptors_of(worker) <= 4);
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
	unsigned int before = descriptors_of(daemon->pid), after = 0;
	struct client client;

	for (int i = 0; i < 20; i++) {
		client_open(&client, daemon->link);
		assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
		client_close(&client);
	}
	for (int i = 0; i < 400 && (after = descriptors_of(daemon->pid)) > before; i++)
		usleep(10000);
	/* Fewer: the registration's HTTP connection was still being closed. */
	assert_true(after <= before);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
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
