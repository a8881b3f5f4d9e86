/* SPDX-License-Identifier: Apache-2.0 */
/* A device that misuses channels loses its link, and the mediator nothing. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"

static struct vgpu_link_open open_message(uint32_t number, uint32_t serial)
{
	return (struct vgpu_link_open){
		.header = { .type = VGPU_MSG_OPEN, .length = sizeof(struct vgpu_link_open) },
		.channel = number,
		.serial = serial,
		.window_bytes = DEVICE_WINDOW,
		.entries = DEVICE_ENTRIES,
	};
}

static struct vgpu_link_close close_message(uint32_t number, uint32_t serial)
{
	return (struct vgpu_link_close){
		.header = { .type = VGPU_MSG_CLOSE, .length = sizeof(struct vgpu_link_close) },
		.channel = number,
		.serial = serial,
	};
}

/* Sends a message with descriptors, which are closed, on a link of its own that must go. */
static void check_dropped(struct harness *harness, const void *bytes, size_t length, const int *fds,
			  size_t count)
{
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 9);
	assert_int_equal(vgpu_packet_send(device.client.fd, bytes, length, fds, count), 0);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	device_close(&device);
}

static int an_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static void descriptors_that_are_not_two_eventfds_end_the_link(void **state)
{
	struct vgpu_link_open message = open_message(0, 77);
	struct harness *harness = *state;
	unsigned int before = harness_descriptors();
	struct vm_status status;
	int fds[3], pair[2];

	check_dropped(harness, &message, sizeof(message), NULL, 0);
	fds[0] = an_eventfd();
	check_dropped(harness, &message, sizeof(message), fds, 1);
	for (int i = 0; i < 3; i++)
		fds[i] = an_eventfd();
	check_dropped(harness, &message, sizeof(message), fds, 3);
	/* One and the same, under two numbers. */
	fds[0] = an_eventfd();
	fds[1] = dup(fds[0]);
	check_dropped(harness, &message, sizeof(message), fds, 2);
	/* Other kinds, in either place. */
	for (int place = 0; place < 2; place++) {
		fds[1 - place] = an_eventfd();
		fds[place] = open("/dev/null", O_RDWR | O_CLOEXEC);
		check_dropped(harness, &message, sizeof(message), fds, 2);
		fds[1 - place] = an_eventfd();
		fds[place] = client_window(4096, 0);
		check_dropped(harness, &message, sizeof(message), fds, 2);
		fds[1 - place] = an_eventfd();
		fds[place] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		check_dropped(harness, &message, sizeof(message), fds, 2);
		fds[1 - place] = an_eventfd();
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		close(pair[1]);
		fds[place] = pair[0];
		check_dropped(harness, &message, sizeof(message), fds, 2);
	}
	harness_wait(harness, status,
		     status.link_state == VGPU_LINK_DOWN && status.window_used_bytes == 0);
	assert_int_equal(harness_descriptors(), before);
}

static void messages_out_of_form_or_order_end_the_link(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_open message;
	struct vgpu_link_close closing;
	int fds[2];

#define DROPPED_OPEN(change)                                                                       \
	do {                                                                                       \
		message = open_message(0, 77);                                                     \
		change;                                                                            \
		fds[0] = an_eventfd();                                                             \
		fds[1] = an_eventfd();                                                             \
		check_dropped(harness, &message, message.header.length, fds, 2);                   \
	} while (0)
	DROPPED_OPEN(message.channel = VGPU_CHANNELS_MAX);
	DROPPED_OPEN(message.channel = UINT32_MAX);
	DROPPED_OPEN(message.serial = 0);
	DROPPED_OPEN(message.header.length -= 4);
	/* check_dropped() has opened it. */
	DROPPED_OPEN(message.channel = 9);
	DROPPED_OPEN((message.channel = 9, message.serial = 1));
#undef DROPPED_OPEN
	closing = close_message(0, 1); /* never opened */
	check_dropped(harness, &closing, sizeof(closing), NULL, 0);
	closing = close_message(VGPU_CHANNELS_MAX, 1);
	check_dropped(harness, &closing, sizeof(closing), NULL, 0);
	closing = close_message(9, 1);
	closing.header.length = 12;
	check_dropped(harness, &closing, 12, NULL, 0);
	/* What the mediator sends, a device does not. */
	struct vgpu_link_opened opened = {
		.header = { .type = VGPU_MSG_OPENED, .length = sizeof(opened) },
	};
	check_dropped(harness, &opened, sizeof(opened), NULL, 0);
	/* A descriptor with a message that has none. */
	closing = close_message(9, 1);
	fds[0] = an_eventfd();
	check_dropped(harness, &closing, sizeof(closing), fds, 1);
}

static void a_serial_is_good_for_one_life(void **state)
{
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_close_channel(&device, 0);
	device.serial--;
	device_send_open(&device, 0, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	device_close(&device);
}

static void a_close_that_crosses_the_end_is_answered_once(void **state)
{
	struct harness *harness = *state;
	union vgpu_link_message message;
	struct device device;
	int type;

	device_open(&device, harness->link_path);
	/* It broke, and the device had sent CLOSE before it read so. */
	device_open_channel(&device, 0);
	device_order(&device, 0, ORDER_EXIT, 0);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	device_send_close(&device, 0);
	device_send_close(&device, 0);
	assert_int_equal(client_receive_answer(&device.client, &message, 200), -1);
	/* It could not be opened, and the device had sent CLOSE before it read so. */
	device_send_open(&device, 1, DEVICE_ENTRIES, 1);
	assert_int_equal(device_opened(&device, 1), VGPU_ERR_INVALID_REQUEST);
	device_close_channel(&device, 1);
	/* Right after OPEN, whatever the worker is doing. */
	for (uint32_t i = 2; i < 6; i++) {
		device_send_open(&device, i, DEVICE_ENTRIES, DEVICE_WINDOW);
		device_send_close(&device, i);
		/* One that was ready before CLOSE was read is open first. */
		type = client_receive_answer(&device.client, &message, CLIENT_TIMEOUT_MS);
		if (type == VGPU_MSG_OPENED) {
			assert_int_equal(message.opened.channel, i);
			assert_int_equal(message.opened.error_code, VGPU_ERR_NONE);
			type = client_receive_answer(&device.client, &message, CLIENT_TIMEOUT_MS);
		}
		assert_int_equal(type, VGPU_MSG_CLOSED);
		assert_int_equal(message.closed.channel, i);
		assert_int_equal(message.closed.error_code, VGPU_ERR_NONE);
	}
	/* About a life that is over: that of now is not meant. */
	device_open_channel(&device, 7);
	device.channels[7].serial--;
	device_send_close(&device, 7);
	device.channels[7].serial++;
	assert_int_equal(device_ask(&device, 7, ORDER_ECHO, 1), 1);
	/* Twice while it ends. */
	device_open_channel(&device, 6);
	device_send_close(&device, 6);
	device_close_channel(&device, 6);
	assert_int_equal(client_receive_answer(&device.client, &message, 200), -1);
	device_close(&device);
}

static void a_close_after_a_reset_is_not_answered(void **state)
{
	struct harness *harness = *state;
	union vgpu_link_message message;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_reset(&device);
	device_send_close(&device, 0);
	assert_int_equal(client_receive_answer(&device.client, &message, 300), -1);
	device_open_channel(&device, 0);
	device_close(&device);
}

/* Sends as soon as there is room. */
static void push(struct device *device, const void *bytes, size_t length, const int *fds,
		 size_t count)
{
	union vgpu_link_message message;

	while (vgpu_packet_send(device->client.fd, bytes, length, fds, count) < 0) {
		assert_int_equal(errno, EAGAIN);
		usleep(1000);
	}
	while (client_receive(&device->client, &message, 0) > 0)
		;
}

/* Opens and resets as fast as it can. */
static void a_flood_is_bounded_and_leaves_nothing(void **state)
{
	const struct vgpu_link_reset reset = {
		.header = { .type = VGPU_MSG_RESET, .length = sizeof(reset) },
	};
	struct harness *harness = *state;
	unsigned int before = harness_descriptors(), most = 0;
	struct vm_status status;
	struct device device;

	device_open(&device, harness->link_path);
	for (uint32_t i = 0; i < 400; i++) {
		struct vgpu_link_open message = open_message(i % VGPU_CHANNELS_MAX, 1000 + i);
		int fds[2] = { an_eventfd(), an_eventfd() };
		unsigned int now;

		push(&device, &message, sizeof(message), fds, 2);
		close(fds[0]);
		close(fds[1]);
		if ((i + 1) % VGPU_CHANNELS_MAX == 0 || i % 37 == 36)
			push(&device, &reset, sizeof(reset), NULL, 0);
		now = harness_descriptors();
		most = now > most ? now : most;
	}
	/*
	 * For each worker its socket's two ends, record, grant page and pidfd; two eventfds for
	 * each OPEN that waits; what a start and an arrival need for a moment; and the device's own
	 * connection and BAR2.
	 */
	assert_true(most - before <= 5 * 32 + 64 + 10);
	harness_wait(harness, status, status.link_state == VGPU_LINK_UP);
	device_close(&device);
	harness_wait(harness, status,
		     status.link_state == VGPU_LINK_DOWN && status.window_used_bytes == 0);
	wait_until(harness_descriptors() == before);
	assert_int_equal(status.channel_count, 0);
}

static void a_device_that_reads_nothing_loses_its_link(void **state)
{
	struct harness *harness = *state;
	struct device device;
	struct vm_status status;

	device_open(&device, harness->link_path);
	for (uint32_t i = 0; i < 5000; i++) {
		struct vgpu_link_open message = open_message(1, i);
		int fds[2] = { an_eventfd(), an_eventfd() };
		int sent, tries = 0;

		message.entries = 3;
		while ((sent = vgpu_packet_send(device.client.fd, &message, sizeof(message), fds,
						2)) < 0 &&
		       errno != EPIPE && errno != ECONNRESET && ++tries < WAIT_MS)
			usleep(1000);
		close(fds[0]);
		close(fds[1]);
		if (sent < 0)
			break;
	}
	harness_wait(harness, status, status.link_state == VGPU_LINK_DOWN);
	device_close(&device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(descriptors_that_are_not_two_eventfds_end_the_link),
		TEST(messages_out_of_form_or_order_end_the_link),
		TEST(a_serial_is_good_for_one_life),
		TEST(a_close_that_crosses_the_end_is_answered_once),
		TEST(a_close_after_a_reset_is_not_answered),
		TEST(a_flood_is_bounded_and_leaves_nothing),
		TEST(a_device_that_reads_nothing_loses_its_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
