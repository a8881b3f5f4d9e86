/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/keeper-driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/wait.h"

#define TRY_US	   5000
#define TRIES	   (WAIT_MS * 1000 / TRY_US)
#define TIMEOUT_MS WAIT_MS
#define PAGE_BYTES 4096

void keeper_program(char *path, size_t size, const char *name)
{
	const char *builddir = getenv("top_builddir");
	char here[PATH_MAX];

	if (builddir && *builddir == '/')
		snprintf(path, size, "%s/%s", builddir, name);
	else
		assert_true((size_t)snprintf(path, size, "%s/%s/%s", getcwd(here, sizeof(here)),
					     builddir ? builddir : ".", name) < size);
}

int keeper_setup(void **state)
{
	struct keeper_driver *driver = calloc(1, sizeof(*driver));

	assert_non_null(driver);
	strcpy(driver->dir, "/tmp/vgpu-test-XXXXXX");
	assert_non_null(mkdtemp(driver->dir));
	snprintf(driver->socket, sizeof(driver->socket), "%s/keeper.sock", driver->dir);
	snprintf(driver->log, sizeof(driver->log), "%s/log", driver->dir);
	keeper_program(driver->worker, sizeof(driver->worker), "tests/mediatord/keeper-stand-in");
	*state = driver;
	return 0;
}

int keeper_teardown(void **state)
{
	struct keeper_driver *driver = *state;
	char lock[128];

	if (driver->pid)
		keeper_signal(driver, SIGTERM);
	snprintf(lock, sizeof(lock), "%s.lock", driver->socket);
	unlink(lock);
	unlink(driver->socket);
	unlink(driver->log);
	assert_int_equal(rmdir(driver->dir), 0);
	free(driver);
	return 0;
}

/* In the child. As systemd does: the socket is descriptor 3. */
static void pass_socket(const struct keeper_driver *driver)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char pid[16];

	strcpy(address.sun_path, driver->socket);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 4) < 0 || (fd != 3 && dup2(fd, 3) < 0))
		_exit(126);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
}

void keeper_exec(struct keeper_driver *driver, const char *wait)
{
	char program[PATH_MAX];

	keeper_program(program, sizeof(program), "vgpu-keeper");
	driver->pid = fork();
	assert_true(driver->pid >= 0);
	if (driver->pid == 0) {
		const struct rlimit files = { driver->files, driver->files };
		int log = open(driver->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(log, STDERR_FILENO);
		close(log);
		if (driver->files)
			setrlimit(RLIMIT_NOFILE, &files);
		if (driver->passed)
			pass_socket(driver);
		execl(program, program, "--worker", driver->worker, "--socket",
		      driver->passed ? "/nonexistent/socket" : driver->socket,
		      wait ? "--wait" : NULL, wait, NULL);
		_exit(127);
	}
}

void keeper_launch(struct keeper_driver *driver, const char *wait)
{
	keeper_exec(driver, wait);
	for (int i = 0; i < TRIES; i++) {
		int fd = keeper_dial(driver);

		if (fd >= 0) {
			close(fd);
			return;
		}
		usleep(TRY_US);
	}
	fail_msg("the keeper does not listen");
}

int keeper_wait_end(struct keeper_driver *driver)
{
	int status;

	for (int i = 0; i < TRIES; i++) {
		if (waitpid(driver->pid, &status, WNOHANG) == driver->pid) {
			driver->pid = 0;
			return status;
		}
		usleep(TRY_US);
	}
	fail_msg("the keeper does not end");
	return -1;
}

int keeper_signal(struct keeper_driver *driver, int number)
{
	assert_int_equal(kill(driver->pid, number), 0);
	return keeper_wait_end(driver);
}

bool keeper_alive(pid_t pid)
{
	char path[64], text[512];
	const char *state = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(text, sizeof(text), file))
		state = strrchr(text, ')');
	fclose(file);
	return state && state[2] != 'Z' && state[2] != 'X';
}

void keeper_await_gone(pid_t pid)
{
	for (int i = 0; i < TRIES; i++) {
		if (!keeper_alive(pid))
			return;
		usleep(TRY_US);
	}
	fail_msg("process %d does not end", (int)pid);
}

int keeper_dial(const struct keeper_driver *driver)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, driver->socket);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

void keeper_send(int fd, const void *message, size_t length, const int *fds, size_t count)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	while (vgpu_packet_send(fd, message, length, fds, count) < 0) {
		if (errno != EAGAIN)
			fail_msg("send: %s", strerror(errno));
		assert_int_equal(poll(&poll_fd, 1, TIMEOUT_MS), 1);
	}
}

void keeper_send_hello(int fd, uint32_t version)
{
	const struct vgpu_keeper_hello hello = {
		.header = { .type = VGPU_KEEPER_HELLO, .length = sizeof(hello) },
		.version = version,
	};

	keeper_send(fd, &hello, sizeof(hello), NULL, 0);
}

int keeper_greet(const struct keeper_driver *driver)
{
	int fd = keeper_dial(driver);

	assert_true(fd >= 0);
	keeper_send_hello(fd, VGPU_KEEPER_VERSION);
	keeper_receive(fd, VGPU_KEEPER_WELCOME, NULL, 0);
	return fd;
}

int keeper_greet_empty(const struct keeper_driver *driver)
{
	int fd = keeper_greet(driver);

	keeper_receive(fd, VGPU_KEEPER_COMPLETE, NULL, 0);
	return fd;
}

void keeper_send_plain(int fd, uint32_t type, uint64_t worker)
{
	const struct vgpu_keeper_plain message = {
		.header = { .type = type, .length = sizeof(message) },
		.worker = worker,
	};

	keeper_send(fd, &message, sizeof(message), NULL, 0);
}

void keeper_send_spawn(int fd, uint64_t worker, const struct keeper_bundle *bundle)
{
	const struct vgpu_keeper_spawn message = {
		.header = { .type = VGPU_KEEPER_SPAWN, .length = sizeof(message) },
		.worker = worker,
	};

	keeper_send(fd, &message, sizeof(message), bundle->fds, VGPU_KEEPER_FDS);
}

union vgpu_keeper_message keeper_receive(int fd, uint32_t type, int *fds, size_t count)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	union vgpu_keeper_message message;
	int got[VGPU_PACKET_FDS_MAX];
	size_t got_count;
	ssize_t length;

	assert_int_equal(poll(&poll_fd, 1, TIMEOUT_MS), 1);
	length = vgpu_packet_receive(fd, &message, sizeof(message), got, VGPU_PACKET_FDS_MAX,
				     &got_count);
	assert_true(length >= (ssize_t)sizeof(message.header));
	assert_int_equal(message.header.type, type);
	assert_int_equal(message.header.length, length);
	assert_int_equal(got_count, count);
	for (size_t i = 0; i < count; i++)
		fds[i] = got[i];
	return message;
}

void keeper_expect_end(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char byte;
	ssize_t length;

	assert_int_equal(poll(&poll_fd, 1, TIMEOUT_MS), 1);
	length = recv(fd, &byte, 1, MSG_DONTWAIT);
	assert_true(length == 0 || (length < 0 && errno == ECONNRESET));
}

int keeper_memfd(size_t bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

struct keeper_bundle keeper_bundle_new(void)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct keeper_bundle bundle;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	bundle.fds[VGPU_KEEPER_FD_CONTROL] = pair[0];
	bundle.fds[VGPU_KEEPER_FD_OTHER] = pair[1];
	bundle.fds[VGPU_KEEPER_FD_RECORD] = keeper_memfd(PAGE_BYTES, seals);
	bundle.fds[VGPU_KEEPER_FD_GRANT] = keeper_memfd(PAGE_BYTES, seals);
	return bundle;
}

void keeper_bundle_close(struct keeper_bundle *bundle)
{
	for (int i = 0; i < VGPU_KEEPER_FDS; i++) {
		if (bundle->fds[i] >= 0)
			close(bundle->fds[i]);
		bundle->fds[i] = -1;
	}
}

pid_t keeper_spawned(int fd, uint64_t worker, struct keeper_bundle *bundle)
{
	union vgpu_keeper_message message;

	keeper_send_spawn(fd, worker, bundle);
	close(bundle->fds[VGPU_KEEPER_FD_OTHER]);
	message = keeper_receive(fd, VGPU_KEEPER_SPAWNED, &bundle->fds[VGPU_KEEPER_FD_OTHER], 1);
	assert_int_equal(message.spawned.worker, worker);
	assert_int_equal(message.spawned.errnum, 0);
	assert_true(message.spawned.pid > 0);
	return message.spawned.pid;
}

pid_t keeper_ask(int control)
{
	struct pollfd poll_fd = { .fd = control, .events = POLLIN };
	pid_t pid;

	assert_int_equal(send(control, "?", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(poll(&poll_fd, 1, TIMEOUT_MS), 1);
	assert_int_equal(recv(control, &pid, sizeof(pid), 0), sizeof(pid));
	return pid;
}

void keeper_tell_exit(int control, unsigned char status)
{
	const unsigned char packet[2] = { 'x', status };

	assert_int_equal(send(control, packet, sizeof(packet), MSG_NOSIGNAL), sizeof(packet));
}
