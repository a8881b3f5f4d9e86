/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/qemu/mediator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"
#include "common/ring.h"
#include "tests/qemu/vm.h"

void mediator_listen(struct mediator *mediator, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	mediator->link = -1;
	mediator->window = -1;
	mediator->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(mediator->listener >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_return_code(bind(mediator->listener, (struct sockaddr *)&address, sizeof(address)),
			   errno);
	assert_return_code(listen(mediator->listener, 4), errno);
}

static void wait_for(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
}

void mediator_accept(struct mediator *mediator)
{
	struct stat stat;
	size_t fds;

	wait_for(mediator->listener);
	mediator->link = accept4(mediator->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(mediator->link >= 0);
	wait_for(mediator->link);
	assert_int_equal(vgpu_packet_receive(mediator->link, &mediator->hello,
					     sizeof(mediator->hello), &mediator->window, 1, &fds),
			 sizeof(mediator->hello));
	assert_int_equal(fds, 1);
	assert_int_equal(mediator->hello.header.type, VGPU_MSG_HELLO);
	assert_int_equal(mediator->hello.header.length, sizeof(mediator->hello));
	assert_int_equal(mediator->hello.version, VGPU_LINK_VERSION);
	assert_int_equal(mediator->hello.vectors, VGPU_MSIX_VECTORS);
	assert_return_code(fstat(mediator->window, &stat), errno);
	assert_int_equal(stat.st_size, mediator->hello.window_bytes);
	assert_int_equal(fcntl(mediator->window, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW),
			 F_SEAL_SHRINK | F_SEAL_GROW);
}

static void send_message(struct mediator *mediator, const void *message, size_t length)
{
	assert_return_code(vgpu_packet_send(mediator->link, message, length, NULL, 0), errno);
}

void mediator_welcome(struct mediator *mediator)
{
	struct vgpu_link_welcome welcome = {
		.header = { .type = VGPU_MSG_WELCOME, .length = sizeof(welcome) },
		.version = VGPU_LINK_VERSION,
	};

	send_message(mediator, &welcome, sizeof(welcome));
}

void mediator_config(struct mediator *mediator, uint64_t context)
{
	struct vgpu_link_config config = {
		.header = { .type = VGPU_MSG_CONFIG, .length = sizeof(config) },
		.pool_id = 'B',
		.priority = VGPU_PRIORITY_HIGH,
		.vm_id = 42,
		.worker_state = VGPU_WORKER_READY,
		.context = context,
		.quotas = { .memory_bytes = UINT64_C(0x123456789),
			    .window_bytes = UINT64_C(0x234567891),
			    .time_guaranteed_percent = 11,
			    .time_max_percent = 22,
			    .requests_per_second = 33,
			    .burst = 44,
			    .queue_depth = 55,
			    .channels = 6,
			    .longest_job_ms = 77,
			    .quarantined = 1 },
		.gpu_name = "Test GPU",
		.pool_name = "testpool",
		.vm_name = "testvm",
	};

	for (unsigned int i = 0; i < sizeof(config.uuid); i++)
		config.uuid[i] = (uint8_t)(0x10 + i);
	send_message(mediator, &config, sizeof(config));
}

void mediator_refuse(struct mediator *mediator, uint32_t reason, const char *text)
{
	struct vgpu_link_refused refused = {
		.header = { .type = VGPU_MSG_REFUSED, .length = sizeof(refused) },
		.reason = reason,
	};

	snprintf(refused.text, sizeof(refused.text), "%s", text);
	send_message(mediator, &refused, sizeof(refused));
}

void mediator_serve(struct mediator *mediator)
{
	mediator_accept(mediator);
	mediator_welcome(mediator);
	mediator_config(mediator, 1);
}

static void receive(struct mediator *mediator, union vgpu_link_message *message)
{
	ssize_t length;

	wait_for(mediator->link);
	length = vgpu_packet_receive(mediator->link, message, sizeof(*message), NULL, 0, NULL);
	assert_true(length >= (ssize_t)sizeof(message->header));
	assert_int_equal(message->header.length, length);
}

void mediator_receive_request(struct mediator *mediator, struct vgpu_link_request *request)
{
	union vgpu_link_message message;

	do
		receive(mediator, &message);
	while (message.header.type == VGPU_MSG_RESET);
	assert_int_equal(message.header.type, VGPU_MSG_REQUEST);
	assert_int_equal(message.header.length,
			 offsetof(struct vgpu_link_request, data) + message.request.length);
	*request = message.request;
}

void mediator_receive_reset(struct mediator *mediator)
{
	union vgpu_link_message message;

	receive(mediator, &message);
	assert_int_equal(message.header.type, VGPU_MSG_RESET);
}

void mediator_receive_resume(struct mediator *mediator, uint32_t count,
			     const struct vgpu_link_open opens[])
{
	union vgpu_link_message message;

	receive(mediator, &message);
	assert_int_equal(message.header.type, VGPU_MSG_RESUME);
	assert_int_equal(message.resume.count, count);
	assert_int_equal(message.header.length, offsetof(struct vgpu_link_resume, channels) +
							count * sizeof(message.resume.channels[0]));
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(message.resume.channels[i].channel, opens[i].channel);
		assert_int_equal(message.resume.channels[i].serial, opens[i].serial);
	}
}

void mediator_respond(struct mediator *mediator, uint64_t tag, uint32_t error, const void *bytes,
		      uint32_t length)
{
	struct vgpu_link_response response = {
		.header = { .type = VGPU_MSG_RESPONSE,
			    .length =
				    (uint32_t)offsetof(struct vgpu_link_response, data) + length },
		.tag = tag,
		.error_code = error,
		.length = length,
	};

	assert_in_range(length, 0, sizeof(response.data));
	memcpy(response.data, bytes, length);
	send_message(mediator, &response, response.header.length);
}

void mediator_receive_open(struct mediator *mediator, struct vgpu_link_open *open, int fds[2])
{
	union vgpu_link_message message;
	size_t count;
	ssize_t length;

	do {
		wait_for(mediator->link);
		length = vgpu_packet_receive(mediator->link, &message, sizeof(message), fds, 2,
					     &count);
		assert_true(length >= (ssize_t)sizeof(message.header));
	} while (message.header.type == VGPU_MSG_RESET);
	assert_int_equal(message.header.type, VGPU_MSG_OPEN);
	assert_int_equal(length, sizeof(message.open));
	assert_int_equal(count, 2);
	*open = message.open;
}

void mediator_opened(struct mediator *mediator, const struct vgpu_link_open *open, uint64_t region)
{
	struct vgpu_link_opened opened = {
		.header = { .type = VGPU_MSG_OPENED, .length = sizeof(opened) },
		.channel = open->channel,
		.serial = open->serial,
		.region = region,
		.region_bytes = vgpu_ring_window_offset(open->entries) + open->window_bytes,
	};

	send_message(mediator, &opened, sizeof(opened));
}

void mediator_break_channel(struct mediator *mediator, const struct vgpu_link_open *open,
			    uint32_t error)
{
	struct vgpu_link_closed closed = {
		.header = { .type = VGPU_MSG_CLOSED, .length = sizeof(closed) },
		.channel = open->channel,
		.serial = open->serial,
		.error_code = error,
	};

	send_message(mediator, &closed, sizeof(closed));
}

void mediator_close_channel(struct mediator *mediator, const struct vgpu_link_open *open)
{
	union vgpu_link_message message;

	receive(mediator, &message);
	assert_int_equal(message.header.type, VGPU_MSG_CLOSE);
	assert_int_equal(message.close.channel, open->channel);
	assert_int_equal(message.close.serial, open->serial);
	mediator_break_channel(mediator, open, VGPU_ERR_NONE);
}

bool mediator_sees_end(struct mediator *mediator)
{
	union vgpu_link_message message;
	ssize_t length;

	do {
		wait_for(mediator->link);
		length = vgpu_packet_receive(mediator->link, &message, sizeof(message), NULL, 0,
					     NULL);
	} while (length > 0);
	return length == 0 || errno == ECONNRESET;
}

void mediator_drop(struct mediator *mediator)
{
	if (mediator->link >= 0)
		close(mediator->link);
	if (mediator->window >= 0)
		close(mediator->window);
	mediator->link = -1;
	mediator->window = -1;
}

void mediator_end(struct mediator *mediator, const char *path)
{
	mediator_drop(mediator);
	close(mediator->listener);
	unlink(path);
}
