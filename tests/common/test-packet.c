/* SPDX-License-Identifier: Apache-2.0 */
/* Packets keep their boundaries, and no descriptor leaks on a packet that is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

/* The number that the next opened descriptor gets: the same before and after, where none leaked. */
static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void carries_bytes_and_descriptors(void **state)
{
	int pair[2], pipes[2], received[2];
	size_t count;
	char bytes[16];

	(void)state;
	make_pair(pair);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(vgpu_packet_send(pair[0], "hello", 5, pipes, 2), 0);
	assert_int_equal(vgpu_packet_receive(pair[1], bytes, sizeof(bytes), received, 2, &count),
			 5);
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(count, 2);
	assert_int_equal(write(received[1], "x", 1), 1);
	assert_int_equal(read(pipes[0], bytes, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(pipes[i]);
		close(received[i]);
	}
}

static void too_long_or_too_many_leaks_nothing(void **state)
{
	int pair[2], pipes[2], received[1], before;
	size_t count = 9;
	char bytes[4];

	(void)state;
	make_pair(pair);
	assert_int_equal(pipe(pipes), 0);
	before = next_fd();

	assert_int_equal(vgpu_packet_send(pair[0], "hello", 5, pipes, 1), 0);
	assert_int_equal(vgpu_packet_receive(pair[1], bytes, sizeof(bytes), received, 1, &count),
			 -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(count, 0);

	assert_int_equal(vgpu_packet_send(pair[0], "hey", 3, pipes, 2), 0);
	assert_int_equal(vgpu_packet_receive(pair[1], bytes, sizeof(bytes), received, 1, &count),
			 -1);
	assert_int_equal(errno, EMSGSIZE);

	assert_int_equal(vgpu_packet_send(pair[0], "hey", 3, pipes, 1), 0);
	assert_int_equal(vgpu_packet_receive(pair[1], bytes, sizeof(bytes), NULL, 0, NULL), -1);

	assert_int_equal(next_fd(), before);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(pipes[i]);
	}
}

static void an_empty_packet_leaks_nothing(void **state)
{
	int pair[2], received[2], before;
	size_t count = 9;
	char bytes[4];

	(void)state;
	make_pair(pair);
	before = next_fd();
	assert_int_equal(vgpu_packet_send(pair[0], bytes, 0, pair, 2), 0);
	assert_int_equal(vgpu_packet_receive(pair[1], bytes, sizeof(bytes), received, 2, &count),
			 0);
	assert_int_equal(count, 0);
	assert_int_equal(next_fd(), before);
	close(pair[0]);
	close(pair[1]);
}

/* Whoever says its last word and leaves has perhaps not read all that it was told. */
static void what_a_peer_sent_last_is_read(void **state)
{
	int pair[2];
	char bytes[4];

	(void)state;
	make_pair(pair);
	assert_int_equal(vgpu_packet_send(pair[0], "news", 4, NULL, 0), 0);
	assert_int_equal(vgpu_packet_send(pair[1], "end", 3, NULL, 0), 0);
	close(pair[1]);
	assert_int_equal(vgpu_packet_receive(pair[0], bytes, sizeof(bytes), NULL, 0, NULL), 3);
	assert_memory_equal(bytes, "end", 3);
	assert_int_equal(vgpu_packet_receive(pair[0], bytes, sizeof(bytes), NULL, 0, NULL), 0);
	close(pair[0]);
}

static void a_gone_peer_is_an_error_not_a_signal(void **state)
{
	int pair[2];
	char bytes[4];

	(void)state;
	make_pair(pair);
	assert_int_equal(vgpu_packet_receive(pair[0], bytes, sizeof(bytes), NULL, 0, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	close(pair[1]);
	assert_int_equal(vgpu_packet_receive(pair[0], bytes, sizeof(bytes), NULL, 0, NULL), 0);
	assert_int_equal(vgpu_packet_send(pair[0], "x", 1, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_bytes_and_descriptors),
		cmocka_unit_test(too_long_or_too_many_leaks_nothing),
		cmocka_unit_test(an_empty_packet_leaks_nothing),
		cmocka_unit_test(what_a_peer_sent_last_is_read),
		cmocka_unit_test(a_gone_peer_is_an_error_not_a_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
