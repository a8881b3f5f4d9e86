/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/adopt-driver.h"
#include "tests/wait.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "common/packet.h"

#define TAG 4711

struct guest_ring adopt_ring(struct device *device, uint32_t number)
{
	struct guest_ring ring;

	guest_ring_init(&ring, device->memory + device->channels[number].region, DEVICE_ENTRIES,
			device->channels[number].doorbell, device->channels[number].completion);
	return ring;
}

void adopt_submit(struct guest_ring *ring, uint16_t opcode, const uint64_t argument[4])
{
	struct vgpu_submission submission = { .opcode = opcode, .tag = TAG };

	for (int i = 0; i < 4; i++)
		submission.argument[i] = argument[i];
	guest_ring_submit(ring, &submission);
}

struct vgpu_completion adopt_completion(struct guest_ring *ring)
{
	struct vgpu_completion completion;

	assert_true(guest_ring_sleep(ring, CLIENT_TIMEOUT_MS));
	assert_true(guest_ring_poll(ring, &completion));
	assert_int_equal(completion.tag, TAG);
	return completion;
}

struct vgpu_completion adopt_call(struct guest_ring *ring, uint16_t opcode,
				  const uint64_t argument[4])
{
	adopt_submit(ring, opcode, argument);
	return adopt_completion(ring);
}

uint64_t adopt_allocate(struct guest_ring *ring, uint64_t bytes)
{
	struct vgpu_completion completion =
		adopt_call(ring, VGPU_RING_MEM_ALLOC, (uint64_t[4]){ bytes });

	assert_int_equal(completion.status, 0);
	return completion.result[0];
}

static uint8_t pattern(size_t i, uint8_t seed)
{
	return (uint8_t)(i * 7 + i / 256 + seed);
}

void adopt_fill(struct guest_ring *ring, uint64_t pointer, uint8_t seed)
{
	for (size_t i = 0; i < DEVICE_WINDOW; i++)
		ring->window[i] = pattern(i, seed);
	assert_int_equal(
		adopt_call(ring, VGPU_RING_COPY_HTOD, (uint64_t[4]){ pointer, 0, DEVICE_WINDOW })
			.status,
		0);
}

void adopt_check(struct guest_ring *ring, uint64_t pointer, uint8_t seed)
{
	memset(ring->window, 0, DEVICE_WINDOW);
	assert_int_equal(
		adopt_call(ring, VGPU_RING_COPY_DTOH, (uint64_t[4]){ 0, pointer, DEVICE_WINDOW })
			.status,
		0);
	for (size_t i = 0; i < DEVICE_WINDOW; i++)
		assert_int_equal(ring->window[i], pattern(i, seed));
}

unsigned long long adopt_usage(struct daemon *daemon, const char *name)
{
	static char answer[65536];
	unsigned long long value;
	char key[64];
	const char *usage;

	assert_int_equal(
		daemon_http(daemon, "GET", "/v1/vms/" DAEMON_UUID, "", answer, sizeof(answer)),
		200);
	usage = strstr(answer, "\"usage\":");
	assert_non_null(usage);
	snprintf(key, sizeof(key), "\"%s\":", name);
	usage = strstr(usage, key);
	assert_non_null(usage);
	assert_int_equal(sscanf(usage + strlen(key), "%llu", &value), 1);
	return value;
}

void adopt_wait_usage(struct daemon *daemon, const char *name, unsigned long long value)
{
	wait_until(adopt_usage(daemon, name) == value);
}

void adopt_kill(struct daemon *daemon, struct device *device)
{
	daemon_end(daemon, SIGKILL);
	assert_true(client_sees_end(&device->client, CLIENT_TIMEOUT_MS));
	client_close(&device->client);
}

void adopt_start(struct daemon *daemon, struct device *device)
{
	daemon_start(daemon);
	device_greet(device, daemon->link);
	device_resume(device);
}

/* A socket for the keeper's; *connected says whether somebody listens there. */
static int dial_keeper(const struct daemon *daemon, bool *connected)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/keeper.sock", daemon->dir);
	*connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	return fd;
}

pid_t adopt_keeper_pid(const struct daemon *daemon)
{
	struct ucred peer = { .pid = 0 };
	socklen_t length = sizeof(peer);
	bool connected;
	int fd = dial_keeper(daemon, &connected);

	if (connected)
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length), 0);
	close(fd);
	return peer.pid;
}

size_t adopt_kept(const struct daemon *daemon, int (*fds)[VGPU_KEEPER_FDS], size_t size)
{
	const struct vgpu_keeper_hello hello = {
		.header = { .type = VGPU_KEEPER_HELLO, .length = sizeof(hello) },
		.version = VGPU_KEEPER_VERSION,
	};
	union vgpu_keeper_message message;
	size_t count = 0;
	bool connected;
	int keeper = dial_keeper(daemon, &connected);

	assert_true(connected);
	assert_int_equal(vgpu_packet_send(keeper, &hello, sizeof(hello), NULL, 0), 0);
	do {
		struct pollfd poll_fd = { .fd = keeper, .events = POLLIN };
		int received[VGPU_KEEPER_FDS];
		size_t received_count;

		assert_int_equal(poll(&poll_fd, 1, CLIENT_TIMEOUT_MS), 1);
		assert_true(vgpu_packet_receive(keeper, &message, sizeof(message), received,
						VGPU_KEEPER_FDS, &received_count) > 0);
		if (message.header.type == VGPU_KEEPER_KEPT) {
			assert_true(count < size);
			memcpy(fds[count++], received, sizeof(received));
		}
	} while (message.header.type != VGPU_KEEPER_COMPLETE);
	close(keeper);
	return count;
}

bool adopt_logged(const struct daemon *daemon, const char *text)
{
	static char log[1 << 18];
	int fd = open(daemon->log, O_RDONLY);
	ssize_t length;

	assert_true(fd >= 0);
	length = read(fd, log, sizeof(log) - 1);
	close(fd);
	assert_true(length >= 0);
	log[length] = '\0';
	return strstr(log, text) != NULL;
}
