/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/medchan-device.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"
#include "common/ring.h"

static void close_eventfds(struct device_channel *channel)
{
	if (channel->doorbell >= 0)
		close(channel->doorbell);
	if (channel->completion >= 0)
		close(channel->completion);
	channel->doorbell = -1;
	channel->completion = -1;
}

void device_open(struct device *device, const char *path)
{
	memset(device, 0, sizeof(*device));
	device->window =
		client_window(DEVICE_WINDOW_BYTES, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	device->memory = mmap(NULL, DEVICE_WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			      device->window, 0);
	assert_true(device->memory != MAP_FAILED);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++) {
		device->channels[i].doorbell = -1;
		device->channels[i].completion = -1;
	}
	device_connect(device, path);
}

void device_greet(struct device *device, const char *path)
{
	struct vgpu_link_hello hello = client_hello();
	union vgpu_link_message message;

	hello.window_bytes = DEVICE_WINDOW_BYTES;
	client_connect(&device->client, path);
	assert_int_equal(client_send(&device->client, &hello, sizeof(hello), device->window), 0);
	assert_int_equal(client_receive(&device->client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_WELCOME);
}

void device_connect(struct device *device, const char *path)
{
	device_greet(device, path);
	client_begin(&device->client);
}

void device_resume(struct device *device)
{
	struct vgpu_link_resume resume = { .header.type = VGPU_MSG_RESUME };

	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++)
		if (device->channels[i].doorbell >= 0) {
			resume.channels[resume.count].channel = i;
			resume.channels[resume.count++].serial = device->channels[i].serial;
		}
	resume.header.length = (uint32_t)(offsetof(struct vgpu_link_resume, channels) +
					  resume.count * sizeof(resume.channels[0]));
	assert_int_equal(client_send(&device->client, &resume, resume.header.length, -1), 0);
}

void device_close(struct device *device)
{
	client_close(&device->client);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++)
		close_eventfds(&device->channels[i]);
	munmap(device->memory, DEVICE_WINDOW_BYTES);
	close(device->window);
}

void device_send_open(struct device *device, uint32_t number, uint32_t entries, uint64_t window)
{
	struct device_channel *channel = &device->channels[number];
	struct vgpu_link_open open = {
		.header = { .type = VGPU_MSG_OPEN, .length = sizeof(open) },
		.channel = number,
		.serial = ++device->serial,
		.window_bytes = window,
		.entries = entries,
	};
	int fds[2];

	close_eventfds(channel);
	channel->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	channel->completion = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	channel->serial = open.serial;
	fds[0] = channel->doorbell;
	fds[1] = channel->completion;
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	assert_int_equal(vgpu_packet_send(device->client.fd, &open, sizeof(open), fds, 2), 0);
}

uint32_t device_opened(struct device *device, uint32_t number)
{
	struct device_channel *channel = &device->channels[number];
	union vgpu_link_message message;

	assert_int_equal(client_receive_answer(&device->client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_OPENED);
	assert_int_equal(message.opened.header.length, sizeof(message.opened));
	assert_int_equal(message.opened.channel, number);
	assert_int_equal(message.opened.serial, channel->serial);
	channel->region = message.opened.region;
	channel->region_bytes = message.opened.region_bytes;
	if (message.opened.error_code) {
		assert_int_equal(channel->region_bytes, 0);
		close_eventfds(channel);
	} else {
		assert_int_equal(channel->region % 4096, 0);
		assert_true(channel->region_bytes <= DEVICE_WINDOW_BYTES);
		assert_true(channel->region <= DEVICE_WINDOW_BYTES - channel->region_bytes);
	}
	return message.opened.error_code;
}

void device_open_channel(struct device *device, uint32_t number)
{
	device_send_open(device, number, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(device, number), VGPU_ERR_NONE);
	assert_int_equal(device->channels[number].region_bytes,
			 vgpu_ring_window_offset(DEVICE_ENTRIES) + DEVICE_WINDOW);
}

void device_send_close(struct device *device, uint32_t number)
{
	struct vgpu_link_close message = {
		.header = { .type = VGPU_MSG_CLOSE, .length = sizeof(message) },
		.channel = number,
		.serial = device->channels[number].serial,
	};

	assert_int_equal(client_send(&device->client, &message, sizeof(message), -1), 0);
}

uint32_t device_closed_any(struct device *device, uint32_t *number)
{
	union vgpu_link_message message;

	assert_int_equal(client_receive_answer(&device->client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_CLOSED);
	assert_int_equal(message.closed.header.length, sizeof(message.closed));
	*number = message.closed.channel;
	assert_in_range(*number, 0, VGPU_CHANNELS_MAX - 1);
	assert_int_equal(message.closed.serial, device->channels[*number].serial);
	close_eventfds(&device->channels[*number]);
	return message.closed.error_code;
}

uint32_t device_closed(struct device *device, uint32_t number)
{
	uint32_t closed;
	uint32_t error = device_closed_any(device, &closed);

	assert_int_equal(closed, number);
	return error;
}

void device_close_channel(struct device *device, uint32_t number)
{
	device_send_close(device, number);
	assert_int_equal(device_closed(device, number), VGPU_ERR_NONE);
}

void device_reset(struct device *device)
{
	struct vgpu_link_reset reset = {
		.header = { .type = VGPU_MSG_RESET, .length = sizeof(reset) },
	};

	assert_int_equal(client_send(&device->client, &reset, sizeof(reset), -1), 0);
}

static struct order *order_of(struct device *device, uint32_t number)
{
	return (struct order *)(device->memory + device->channels[number].region);
}

void device_order(struct device *device, uint32_t number, uint32_t kind, uint64_t argument)
{
	struct order *order = order_of(device, number);
	const uint64_t one = 1;

	order->kind = kind;
	order->argument = argument;
	__atomic_store_n(&order->sequence, order->sequence + 1, __ATOMIC_RELEASE);
	assert_int_equal(write(device->channels[number].doorbell, &one, sizeof(one)), sizeof(one));
}

uint64_t device_ask(struct device *device, uint32_t number, uint32_t kind, uint64_t argument)
{
	struct order *order = order_of(device, number);
	struct pollfd poll_fd = { .fd = device->channels[number].completion, .events = POLLIN };
	uint64_t count;

	device_order(device, number, kind, argument);
	assert_int_equal(poll(&poll_fd, 1, CLIENT_TIMEOUT_MS), 1);
	assert_int_equal(read(poll_fd.fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(__atomic_load_n(&order->answered, __ATOMIC_ACQUIRE), order->sequence);
	return order->answer;
}
