/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the keeper refuses, what costs a mediator its connection, and that neither costs a worker.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/mediatord/keeper-driver.h"

static uint32_t refusal(int fd)
{
	return keeper_receive(fd, VGPU_KEEPER_REFUSED, NULL, 0).refused.reason;
}

static void a_second_mediator_is_refused(void **state)
{
	struct keeper_driver *driver = *state;
	int first, second;

	keeper_launch(driver, NULL);
	first = keeper_greet_empty(driver);
	second = keeper_dial(driver);
	keeper_send_hello(second, VGPU_KEEPER_VERSION);
	assert_int_equal(refusal(second), VGPU_KEEPER_REFUSED_BUSY);
	keeper_expect_end(second);
	close(second);
	/* The first is none the worse for it, and makes room by going. */
	close(first);
	close(keeper_greet_empty(driver));
}

static void versions_are_agreed_on(void **state)
{
	struct keeper_driver *driver = *state;
	int fd;

	keeper_launch(driver, NULL);
	fd = keeper_dial(driver);
	keeper_send_hello(fd, VGPU_KEEPER_OLDEST - 1);
	assert_int_equal(refusal(fd), VGPU_KEEPER_REFUSED_VERSION);
	close(fd);
	fd = keeper_dial(driver);
	keeper_send_hello(fd, VGPU_KEEPER_VERSION + 7);
	assert_int_equal(keeper_receive(fd, VGPU_KEEPER_WELCOME, NULL, 0).welcome.version,
			 VGPU_KEEPER_VERSION);
	close(fd);
}

static void another_user_is_refused(void **state)
{
	struct keeper_driver *driver = *state;
	struct stat status;
	int result;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	keeper_launch(driver, NULL);
	assert_int_equal(stat(driver->socket, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	/* As a service manager may have made it. */
	assert_int_equal(chmod(driver->socket, 0666), 0);
	assert_int_equal(chmod(driver->dir, 0755), 0);
	pid = fork();
	if (pid == 0) {
		int fd;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		fd = keeper_dial(driver);
		keeper_send_hello(fd, VGPU_KEEPER_VERSION);
		_exit(refusal(fd) != VGPU_KEEPER_REFUSED_PEER);
	}
	assert_int_equal(waitpid(pid, &result, 0), pid);
	assert_int_equal(result, 0);
	close(keeper_greet_empty(driver));
}

static void only_one_keeper_serves_a_socket(void **state)
{
	struct keeper_driver *driver = *state, second = *driver;

	keeper_launch(driver, NULL);
	keeper_exec(&second, NULL);
	assert_int_equal(keeper_wait_end(&second), EXIT_FAILURE << 8);
	close(keeper_greet_empty(driver));
}

static void a_passed_socket_goes_before_the_path(void **state)
{
	struct keeper_driver *driver = *state;

#ifndef HAVE_SYSTEMD
	skip();
#endif
	driver->passed = true;
	keeper_launch(driver, NULL);
	close(keeper_greet_empty(driver));
	keeper_signal(driver, SIGTERM);
	/* It is the service manager's to remove. */
	assert_int_equal(access(driver->socket, F_OK), 0);
}

static void callers_that_say_nothing_do_not_keep_others_out(void **state)
{
	struct keeper_driver *driver = *state;
	int silent[40];

	keeper_launch(driver, NULL);
	for (int i = 0; i < 40; i++) {
		silent[i] = keeper_dial(driver);
		assert_true(silent[i] >= 0);
	}
	close(keeper_greet_empty(driver));
	for (int i = 0; i < 40; i++)
		close(silent[i]);
}

/* One that cannot be started each: an answer each, and nothing else that would wait. */
static void a_mediator_that_does_not_read_is_bounded(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle = keeper_bundle_new();
	struct vgpu_keeper_spawn spawn = {
		.header = { .type = VGPU_KEEPER_SPAWN, .length = sizeof(spawn) },
	};
	struct pollfd poll_fd = { .events = POLLOUT };
	uint64_t answered = 0;
	int fd, other;

	strcpy(driver->worker, "/nonexistent/worker");
	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	poll_fd.fd = fd;
	/* Until neither side's socket takes any more for a while: nothing is read here. */
	while (poll(&poll_fd, 1, 500) == 1)
		if (vgpu_packet_send(fd, &spawn, sizeof(spawn), bundle.fds, VGPU_KEEPER_FDS) == 0)
			spawn.worker++;
		else if (errno != EAGAIN)
			break; /* ETOOMANYREFS, without root: a bound as well */
	assert_true(spawn.worker > 0);
	other = keeper_dial(driver);
	keeper_send_hello(other, VGPU_KEEPER_VERSION);
	assert_int_equal(refusal(other), VGPU_KEEPER_REFUSED_BUSY);
	close(other);
	for (; answered < spawn.worker; answered++)
		assert_int_equal(keeper_receive(fd, VGPU_KEEPER_SPAWNED, NULL, 0).spawned.worker,
				 answered);
	keeper_bundle_close(&bundle);
	close(fd);
}

/* A packet with its descriptors, as it would be right, and what a case changes of it. */
struct packet {
	union vgpu_keeper_message message;
	size_t length;
	int fds[VGPU_PACKET_FDS_MAX];
	size_t count;
};

static struct packet packet_of(uint32_t type, const struct keeper_bundle *bundle)
{
	struct packet packet = { .count = 0 };

	switch (type) {
	case VGPU_KEEPER_SPAWN:
	case VGPU_KEEPER_KEEP:
		packet.length = type == VGPU_KEEPER_SPAWN ? sizeof(packet.message.spawn)
							  : sizeof(packet.message.kept);
		packet.count = VGPU_KEEPER_FDS;
		memcpy(packet.fds, bundle->fds, sizeof(bundle->fds));
		break;
	default:
		packet.length = sizeof(packet.message.plain);
	}
	packet.message.header.type = type;
	packet.message.header.length = (uint32_t)packet.length;
	if (type == VGPU_KEEPER_KEEP)
		packet.message.kept.pid = getpid();
	if (type != VGPU_KEEPER_END)
		packet.message.plain.worker = 77;
	return packet;
}

/* The connection goes, and nothing but it: the worker 1 is there still. */
static void costs_the_connection(struct keeper_driver *driver, int line,
				 const struct packet *packet)
{
	int fd = keeper_greet(driver), fds[VGPU_KEEPER_FDS];

	keeper_receive(fd, VGPU_KEEPER_KEPT, fds, VGPU_KEEPER_FDS);
	keeper_receive(fd, VGPU_KEEPER_COMPLETE, NULL, 0);
	keeper_send(fd, &packet->message, packet->length, packet->fds, packet->count);
	print_message("case of line %d\n", line);
	keeper_expect_end(fd);
	for (int i = 0; i < VGPU_KEEPER_FDS; i++)
		close(fds[i]);
	close(fd);
}

#define REFUSED(type, change)                                                                      \
	do {                                                                                       \
		struct packet packet_ = packet_of(type, &bundle), *p = &packet_;                   \
		change;                                                                            \
		costs_the_connection(driver, __LINE__, p);                                         \
	} while (0)

static void a_malformed_message_costs_the_connection_alone(void **state)
{
	struct keeper_driver *driver = *state;
	struct keeper_bundle bundle = keeper_bundle_new(), worker = keeper_bundle_new();
	const int memfd = bundle.fds[VGPU_KEEPER_FD_RECORD];
	const int unsealed = keeper_memfd(4096, 0), small = keeper_memfd(1024, F_SEAL_SHRINK);
	const int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int fd, stream[2];
	pid_t pid;

	if (pidfd < 0 && errno == ENOSYS)
		skip(); /* valgrind knows none */

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
	keeper_launch(driver, NULL);
	fd = keeper_greet_empty(driver);
	pid = keeper_spawned(fd, 1, &worker);
	close(fd);

	REFUSED(VGPU_KEEPER_FORGET, p->length = 4);
	REFUSED(VGPU_KEEPER_FORGET, p->length = 15);
	REFUSED(VGPU_KEEPER_FORGET, p->message.header.length = 15);
	REFUSED(VGPU_KEEPER_FORGET, p->message.header.length = p->length = 24);
	REFUSED(VGPU_KEEPER_FORGET, p->length = sizeof(p->message) + 1);
	REFUSED(VGPU_KEEPER_FORGET, (p->fds[0] = memfd, p->count = 1));
	REFUSED(VGPU_KEEPER_FORGET, p->message.plain.worker = 1); /* it is alive */
	REFUSED(VGPU_KEEPER_FORGET, p->message.plain.worker = 2); /* there is none */
	REFUSED(VGPU_KEEPER_END, p->message.plain.worker = 1);
	REFUSED(VGPU_KEEPER_END, p->message.header.length = p->length = 24);
	REFUSED(VGPU_KEEPER_HELLO, (void)p);
	REFUSED(VGPU_KEEPER_WELCOME, (void)p);
	REFUSED(VGPU_KEEPER_ENDED, (void)p);
	REFUSED(99, (void)p);
	REFUSED(0, (void)p);

	REFUSED(VGPU_KEEPER_SPAWN, p->message.header.length = p->length = 24);
	REFUSED(VGPU_KEEPER_SPAWN, p->message.spawn.worker = 1);
	REFUSED(VGPU_KEEPER_SPAWN, p->count = 0);
	REFUSED(VGPU_KEEPER_SPAWN, p->count = 3);
	REFUSED(VGPU_KEEPER_SPAWN, (p->fds[4] = memfd, p->count = 5));
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_CONTROL] = memfd);
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_CONTROL] = stream[0]);
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_RECORD] = unsealed);
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_RECORD] = small);
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_RECORD] = stream[0]);
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_GRANT] = unsealed);
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_GRANT] = small);
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_OTHER] = memfd);
	REFUSED(VGPU_KEEPER_SPAWN, p->fds[VGPU_KEEPER_FD_OTHER] = stream[1]);

	close(bundle.fds[VGPU_KEEPER_FD_OTHER]);
	bundle.fds[VGPU_KEEPER_FD_OTHER] = pidfd;
	REFUSED(VGPU_KEEPER_KEEP, p->message.header.length = p->length = 24);
	REFUSED(VGPU_KEEPER_KEEP, p->message.kept.worker = 1);
	REFUSED(VGPU_KEEPER_KEEP, p->message.kept.pid = 0);
	REFUSED(VGPU_KEEPER_KEEP, p->message.kept.pid = -1);
	REFUSED(VGPU_KEEPER_KEEP, p->message.kept.ended = 1);
	REFUSED(VGPU_KEEPER_KEEP, p->message.kept.status = 1);
	REFUSED(VGPU_KEEPER_KEEP, p->message.kept.reserved = 1);
	REFUSED(VGPU_KEEPER_KEEP, p->count = 3);
	REFUSED(VGPU_KEEPER_KEEP, p->fds[VGPU_KEEPER_FD_CONTROL] = memfd);
	REFUSED(VGPU_KEEPER_KEEP, p->fds[VGPU_KEEPER_FD_RECORD] = unsealed);
	REFUSED(VGPU_KEEPER_KEEP, p->fds[VGPU_KEEPER_FD_GRANT] = small);
	REFUSED(VGPU_KEEPER_KEEP, p->fds[VGPU_KEEPER_FD_OTHER] = memfd);

	assert_int_equal(keeper_ask(worker.fds[VGPU_KEEPER_FD_CONTROL]), pid);
	keeper_bundle_close(&bundle);
	keeper_bundle_close(&worker);
	close(unsealed);
	close(small);
	close(stream[0]);
	close(stream[1]);
}

static void expect_no_welcome(struct keeper_driver *driver, const void *message, size_t length,
			      const int *fds, size_t count)
{
	int fd = keeper_dial(driver);

	keeper_send(fd, message, length, fds, count);
	keeper_expect_end(fd);
	close(fd);
}

static void only_a_hello_is_welcomed(void **state)
{
	struct keeper_driver *driver = *state;
	const struct vgpu_keeper_hello good = {
		.header = { .type = VGPU_KEEPER_HELLO, .length = sizeof(good) },
		.version = VGPU_KEEPER_VERSION,
	};
	struct vgpu_keeper_hello bad = good;
	int memfd = keeper_memfd(16, 0);

	keeper_launch(driver, NULL);
	expect_no_welcome(driver, &good, 8, NULL, 0);
	expect_no_welcome(driver, &good, 3, NULL, 0);
	expect_no_welcome(driver, &good, sizeof(good), &memfd, 1);
	bad.reserved = 1;
	expect_no_welcome(driver, &bad, sizeof(bad), NULL, 0);
	bad = good;
	bad.header.length = 8;
	expect_no_welcome(driver, &bad, sizeof(bad), NULL, 0);
	bad = good;
	bad.header.type = VGPU_KEEPER_END;
	expect_no_welcome(driver, &bad, sizeof(bad), NULL, 0);
	close(keeper_greet_empty(driver));
	close(memfd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keeper_setup, keeper_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_second_mediator_is_refused),
		TEST(versions_are_agreed_on),
		TEST(another_user_is_refused),
		TEST(only_one_keeper_serves_a_socket),
		TEST(a_passed_socket_goes_before_the_path),
		TEST(callers_that_say_nothing_do_not_keep_others_out),
		TEST(a_mediator_that_does_not_read_is_bounded),
		TEST(a_malformed_message_costs_the_connection_alone),
		TEST(only_a_hello_is_welcomed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
