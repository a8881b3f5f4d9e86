/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* Each message that breaks the protocol ends the link with a line in the log, and nothing else. */
#include "tests/device/fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/packet.h"

static void connect_link(struct fixture *fixture)
{
	mediator_start(fixture);
	device_sleep(fixture, 500 * VGPU_NS_PER_MS);
	mediator_accept(fixture);
}

/* The device must drop the link, say this, fail the request under way, and come back. */
static void assert_dropped(struct fixture *fixture, const char *line)
{
	uint32_t status = guest_read(fixture, VGPU_REG_STATUS);

	device_run(fixture);
	if (guest_read(fixture, VGPU_REG_LINK_STATE) != VGPU_LINK_DOWN)
		fail_msg("the link survived: %s", line);
	if (!strstr(fixture->last_line, line))
		fail_msg("the log says \"%s\", not \"%s\"", fixture->last_line, line);
	if (status == VGPU_STATUS_BUSY)
		assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);
	mediator_stop(fixture);
	/* Past the log's limit, so that the next line of this test is not held back. */
	device_sleep(fixture, 61 * VGPU_NS_PER_SECOND);
	link_up(fixture);
	mediator_stop(fixture);
	device_run(fixture);
}

/* Brings the link up, with a request under way, and sends this. */
static void send_when_up(struct fixture *fixture, const void *message, size_t length,
			 const char *line)
{
	link_up(fixture);
	guest_submit(fixture, "x", 1);
	mediator_send(fixture, message, length);
	assert_dropped(fixture, line);
}

static void headers(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_usage usage;
	uint8_t large[4096] = { 0 };

	make_usage(&usage);
	send_when_up(fixture, &usage, 1, "shorter than its header");
	send_when_up(fixture, &usage, sizeof(usage.header) - 1, "shorter than its header");
	send_when_up(fixture, &usage, sizeof(usage) - 8, "length field");
	usage.header.length++;
	send_when_up(fixture, &usage, sizeof(usage), "length field");
	usage.header.length = 0;
	send_when_up(fixture, &usage, sizeof(usage), "length field");
	send_when_up(fixture, large, sizeof(large), "too long or with descriptors");
	send_when_up(fixture, large, sizeof(union vgpu_link_message) + 1, "too long");
}

static void types(void **state)
{
	static const uint32_t unknown[] = { 0,
					    VGPU_MSG_HELLO,
					    VGPU_MSG_REQUEST,
					    VGPU_MSG_RESET,
					    VGPU_MSG_OPEN,
					    VGPU_MSG_CLOSE,
					    VGPU_MSG_RESUME,
					    14,
					    0x7fffffff,
					    0xffffffff };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct vgpu_link_header header = { unknown[i], sizeof(header) };

		send_when_up(fixture, &header, sizeof(header), "unknown type");
	}
}

static void messages_out_of_turn(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_welcome welcome;
	struct vgpu_link_config config;
	struct vgpu_link_usage usage;
	struct vgpu_link_response response;
	struct vgpu_link_refused refused = { .header = { VGPU_MSG_REFUSED, sizeof(refused) } };

	make_welcome(&welcome);
	make_config(&config, 1);
	make_usage(&usage);
	make_response(&response, 1, VGPU_ERR_NONE, NULL, 0);

	connect_link(fixture);
	mediator_send(fixture, &config, sizeof(config));
	assert_dropped(fixture, "CONFIG before WELCOME");
	connect_link(fixture);
	mediator_send(fixture, &usage, sizeof(usage));
	assert_dropped(fixture, "USAGE before WELCOME");
	connect_link(fixture);
	mediator_send(fixture, &response, response.header.length);
	assert_dropped(fixture, "RESPONSE before any request");
	connect_link(fixture);
	mediator_send(fixture, &welcome, sizeof(welcome));
	mediator_send(fixture, &response, response.header.length);
	assert_dropped(fixture, "RESPONSE before any request");

	send_when_up(fixture, &welcome, sizeof(welcome), "second WELCOME");
	send_when_up(fixture, &refused, sizeof(refused), "REFUSED after WELCOME");
	/* None of it reached the guest. */
	assert_int_equal(guest_read64(fixture, VGPU_REG_USED_MEMORY), 0);
}

static void welcomes(void **state)
{
	struct fixture *fixture = *state;
	struct {
		struct vgpu_link_welcome welcome;
		uint32_t more;
	} message = { .more = 0 };

	static const uint32_t versions[] = { 0, VGPU_LINK_VERSION + 1, 0xffffffff };

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		make_welcome(&message.welcome);
		message.welcome.version = versions[i];
		connect_link(fixture);
		mediator_send(fixture, &message, sizeof(message.welcome));
		assert_dropped(fixture, "version that was not offered");
	}
	for (int difference = -4; difference <= 4; difference += 8) {
		uint32_t length = sizeof(message.welcome) + (uint32_t)difference;

		make_welcome(&message.welcome);
		message.welcome.header.length = length;
		connect_link(fixture);
		mediator_send(fixture, &message, length);
		assert_dropped(fixture, "WELCOME of the wrong size");
	}
}

static void refusals(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_refused refused = { .header = { VGPU_MSG_REFUSED, sizeof(refused) } };

	memset(refused.text, 'x', sizeof(refused.text));
	connect_link(fixture);
	mediator_send(fixture, &refused, sizeof(refused));
	assert_dropped(fixture, "REFUSED whose text has no end");
	refused.header.length = 16;
	connect_link(fixture);
	mediator_send(fixture, &refused, 16);
	assert_dropped(fixture, "REFUSED of the wrong size");
}

static void configs(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_config config;

	make_config(&config, 1);
	config.priority = 3;
	send_when_up(fixture, &config, sizeof(config), "priority above 2");
	make_config(&config, 1);
	config.worker_state = 4;
	send_when_up(fixture, &config, sizeof(config), "unknown worker state");
	make_config(&config, 1);
	memset(config.gpu_name, 'x', sizeof(config.gpu_name));
	send_when_up(fixture, &config, sizeof(config), "GPU name has no end");
	make_config(&config, 1);
	memset(config.pool_name, 'x', sizeof(config.pool_name));
	send_when_up(fixture, &config, sizeof(config), "pool name has no end");
	make_config(&config, 1);
	memset(config.vm_name, 'x', sizeof(config.vm_name));
	send_when_up(fixture, &config, sizeof(config), "VM name has no end");
	make_config(&config, 1);
	config.header.length -= 8;
	send_when_up(fixture, &config, config.header.length, "CONFIG of the wrong size");
	assert_int_equal(guest_read(fixture, VGPU_REG_PRIORITY), VGPU_PRIORITY_HIGH);
}

static void usages(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_usage usage;

	make_usage(&usage);
	usage.header.length -= 8;
	send_when_up(fixture, &usage, usage.header.length, "USAGE of the wrong size");
	assert_int_equal(guest_read64(fixture, VGPU_REG_USED_MEMORY), 0);
}

static void responses(void **state)
{
	static const uint32_t unknown[] = { 0x0e, 0xef, 0x100, 0xffffffff };
	const uint32_t head = offsetof(struct vgpu_link_response, data);
	struct fixture *fixture = *state;
	struct vgpu_link_response response;

	make_response(&response, 1, VGPU_ERR_NONE, "data", 4);
	response.header.length = head - 4;
	send_when_up(fixture, &response, head - 4, "RESPONSE that is cut off");
	make_response(&response, 1, VGPU_ERR_NONE, "data", 4);
	response.length = VGPU_MAILBOX_BYTES + 1;
	send_when_up(fixture, &response, head + 4, "more data than the mailbox holds");
	response.length = 0xffffffff;
	send_when_up(fixture, &response, head + 4, "more data than the mailbox holds");
	response.length = 5;
	send_when_up(fixture, &response, head + 4, "size and data length disagree");
	response.length = 3;
	send_when_up(fixture, &response, head + 4, "size and data length disagree");
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		make_response(&response, 1, unknown[i], NULL, 0);
		send_when_up(fixture, &response, head, "unknown error code");
	}
}

static void descriptors(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_usage usage;
	int before, after;

	make_usage(&usage);
	link_up(fixture);
	before = dup(0);
	close(before);
	assert_int_equal(vgpu_packet_send(fixture->peer, &usage, sizeof(usage), &fixture->peer, 1),
			 0);
	device_run(fixture);
	after = dup(0);
	close(after);
	/* The link's own descriptor was closed, and the one that came with the message too. */
	assert_true(after <= before);
	assert_dropped(fixture, "too long or with descriptors");
}

static void empty_packet(void **state)
{
	struct fixture *fixture = *state;

	send_when_up(fixture, "", 0, "closed");
}

/* The device takes a part of a flood at once, so that its embedder stays responsive. */
static void flood(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_usage usage;
	uint32_t before, taken;

	link_up(fixture);
	make_usage(&usage);
	for (int i = 0; i < 60; i++)
		mediator_send(fixture, &usage, sizeof(usage));
	before = guest_read(fixture, VGPU_REG_CONFIG_SEQUENCE);
	vgpu_core_link_ready(fixture->core, true, false);
	taken = guest_read(fixture, VGPU_REG_CONFIG_SEQUENCE) - before;
	assert_in_range(taken, 1, 32);
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_CONFIG_SEQUENCE) - before, 60);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(headers),	    TEST(types),     TEST(messages_out_of_turn),
		TEST(welcomes),	    TEST(refusals),  TEST(configs),
		TEST(usages),	    TEST(responses), TEST(descriptors),
		TEST(empty_packet), TEST(flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
