/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * A hostile mediator: any sequence of messages, with a guest that submits and resets meanwhile.
 * Input: records that begin with a byte saying what happens; messages take their bytes from what
 * follows, and are repaired as the byte says, so that some of them pass each check.
 */
#include "tests/device/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool name_ends(struct fixture *fixture, uint32_t offset, uint32_t bytes)
{
	return guest_read(fixture, offset + bytes - 4) >> 24 == 0;
}

/* What a guest may rely on, whatever the mediator sends. */
static void check(struct fixture *fixture)
{
	uint32_t status = guest_read(fixture, VGPU_REG_STATUS);
	uint32_t error = guest_read(fixture, VGPU_REG_ERROR_CODE);
	uint32_t link = guest_read(fixture, VGPU_REG_LINK_STATE);

	require(status <= VGPU_STATUS_ERROR);
	require((status == VGPU_STATUS_ERROR) <= (error != VGPU_ERR_NONE));
	require(status != VGPU_STATUS_DONE || error == VGPU_ERR_NONE);
	require(status != VGPU_STATUS_BUSY || link == VGPU_LINK_UP);
	require(error <= 0xff);
	require(guest_read(fixture, VGPU_REG_RESPONSE_LEN) <= VGPU_MAILBOX_BYTES);
	require(guest_read(fixture, VGPU_REG_PRIORITY) <= VGPU_PRIORITY_HIGH);
	require(guest_read(fixture, VGPU_REG_WORKER_STATE) <= VGPU_WORKER_FAILED);
	require(link <= VGPU_LINK_REFUSED);
	require((fixture->watched >= 0) == (link == VGPU_LINK_CONNECTING || link == VGPU_LINK_UP));
	require(link == VGPU_LINK_UP || fixture->deadline >= 0);
	require(name_ends(fixture, VGPU_REG_GPU_NAME, VGPU_GPU_NAME_BYTES));
	require(name_ends(fixture, VGPU_REG_POOL_NAME, VGPU_POOL_NAME_BYTES));
	require(name_ends(fixture, VGPU_REG_VM_NAME, VGPU_VM_NAME_BYTES));
}

/* Reads everything that the device sent; returns false where the connection has ended. */
static bool drain(struct fixture *fixture, uint64_t *tag)
{
	union vgpu_link_message message;
	ssize_t length;
	size_t count;
	int fd;

	while ((length = vgpu_packet_receive(fixture->peer, &message, sizeof(message), &fd, 1,
					     &count)) > 0) {
		if (count)
			close(fd);
		require(message.header.length == (uint32_t)length);
		if (message.header.type == VGPU_MSG_REQUEST)
			*tag = message.request.tag;
	}
	return length < 0 && errno == EAGAIN;
}

/* Goes on with the connection, or takes the newest that waits. */
static void serve(struct fixture *fixture, uint64_t *tag)
{
	for (int i = 0; i < 4; i++) {
		if (fixture->peer >= 0) {
			if (drain(fixture, tag))
				return;
			close(fixture->peer);
		}
		fixture->peer =
			accept4(fixture->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fixture->peer < 0)
			return;
	}
}

/* Takes bytes from the input for a message; returns how many of it to send. */
static size_t take_message(const uint8_t **data, size_t *size, uint8_t repair, uint64_t tag,
			   union vgpu_link_message *message)
{
	static const uint16_t sizes[] = { 0,
					  0,
					  sizeof(struct vgpu_link_welcome),
					  sizeof(struct vgpu_link_refused),
					  sizeof(struct vgpu_link_config),
					  sizeof(struct vgpu_link_usage),
					  0,
					  offsetof(struct vgpu_link_response, data) };
	size_t length, given;

	memset(message, 0, sizeof(*message));
	length = *size ? **data : 0;
	if (repair & 1)
		length = sizes[repair >> 5];
	given = length < *size ? length : *size;
	memcpy(message, *data, given);
	*data += given;
	*size -= given;
	if (repair & 1)
		message->header.type = repair >> 5;
	if (repair & 1 && message->header.type == VGPU_MSG_RESPONSE) {
		message->response.length %= VGPU_MAILBOX_BYTES + 2;
		length += message->response.length;
		if (length > sizeof(*message))
			length = sizeof(*message);
	}
	if (repair & 2)
		message->header.length = (uint32_t)length;
	if (repair & 4)
		message->response.tag = tag;
	if (repair & 8 && message->header.type == VGPU_MSG_WELCOME)
		message->welcome.version = VGPU_LINK_VERSION;
	if (repair & 8 && message->header.type == VGPU_MSG_CONFIG) {
		message->config.priority %= 3;
		message->config.worker_state %= 4;
	}
	if (repair & 16 && message->header.type == VGPU_MSG_CONFIG) {
		message->config.gpu_name[VGPU_GPU_NAME_BYTES - 1] = '\0';
		message->config.pool_name[VGPU_POOL_NAME_BYTES - 1] = '\0';
		message->config.vm_name[VGPU_VM_NAME_BYTES - 1] = '\0';
	}
	if (repair & 8 && message->header.type == VGPU_MSG_RESPONSE)
		message->response.error_code %= VGPU_ERR_QUARANTINED + 1;
	return length;
}

/* The shortest way to a link that is up, which chance alone finds too seldom. */
static void go_up(struct fixture *fixture, uint64_t *tag)
{
	struct vgpu_link_welcome welcome;
	struct vgpu_link_config config;

	if (guest_read(fixture, VGPU_REG_LINK_STATE) == VGPU_LINK_UP)
		return;
	device_sleep(fixture, 2 * VGPU_NS_PER_SECOND);
	serve(fixture, tag);
	if (fixture->peer < 0)
		return;
	make_welcome(&welcome);
	make_config(&config, *tag);
	vgpu_packet_send(fixture->peer, &welcome, sizeof(welcome), NULL, 0);
	vgpu_packet_send(fixture->peer, &config, sizeof(config), NULL, 0);
	device_run(fixture);
}

/* A well-formed answer to what the device asked last. */
static void answer(struct fixture *fixture, uint64_t *tag, uint8_t kind)
{
	static const uint8_t data[VGPU_MAILBOX_BYTES] = { 1, 2, 3 };
	struct vgpu_link_response response;

	serve(fixture, tag);
	if (fixture->peer < 0)
		return;
	make_response(&response, *tag, kind % (VGPU_ERR_QUARANTINED + 1), data, kind * 4u);
	vgpu_packet_send(fixture->peer, &response, response.header.length, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union vgpu_link_message message;
	struct fixture *fixture;
	uint64_t tag = 0;
	size_t length;
	void *state;

	require(fixture_setup(&state) == 0);
	fixture = state;
	mediator_start(fixture);
	while (size >= 2) {
		uint8_t what = data[0] % 8, repair = data[1];

		data += 2;
		size -= 2;
		switch (what) {
		case 0:
		case 1:
			length = take_message(&data, &size, repair, tag, &message);
			if (fixture->peer >= 0)
				vgpu_packet_send(fixture->peer, &message, length, &fixture->peer,
						 what == 1 && repair == 0xff);
			break;
		case 2:
			answer(fixture, &tag, repair);
			break;
		case 3:
			if (repair & 1)
				go_up(fixture, &tag);
			else
				serve(fixture, &tag);
			break;
		case 4:
			guest_write(fixture, VGPU_REG_REQUEST_LEN, repair * 8u);
			guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, repair & 1);
			guest_write(fixture, VGPU_REG_DOORBELL, 1);
			break;
		case 5:
			vgpu_core_reset(fixture->core);
			break;
		case 6:
			device_sleep(fixture, repair * 50 * VGPU_NS_PER_MS);
			break;
		case 7:
			if (fixture->peer >= 0)
				close(fixture->peer);
			fixture->peer = -1;
			break;
		}
		if (repair & 1)
			device_run(fixture);
		/* The socket may have told the device of its end only now. */
		if (guest_read(fixture, VGPU_REG_LINK_STATE) == VGPU_LINK_DOWN &&
		    fixture->peer >= 0) {
			close(fixture->peer);
			fixture->peer = -1;
		}
		check(fixture);
	}
	fixture_teardown(&state);
	return 0;
}
