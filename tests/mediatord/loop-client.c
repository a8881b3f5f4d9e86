/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/loop-client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/packet.h"

void client_connect(struct client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(client, 0, sizeof(*client));
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	client->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(client->fd >= 0);
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail_msg("connect %s: %s", path, strerror(errno));
}

int client_window(uint64_t bytes, int seals)
{
	int fd = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

int client_send(struct client *client, const void *bytes, size_t length, int fd)
{
	return vgpu_packet_send(client->fd, bytes, length, &fd, fd >= 0 ? 1 : 0);
}

struct vgpu_link_hello client_hello(void)
{
	return (struct vgpu_link_hello){
		.header = { .type = VGPU_MSG_HELLO, .length = sizeof(struct vgpu_link_hello) },
		.version = VGPU_LINK_VERSION,
		.vectors = VGPU_MSIX_VECTORS,
		.window_bytes = CLIENT_WINDOW_BYTES,
	};
}

void client_begin(struct client *client)
{
	struct vgpu_link_reset reset = {
		.header = { .type = VGPU_MSG_RESET, .length = sizeof(reset) },
	};

	assert_int_equal(client_send(client, &reset, sizeof(reset), -1), 0);
}

void client_open(struct client *client, const char *path)
{
	struct vgpu_link_hello hello = client_hello();
	union vgpu_link_message message;
	int window = client_window(CLIENT_WINDOW_BYTES, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);

	client_connect(client, path);
	assert_int_equal(client_send(client, &hello, sizeof(hello), window), 0);
	close(window);
	assert_int_equal(client_receive(client, &message, CLIENT_TIMEOUT_MS), VGPU_MSG_WELCOME);
	assert_int_equal(message.welcome.version, VGPU_LINK_VERSION);
	assert_int_equal(client_receive(client, &message, CLIENT_TIMEOUT_MS), VGPU_MSG_CONFIG);
	assert_int_equal(client_receive(client, &message, CLIENT_TIMEOUT_MS), VGPU_MSG_USAGE);
	client_begin(client);
}

void client_close(struct client *client)
{
	close(client->fd);
	client->fd = -1;
}

int client_receive(struct client *client, union vgpu_link_message *message, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = client->fd, .events = POLLIN };
	ssize_t length;

	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return -1;
	length = recv(client->fd, message, sizeof(*message), 0);
	if (length <= 0)
		return 0;
	assert_true((size_t)length >= sizeof(message->header));
	assert_int_equal(message->header.length, length);
	if (message->header.type == VGPU_MSG_CONFIG)
		client->config = message->config;
	if (message->header.type == VGPU_MSG_USAGE)
		client->usage = message->usage;
	return (int)message->header.type;
}

int client_receive_answer(struct client *client, union vgpu_link_message *message, int timeout_ms)
{
	int64_t deadline = vgpu_now_ns() + timeout_ms * VGPU_NS_PER_MS;
	int type;

	do {
		int64_t left = (deadline - vgpu_now_ns()) / VGPU_NS_PER_MS;

		type = client_receive(client, message, left > 0 ? (int)left : 0);
	} while (type == VGPU_MSG_CONFIG || type == VGPU_MSG_USAGE);
	return type;
}

bool client_sees_end(struct client *client, int timeout_ms)
{
	union vgpu_link_message message;
	int type;

	do
		type = client_receive(client, &message, timeout_ms);
	while (type > 0);
	return type == 0;
}

uint32_t client_request(uint8_t *bytes, uint32_t opcode, uint32_t flags, const uint32_t *params,
			uint32_t count)
{
	struct vgpu_request_header header = {
		.version = VGPU_PROTOCOL_VERSION,
		.opcode = opcode,
		.flags = flags,
		.param_count = count,
	};

	memcpy(bytes, &header, sizeof(header));
	if (count)
		memcpy(bytes + sizeof(header), params, count * sizeof(params[0]));
	return (uint32_t)(sizeof(header) + count * sizeof(params[0]));
}

uint32_t client_kernel(uint8_t *bytes, const char *name, uint32_t flags)
{
	const uint32_t length = (uint32_t)strlen(name);
	const uint32_t params[VGPU_PARAMS_CUDA_KERNEL] = { 1, 1, 1, 1, 1, 1, 0, length, 0 };
	uint32_t head =
		client_request(bytes, VGPU_OP_CUDA_KERNEL, flags, params, VGPU_PARAMS_CUDA_KERNEL);
	uint32_t padded = (uint32_t)vgpu_align_up(length, VGPU_KERNEL_ARGUMENTS_ALIGN);

	memset(bytes + head, 0, padded);
	memcpy(bytes + head, name, length);
	vgpu_store32(bytes + offsetof(struct vgpu_request_header, data_offset), head);
	vgpu_store32(bytes + offsetof(struct vgpu_request_header, data_length), padded);
	return head + padded;
}

void client_submit(struct client *client, const uint8_t *bytes, uint32_t length)
{
	const size_t head = offsetof(struct vgpu_link_request, data);
	struct vgpu_link_request request;

	memset(&request, 0, head);
	request.header.type = VGPU_MSG_REQUEST;
	request.header.length = (uint32_t)(head + length);
	request.tag = ++client->tag;
	request.length = length;
	memcpy(request.data, bytes, length);
	assert_int_equal(client_send(client, &request, request.header.length, -1), 0);
}

uint32_t client_call(struct client *client, const uint8_t *bytes, uint32_t length,
		     struct vgpu_link_response *response)
{
	union vgpu_link_message message;

	client_submit(client, bytes, length);
	assert_int_equal(client_receive_answer(client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_RESPONSE);
	assert_int_equal(message.response.tag, client->tag);
	if (response)
		*response = message.response;
	return message.response.error_code;
}

uint32_t client_nop(struct client *client)
{
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	uint32_t length = client_request(bytes, VGPU_OP_NOP, 0, NULL, 0);

	return client_call(client, bytes, length, NULL);
}

uint32_t client_run_kernel(struct client *client, const char *name)
{
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	uint32_t length = client_kernel(bytes, name, 0);

	return client_call(client, bytes, length, NULL);
}

uint32_t client_memory(struct client *client, uint32_t opcode, uint64_t value)
{
	const uint32_t params[2] = { (uint32_t)value, (uint32_t)(value >> 32) };
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	uint32_t length = client_request(bytes, opcode, 0, params, 2);

	return client_call(client, bytes, length, NULL);
}
