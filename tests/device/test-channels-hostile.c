/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * What a mediator may not say about channels ends the link and changes no other thing; what an
 * earlier life of a channel explains is ignored.
 */
#include "tests/device/fixture.h"

#include <string.h>
#include <unistd.h>

#include "common/packet.h"
#include "common/ring.h"

#define WINDOW VGPU_WINDOW_SIZE_MIN

static void opened_for(struct vgpu_link_opened *opened, const struct vgpu_link_open *open,
		       uint64_t region)
{
	*opened = (struct vgpu_link_opened){
		.header = { VGPU_MSG_OPENED, sizeof(*opened) },
		.channel = open->channel,
		.serial = open->serial,
		.region = region,
		.region_bytes = vgpu_ring_window_offset(open->entries) + open->window_bytes,
	};
}

static void closed_for(struct vgpu_link_closed *closed, const struct vgpu_link_open *open,
		       uint32_t error)
{
	*closed = (struct vgpu_link_closed){
		.header = { VGPU_MSG_CLOSED, sizeof(*closed) },
		.channel = open->channel,
		.serial = open->serial,
		.error_code = error,
	};
}

/* The link is up, channel 0 is open at offset 0, and channel 1 is about to be: *open is its OPEN.
 */
static void prepare(struct fixture *fixture, struct vgpu_link_open *open)
{
	struct vgpu_link_open first;
	struct eventfds fds;

	vgpu_core_reset(fixture->core);
	link_up(fixture);
	channel_up(fixture, 0, 0, &first, NULL);
	guest_open(fixture, 1, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	mediator_expect_open(fixture, open, &fds);
	close(fds.doorbell);
	close(fds.completion);
}

/* Sends it; the device must drop the link and say why, and only what was opening is lost. */
static void send_and_lose(struct fixture *fixture, const void *message, size_t length,
			  const char *line)
{
	mediator_send(fixture, message, length);
	device_run(fixture);
	if (guest_read(fixture, VGPU_REG_LINK_STATE) != VGPU_LINK_DOWN)
		fail_msg("the link survived: %s", line);
	if (!strstr(fixture->last_line, line))
		fail_msg("the log says \"%s\", not \"%s\"", fixture->last_line, line);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
	assert_int_equal(guest_channel(fixture, 1, VGPU_CHANNEL_OPENS), 0);
	mediator_stop(fixture);
	/* Past the log's limit, so that the next line of this test is not held back. */
	device_sleep(fixture, 61 * VGPU_NS_PER_SECOND);
}

static void opened_drops(struct fixture *fixture, const struct vgpu_link_opened *opened,
			 const char *line)
{
	send_and_lose(fixture, opened, sizeof(*opened), line);
}

static void regions(void **state)
{
	static const struct {
		uint64_t region, region_bytes; /* region_bytes 0: what was asked for */
		const char *line;
	} tries[] = {
		{ CHANNEL_REGION + 1, 0, "does not begin at a page" },
		{ CHANNEL_REGION + 2048, 0, "does not begin at a page" },
		{ CHANNEL_REGION, CHANNEL_REGION - 1, "another size" },
		{ CHANNEL_REGION, CHANNEL_REGION + 1, "another size" },
		{ CHANNEL_REGION, CHANNEL_WINDOW, "another size" },
		{ CHANNEL_REGION, CHANNEL_REGION + 4096, "another size" },
		{ CHANNEL_REGION, UINT64_MAX, "another size" },
		{ WINDOW, 0, "not within the window" },
		{ WINDOW - CHANNEL_REGION + 4096, 0, "not within the window" },
		{ UINT64_MAX - 4095, 0, "not within the window" },
		{ UINT64_MAX - CHANNEL_REGION + 1, 0, "not within the window" },
		{ UINT64_C(0x8000000000000000), 0, "not within the window" },
		{ 0, 0, "another channel's" },
		{ 4096, 0, "another channel's" },
		{ CHANNEL_REGION - 4096, 0, "another channel's" },
	};
	struct fixture *fixture = *state;
	struct vgpu_link_opened opened;
	struct vgpu_link_open open;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		prepare(fixture, &open);
		opened_for(&opened, &open, tries[i].region);
		if (tries[i].region_bytes)
			opened.region_bytes = tries[i].region_bytes;
		opened_drops(fixture, &opened, tries[i].line);
	}
	/* And the last place where it fits is fine. */
	prepare(fixture, &open);
	mediator_opened(fixture, &open, WINDOW - CHANNEL_REGION);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
}

/* The region of a channel that is closing is still its worker's; of one that broke, no more. */
static void a_region_is_free_when_its_channel_is_closed(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_opened opened;
	struct vgpu_link_open first, second, open;
	struct eventfds fds;

	link_up(fixture);
	channel_up(fixture, 2, 0, &first, NULL);
	channel_up(fixture, 3, CHANNEL_REGION, &second, NULL);
	mediator_closed(fixture, 3, second.serial, VGPU_ERR_INVALID_REQUEST);
	channel_up(fixture, 4, CHANNEL_REGION, &second, NULL);
	guest_control(fixture, 2, VGPU_CHANNEL_CLOSE);
	guest_open(fixture, 5, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	mediator_expect_close(fixture, &(struct vgpu_link_close){ 0 });
	mediator_expect_open(fixture, &open, &fds);
	close(fds.doorbell);
	close(fds.completion);
	opened_for(&opened, &open, 0);
	mediator_send(fixture, &opened, sizeof(opened));
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
	assert_true(strstr(fixture->last_line, "another channel's") != NULL);
	assert_channel(fixture, 2, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
}

static void opened_fields(void **state)
{
	static const uint32_t channels[] = { 32, 33, 0x7fffffff, 0xffffffff };
	static const uint32_t errors[] = { 0x0e, 0xef, 0x100, 0xffffffff };
	struct fixture *fixture = *state;
	struct vgpu_link_opened opened;
	struct vgpu_link_open open;

	for (size_t i = 0; i < 4; i++) {
		prepare(fixture, &open);
		opened_for(&opened, &open, CHANNEL_REGION);
		opened.channel = channels[i];
		opened_drops(fixture, &opened, "OPENED for a channel that does not exist");
		prepare(fixture, &open);
		opened_for(&opened, &open, 0);
		opened.region_bytes = 0;
		opened.error_code = errors[i];
		opened_drops(fixture, &opened, "OPENED with an unknown error code");
	}
	prepare(fixture, &open);
	opened_for(&opened, &open, 0);
	opened.error_code = VGPU_ERR_WINDOW_LIMIT;
	opened_drops(fixture, &opened, "both an error and a region");
	prepare(fixture, &open);
	opened_for(&opened, &open, CHANNEL_REGION);
	opened.header.length -= 8;
	send_and_lose(fixture, &opened, sizeof(opened) - 8, "OPENED of the wrong size");
}

static void closed_fields(void **state)
{
	static const uint32_t channels[] = { 32, 0xffffffff };
	static const uint32_t errors[] = { 0x0e, 0xffffffff };
	struct fixture *fixture = *state;
	struct vgpu_link_closed closed;
	struct vgpu_link_open open;

	for (size_t i = 0; i < 2; i++) {
		prepare(fixture, &open);
		closed_for(&closed, &open, VGPU_ERR_NONE);
		closed.channel = channels[i];
		send_and_lose(fixture, &closed, sizeof(closed),
			      "CLOSED for a channel that does not exist");
		prepare(fixture, &open);
		closed_for(&closed, &open, errors[i]);
		send_and_lose(fixture, &closed, sizeof(closed),
			      "CLOSED with an unknown error code");
	}
	prepare(fixture, &open);
	closed_for(&closed, &open, VGPU_ERR_NONE);
	closed.header.length -= 8;
	send_and_lose(fixture, &closed, sizeof(closed) - 8, "CLOSED of the wrong size");
}

static void serials_that_were_never_sent(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_opened opened;
	struct vgpu_link_closed closed;
	struct vgpu_link_open open;

	for (int i = 0; i < 7; i++) {
		prepare(fixture, &open);
		opened_for(&opened, &open, CHANNEL_REGION);
		const uint32_t serials[] = { 0,
					     1,
					     open.serial ^ 1,
					     open.serial + 32,
					     open.serial + 64,
					     open.serial ^ 0x80000000,
					     0xffffffff };

		opened.serial = serials[i];
		opened_drops(fixture, &opened, "serial that was never sent");
	}
	/* 0 is no serial, not even for a channel that has none. */
	for (uint32_t channel = 0; channel < 6; channel += 5) {
		vgpu_core_reset(fixture->core);
		link_up(fixture);
		open = (struct vgpu_link_open){ .channel = channel };
		opened_for(&opened, &open, 16 * CHANNEL_REGION);
		mediator_send(fixture, &opened, sizeof(opened));
		device_run(fixture);
		assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
		assert_true(strstr(fixture->last_line, "serial that was never sent") != NULL);
		mediator_stop(fixture);
		device_sleep(fixture, 61 * VGPU_NS_PER_SECOND);
	}
	/* Another channel's serial is not this one's. */
	prepare(fixture, &open);
	closed_for(&closed, &open, VGPU_ERR_NONE);
	closed.channel = 0;
	send_and_lose(fixture, &closed, sizeof(closed), "serial that was never sent");
	/* A serial of an earlier link means nothing on this one. */
	uint32_t earlier = open.serial;

	prepare(fixture, &open);
	closed_for(&closed, &open, VGPU_ERR_NONE);
	closed.serial = earlier;
	send_and_lose(fixture, &closed, sizeof(closed), "serial that was never sent");
}

static void messages_out_of_turn(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_opened opened;
	struct vgpu_link_closed closed;
	struct vgpu_link_open open;

	prepare(fixture, &open);
	closed_for(&closed, &open, VGPU_ERR_NONE);
	send_and_lose(fixture, &closed, sizeof(closed), "CLOSED before OPENED");
	prepare(fixture, &open);
	closed_for(&closed, &open, VGPU_ERR_CONTEXT_LOST);
	send_and_lose(fixture, &closed, sizeof(closed), "CLOSED before OPENED");

	for (int i = 0; i < 3; i++) {
		prepare(fixture, &open);
		mediator_opened(fixture, &open, CHANNEL_REGION);
		opened_for(&opened, &open, CHANNEL_REGION);
		closed_for(&closed, &open, VGPU_ERR_NONE);
		if (i == 1) {
			opened.region = opened.region_bytes = 0;
			opened.error_code = VGPU_ERR_UNAVAILABLE;
		}
		if (i < 2)
			mediator_send(fixture, &opened, sizeof(opened));
		else
			mediator_send(fixture, &closed, sizeof(closed));
		device_run(fixture);
		assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
		if (!strstr(fixture->last_line,
			    i < 2 ? "a second OPENED" : "CLOSED without CLOSE or reason"))
			fail_msg("the log says \"%s\"", fixture->last_line);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
		mediator_stop(fixture);
		device_sleep(fixture, 61 * VGPU_NS_PER_SECOND);
	}
}

static void before_the_link_is_up(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_opened opened = { .header = { VGPU_MSG_OPENED, sizeof(opened) } };
	struct vgpu_link_closed closed = { .header = { VGPU_MSG_CLOSED, sizeof(closed) } };

	for (int i = 0; i < 4; i++) {
		mediator_start(fixture);
		device_sleep(fixture, VGPU_NS_PER_SECOND);
		mediator_accept(fixture);
		if (i & 1)
			mediator_welcome(fixture);
		if (i & 2)
			mediator_send(fixture, &closed, sizeof(closed));
		else
			mediator_send(fixture, &opened, sizeof(opened));
		device_run(fixture);
		assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
		assert_true(strstr(fixture->last_line, "before any OPEN") != NULL);
		mediator_stop(fixture);
		device_sleep(fixture, 61 * VGPU_NS_PER_SECOND);
	}
}

/* An answer to an OPEN that has not left the device can only be a guess. */
static void a_guessed_serial_is_not_believed(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_opened opened;
	struct vgpu_link_open open;

	link_up(fixture);
	channel_up(fixture, 1, 0, &open, NULL);
	fill_socket(fixture);
	guest_open(fixture, 1, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	open.serial += 32; /* what it will be */
	opened_for(&opened, &open, 0);
	mediator_send(fixture, &opened, sizeof(opened));
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
}

/* After a reset, CLOSE or failure, late messages of the old life do nothing to the new one. */
static void earlier_lives_are_ignored(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	struct vgpu_link_open old, open = { 0 };

	link_up(fixture);
	channel_up(fixture, 9, 0, &old, NULL);
	vgpu_core_reset(fixture->core);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	for (int i = 0; i < 3; i++) {
		if (i == 1)
			channel_up(fixture, 9, 4096, &open, NULL);
		if (i == 2)
			guest_control(fixture, 9, VGPU_CHANNEL_CLOSE);
		uint32_t before = guest_channel(fixture, 9, VGPU_CHANNEL_STATE);

		mediator_opened(fixture, &old, CHANNEL_REGION * 4);
		mediator_open_failed(fixture, &old, VGPU_ERR_UNAVAILABLE);
		mediator_closed(fixture, 9, old.serial, VGPU_ERR_NONE);
		mediator_closed(fixture, 9, old.serial, VGPU_ERR_CONTEXT_LOST);
		assert_channel(fixture, 9, before, VGPU_ERR_NONE);
	}
	mediator_closed(fixture, 9, open.serial, VGPU_ERR_CONTEXT_LOST);
	assert_channel(fixture, 9, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

static void descriptors_with_an_answer(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_opened opened;
	struct vgpu_link_open open;
	unsigned int before;

	prepare(fixture, &open);
	opened_for(&opened, &open, CHANNEL_REGION);
	before = descriptors_open();
	assert_int_equal(
		vgpu_packet_send(fixture->peer, &opened, sizeof(opened), &fixture->peer, 1), 0);
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
	/* The link's socket and the eventfds of what was opening are gone; nothing came. */
	assert_int_equal(descriptors_open(), before - 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(regions),
		TEST(a_region_is_free_when_its_channel_is_closed),
		TEST(opened_fields),
		TEST(closed_fields),
		TEST(serials_that_were_never_sent),
		TEST(messages_out_of_turn),
		TEST(before_the_link_is_up),
		TEST(a_guessed_serial_is_not_believed),
		TEST(earlier_lives_are_ignored),
		TEST(descriptors_with_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
