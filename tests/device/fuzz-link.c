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
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/packet.h"
#include "common/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

#define CHANNELS 4 /* that the guest uses, so that their lives meet */

/* What the mediator was told. */
struct seen {
	uint64_t tag;
	struct vgpu_link_open open[CHANNELS]; /* the last of each */
	bool told;			      /* something, on this link */
};

static bool name_ends(struct fixture *fixture, uint32_t offset, uint32_t bytes)
{
	return guest_read(fixture, offset + bytes - 4) >> 24 == 0;
}

static void check_channels(struct fixture *fixture, uint32_t link)
{
	uint64_t begin[VGPU_CHANNELS_MAX], end[VGPU_CHANNELS_MAX];

	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		uint32_t block = VGPU_REG_CHANNEL_BLOCK(n);
		uint32_t state = guest_read(fixture, block + VGPU_CHANNEL_STATE);
		uint32_t error = guest_read(fixture, block + VGPU_CHANNEL_ERROR);
		bool open = state == VGPU_CHANNEL_STATE_OPEN;

		require(state <= VGPU_CHANNEL_STATE_CLOSING);
		require(state != VGPU_CHANNEL_STATE_OPENING || link == VGPU_LINK_UP);
		require(error <= 0xff && (state != VGPU_CHANNEL_STATE_FAILED || error != 0));
		require((fixture->hooked[n].doorbell >= 0) == open);
		require((fixture->hooked[n].completion >= 0) == open);
		begin[n] = guest_read64(fixture, block + VGPU_CHANNEL_REGION);
		end[n] = begin[n] + guest_read64(fixture, block + VGPU_CHANNEL_REGION_BYTES);
		require((end[n] > begin[n]) == open);
		require(begin[n] % 4096 == 0 && end[n] % 4096 == 0);
		require(end[n] <= VGPU_WINDOW_SIZE_MIN);
		for (unsigned int i = 0; i < n; i++)
			require(end[i] <= begin[n] || end[n] <= begin[i] || end[i] == begin[i] ||
				end[n] == begin[n]);
	}
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
	check_channels(fixture, link);
}

/* A RESUME comes first on its link. Its serials stand for those of OPENs that were never read. */
static void check_resume(struct seen *seen, const struct vgpu_link_resume *resume)
{
	require(!seen->told);
	require(resume->count <= CHANNELS);
	require(resume->header.length == offsetof(struct vgpu_link_resume, channels) +
						 resume->count * sizeof(resume->channels[0]));
	for (uint32_t i = 0; i < resume->count; i++) {
		uint32_t channel = resume->channels[i].channel;

		require(channel < CHANNELS && resume->channels[i].serial != 0);
		require(i == 0 || channel > resume->channels[i - 1].channel);
		seen->open[channel].serial = resume->channels[i].serial;
	}
}

/* Reads everything that the device sent; returns false where the connection has ended. */
static bool drain(struct fixture *fixture, struct seen *seen)
{
	union vgpu_link_message message;
	ssize_t length;
	size_t count;
	int fds[2];

	while ((length = vgpu_packet_receive(fixture->peer, &message, sizeof(message), fds, 2,
					     &count)) > 0) {
		require(message.header.type != VGPU_MSG_OPEN || count == 2);
		while (count > 0)
			close(fds[--count]);
		require(message.header.length == (uint32_t)length);
		if (message.header.type == VGPU_MSG_RESUME)
			check_resume(seen, &message.resume);
		seen->told = message.header.type != VGPU_MSG_HELLO;
		if (message.header.type == VGPU_MSG_REQUEST)
			seen->tag = message.request.tag;
		if (message.header.type == VGPU_MSG_OPEN) {
			require(message.open.channel < CHANNELS);
			require(message.open.serial != seen->open[message.open.channel].serial);
			seen->open[message.open.channel] = message.open;
		}
		if (message.header.type == VGPU_MSG_CLOSE)
			require(message.close.serial == seen->open[message.close.channel].serial);
	}
	return length < 0 && errno == EAGAIN;
}

/* Goes on with the connection, or takes the newest that waits. */
static void serve(struct fixture *fixture, struct seen *seen)
{
	for (int i = 0; i < 4; i++) {
		if (fixture->peer >= 0) {
			if (drain(fixture, seen))
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
		message->welcome.version = 1 + message->welcome.version % VGPU_LINK_VERSION;
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
		message->response.error_code %= VGPU_ERR_WINDOW_LIMIT + 1;
	return length;
}

/* The shortest way to a link that is up, which chance alone finds too seldom. */
static void go_up(struct fixture *fixture, struct seen *seen, uint32_t version)
{
	struct vgpu_link_welcome welcome;
	struct vgpu_link_config config;

	if (guest_read(fixture, VGPU_REG_LINK_STATE) == VGPU_LINK_UP)
		return;
	device_sleep(fixture, 2 * VGPU_NS_PER_SECOND);
	serve(fixture, seen);
	if (fixture->peer < 0)
		return;
	make_welcome(&welcome);
	welcome.version = version;
	make_config(&config, seen->tag);
	vgpu_packet_send(fixture->peer, &welcome, sizeof(welcome), NULL, 0);
	vgpu_packet_send(fixture->peer, &config, sizeof(config), NULL, 0);
	device_run(fixture);
}

/* A well-formed answer to what the device asked last. */
static void answer(struct fixture *fixture, struct seen *seen, uint8_t kind)
{
	static const uint8_t data[VGPU_MAILBOX_BYTES] = { 1, 2, 3 };
	struct vgpu_link_response response;

	serve(fixture, seen);
	if (fixture->peer < 0)
		return;
	make_response(&response, seen->tag, kind % (VGPU_ERR_WINDOW_LIMIT + 1), data, kind * 4u);
	vgpu_packet_send(fixture->peer, &response, response.header.length, NULL, 0);
}

/* Something about a channel, most of it well-formed. */
static void speak_of_channel(struct fixture *fixture, struct seen *seen, uint8_t how, uint8_t value)
{
	struct vgpu_link_opened opened = { .header = { VGPU_MSG_OPENED, sizeof(opened) } };
	struct vgpu_link_closed closed = { .header = { VGPU_MSG_CLOSED, sizeof(closed) } };
	const struct vgpu_link_open *open = &seen->open[how % CHANNELS];

	serve(fixture, seen);
	if (fixture->peer < 0)
		return;
	closed.channel = opened.channel = how & 4 ? open->channel : how % CHANNELS;
	closed.serial = opened.serial = open->serial - (how & 8 ? 32u * (value & 7) : 0);
	if (how & 16) {
		closed.error_code = value % (VGPU_ERR_WINDOW_LIMIT + 1);
		vgpu_packet_send(fixture->peer, &closed, sizeof(closed), NULL, 0);
		return;
	}
	if (how & 32) {
		opened.error_code = value % (VGPU_ERR_WINDOW_LIMIT + 2);
	} else {
		opened.region = (uint64_t)value * 4096 + (value == 0xff);
		opened.region_bytes = vgpu_ring_window_offset(open->entries) + open->window_bytes;
	}
	vgpu_packet_send(fixture->peer, &opened, sizeof(opened), NULL, 0);
}

/* The shortest way to an open channel, if the link is up and nothing stands in the way. */
static void open_wholly(struct fixture *fixture, struct seen *seen, unsigned int channel)
{
	struct vgpu_link_opened opened = { .header = { VGPU_MSG_OPENED, sizeof(opened) } };

	guest_open(fixture, channel, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	serve(fixture, seen);
	if (fixture->peer < 0 ||
	    guest_channel(fixture, channel, VGPU_CHANNEL_STATE) != VGPU_CHANNEL_STATE_OPENING)
		return;
	opened.channel = channel;
	opened.serial = seen->open[channel].serial;
	opened.region = channel * CHANNEL_REGION;
	opened.region_bytes = CHANNEL_REGION;
	vgpu_packet_send(fixture->peer, &opened, sizeof(opened), NULL, 0);
	device_run(fixture);
}

/* The guest uses a channel. */
static void use_channel(struct fixture *fixture, struct seen *seen, uint8_t how, uint8_t value)
{
	unsigned int channel = how % CHANNELS;

	switch (how / 4 % 6) {
	case 0:
		guest_open(fixture, channel, 16u << value % 8, 4096u * (value / 8u));
		break;
	case 1:
		guest_control(fixture, channel, value % 4);
		break;
	case 2:
		guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(channel), value);
		break;
	case 3:
		if (fixture->hooked[channel].completion >= 0)
			eventfd_write(fixture->hooked[channel].completion, value);
		break;
	case 4:
		vgpu_core_completion(fixture->core, value % 64);
		break;
	case 5:
		open_wholly(fixture, seen, channel);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int descriptors = descriptors_open();
	union vgpu_link_message message;
	struct fixture *fixture;
	struct seen seen = { 0 };
	size_t length;
	void *state;

	require(fixture_setup(&state) == 0);
	fixture = state;
	mediator_start(fixture);
	while (size >= 2) {
		uint8_t what = data[0] % 10, repair = data[1], more = size > 2 ? data[2] : 0;

		data += 2;
		size -= 2;
		switch (what) {
		case 0:
		case 1:
			length = take_message(&data, &size, repair, seen.tag, &message);
			if (fixture->peer >= 0)
				vgpu_packet_send(fixture->peer, &message, length, &fixture->peer,
						 what == 1 && repair == 0xff);
			break;
		case 2:
			answer(fixture, &seen, repair);
			break;
		case 3:
			if (repair & 1)
				go_up(fixture, &seen, repair & 2 ? 1 : VGPU_LINK_VERSION);
			else
				serve(fixture, &seen);
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
		case 8:
			speak_of_channel(fixture, &seen, repair >> 1, more);
			break;
		case 9:
			use_channel(fixture, &seen, repair >> 1, more);
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
	require(descriptors_open() == descriptors);
	return 0;
}
