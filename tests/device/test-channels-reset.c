/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* Channels over resets and a socket without room; no descriptor is left behind. */
#include "tests/device/fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/packet.h"
#include "common/ring.h"

static void close_fds(const struct eventfds *fds)
{
	close(fds->doorbell);
	close(fds->completion);
}

static void expect_open(struct fixture *fixture, struct vgpu_link_open *open)
{
	struct eventfds fds;

	mediator_expect_open(fixture, open, &fds);
	close_fds(&fds);
}

/* One channel in each state: 0 closed, 1 opening, 2 open, 3 failed, 4 closing. */
static void one_in_each_state(struct fixture *fixture)
{
	struct vgpu_link_open open;

	channel_up(fixture, 2, 0, &open, NULL);
	channel_up(fixture, 4, CHANNEL_REGION, &open, NULL);
	guest_control(fixture, 4, VGPU_CHANNEL_CLOSE);
	mediator_expect_close(fixture, &(struct vgpu_link_close){ 0 });
	guest_open(fixture, 1, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	expect_open(fixture, &open);
	guest_open(fixture, 3, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	expect_open(fixture, &open);
	mediator_open_failed(fixture, &open, VGPU_ERR_CHANNEL_LIMIT);
	for (unsigned int n = 0; n < 5; n++)
		assert_int_equal(guest_channel(fixture, n, VGPU_CHANNEL_STATE), n);
}

static void a_reset_closes_all(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	unsigned int before;

	link_up(fixture);
	before = descriptors_open();
	one_in_each_state(fixture);
	for (unsigned int n = 0; n < 5; n++) {
		guest_write(fixture, VGPU_REG_CHANNEL_BLOCK(n) + VGPU_CHANNEL_OWNER, 77);
		guest_write(fixture, VGPU_REG_CHANNEL_BLOCK(n) + VGPU_CHANNEL_OWNER_START, 77);
		fixture->woken[n] = 0;
	}
	vgpu_core_reset(fixture->core);
	for (unsigned int n = 0; n < 5; n++) {
		for (uint32_t at = 0; at < 0x40; at += 4)
			assert_int_equal(guest_channel(fixture, n, at),
					 at == VGPU_CHANNEL_OPENS ? n == 2 || n == 4 : 0);
		assert_channel(fixture, n, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
		assert_int_equal(fixture->woken[n], 0);
	}
	assert_int_equal(descriptors_open(), before);
	/* RESET says it all. */
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	assert_true(mediator_has_nothing(fixture));
}

static void nothing_opens_before_the_link_is_up(void **state)
{
	struct fixture *fixture = *state;

	guest_open(fixture, 0, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
	mediator_start(fixture);
	device_sleep(fixture, VGPU_NS_PER_SECOND);
	mediator_accept(fixture);
	guest_open(fixture, 1, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
	mediator_welcome(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &(union vgpu_link_message){ 0 });
	guest_open(fixture, 2, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	assert_channel(fixture, 2, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
	assert_true(mediator_has_nothing(fixture));
}

/* Takes the RESETs that fill_socket() left, and lets the device send what waited. */
static void make_room(struct fixture *fixture, unsigned int held)
{
	union vgpu_link_message message;

	for (unsigned int i = 0; i < held; i++)
		mediator_expect(fixture, VGPU_MSG_RESET, &message);
	device_run(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
}

static void a_full_socket_keeps_one_message_a_channel(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open opens[VGPU_CHANNELS_MAX];
	union vgpu_link_message message;
	unsigned int held;
	bool seen[VGPU_CHANNELS_MAX] = { false };

	link_up(fixture);
	held = fill_socket(fixture);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		guest_open(fixture, n, CHANNEL_ENTRIES, CHANNEL_WINDOW);
		assert_channel(fixture, n, VGPU_CHANNEL_STATE_OPENING, VGPU_ERR_NONE);
	}
	/* A life that the mediator never heard of: closed at once, and opened again. */
	for (int i = 0; i < 1000; i++) {
		guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
		assert_channel(fixture, 0, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
		guest_control(fixture, 0, VGPU_CHANNEL_OPEN);
	}
	guest_submit(fixture, "x", 1);
	device_run(fixture);
	make_room(fixture, held);
	/* The request waited, too, and is not held up by the channels. */
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		expect_open(fixture, &opens[n]);
		assert_false(seen[opens[n].channel]);
		seen[opens[n].channel] = true;
	}
	assert_true(mediator_has_nothing(fixture));
	assert_false(fixture->watch_write);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		mediator_opened(fixture, &opens[n], n * CHANNEL_REGION);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		assert_channel(fixture, n, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
}

/*
 * Fills the socket without a reset, which would close the channels: by opens of one channel that
 * fail. Their serials are not read, since that would make room; what they are is the device's own.
 */
static void fill_with_failures(struct fixture *fixture, unsigned int channel)
{
	for (unsigned int i = 0; i < 100000; i++) {
		guest_open(fixture, channel, CHANNEL_ENTRIES, CHANNEL_WINDOW);
		if (fixture->watch_write) {
			guest_control(fixture, channel, VGPU_CHANNEL_CLOSE);
			assert_channel(fixture, channel, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
			return;
		}
		guest_control(fixture, channel, VGPU_CHANNEL_CLOSE);
		struct vgpu_link_opened opened = {
			.header = { VGPU_MSG_OPENED, sizeof(opened) },
			.channel = channel,
			.serial = (i + 2) << 5 | channel,
			.error_code = VGPU_ERR_CHANNEL_LIMIT,
		};

		mediator_send(fixture, &opened, sizeof(opened));
		device_run(fixture);
		assert_channel(fixture, channel, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	}
	fail_msg("the socket is never full");
}

static void a_close_waits_for_room(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct vgpu_link_close close_message;
	union vgpu_link_message message;
	ssize_t length;
	size_t count;
	bool found = false;
	int fds[2];

	link_up(fixture);
	channel_up(fixture, 6, 0, &open, NULL);
	fill_with_failures(fixture, 7);
	guest_control(fixture, 6, VGPU_CHANNEL_CLOSE);
	assert_channel(fixture, 6, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	assert_true(fixture->watch_write);
	for (int i = 0; i < 2; i++) {
		while ((length = vgpu_packet_receive(fixture->peer, &message, sizeof(message), fds,
						     2, &count)) > 0) {
			for (size_t fd = 0; fd < count; fd++)
				close(fds[fd]);
			if (message.header.type == VGPU_MSG_CLOSE && message.close.channel == 6) {
				assert_false(found);
				found = true;
				close_message = message.close;
			}
		}
		device_run(fixture);
	}
	assert_true(found);
	assert_int_equal(close_message.serial, open.serial);
	assert_false(fixture->watch_write);
	mediator_closed(fixture, 6, open.serial, VGPU_ERR_NONE);
	assert_channel(fixture, 6, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
}

static void what_waits_is_forgotten_where_it_has_no_point(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	struct vgpu_link_open open;
	unsigned int held, before;

	link_up(fixture);
	before = descriptors_open();
	held = fill_socket(fixture);
	guest_open(fixture, 0, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	vgpu_core_reset(fixture->core);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	assert_int_equal(descriptors_open(), before);
	make_room(fixture, held);
	assert_true(mediator_has_nothing(fixture));

	/* A channel that was opened before the reset, and again after it while the RESET waits. */
	channel_up(fixture, 0, 0, &open, NULL);
	held = fill_socket(fixture);
	guest_open(fixture, 0, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	make_room(fixture, held);
	expect_open(fixture, &open);
	assert_true(mediator_has_nothing(fixture));
	mediator_opened(fixture, &open, 0);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);

	/* A link that ends while an OPEN waits. */
	fill_socket(fixture);
	guest_open(fixture, 0, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	guest_open(fixture, 1, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	mediator_stop(fixture);
	device_run(fixture);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
	vgpu_core_reset(fixture->core);
	mediator_start(fixture);
	device_sleep(fixture, 3 * VGPU_NS_PER_SECOND);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	mediator_config(fixture, 1);
	assert_true(mediator_has_nothing(fixture));
}

/* Whatever ends a life closes its eventfds; only the mediator's copies are left. */
static void no_life_leaves_a_descriptor(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	struct vgpu_link_open open;
	unsigned int before;

	link_up(fixture);
	before = descriptors_open();
	for (unsigned int i = 0; i < 500; i++) {
		unsigned int n = i % VGPU_CHANNELS_MAX;

		channel_up(fixture, n, 0, &open, NULL);
		assert_int_equal(descriptors_open(), before + 2);
		switch (i % 3) {
		case 0:
			guest_control(fixture, n, VGPU_CHANNEL_CLOSE);
			mediator_expect_close(fixture, &(struct vgpu_link_close){ 0 });
			assert_int_equal(descriptors_open(), before);
			mediator_closed(fixture, n, open.serial, VGPU_ERR_NONE);
			break;
		case 1:
			mediator_closed(fixture, n, open.serial, VGPU_ERR_CONTEXT_LOST);
			assert_int_equal(descriptors_open(), before);
			guest_control(fixture, n, VGPU_CHANNEL_CLOSE);
			break;
		case 2:
			vgpu_core_reset(fixture->core);
			mediator_expect(fixture, VGPU_MSG_RESET, &message);
			break;
		}
		assert_int_equal(descriptors_open(), before);
	}
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		channel_up(fixture, n, n * CHANNEL_REGION, &open, NULL);
	assert_int_equal(descriptors_open(), before + 2 * VGPU_CHANNELS_MAX);
	vgpu_core_free(&fixture->core);
	/* The link's socket and the window's memfd, too. */
	assert_int_equal(descriptors_open(), before - 2);
}

static void without_descriptors_an_open_fails(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct rlimit limit, tight;
	unsigned int before, lowest_free;

	link_up(fixture);
	before = descriptors_open();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	/* Room for one of the two. */
	lowest_free = (unsigned int)fcntl(0, F_DUPFD_CLOEXEC, 0);
	tight = (struct rlimit){ lowest_free + 1, limit.rlim_max };
	close((int)lowest_free);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
		guest_open(fixture, 0, CHANNEL_ENTRIES, CHANNEL_WINDOW);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_channel(fixture, 0, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
		assert_int_equal(descriptors_open(), before);
		guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
		tight.rlim_cur = lowest_free;
	}
	assert_true(mediator_has_nothing(fixture));
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
	channel_up(fixture, 0, 0, &open, NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reset_closes_all),
		TEST(nothing_opens_before_the_link_is_up),
		TEST(a_full_socket_keeps_one_message_a_channel),
		TEST(a_close_waits_for_room),
		TEST(what_waits_is_forgotten_where_it_has_no_point),
		TEST(no_life_leaves_a_descriptor),
		TEST(without_descriptors_an_open_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
