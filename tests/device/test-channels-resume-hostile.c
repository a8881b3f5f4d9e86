/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * What a mediator may not say about resumed channels ends the link again and leaves them open; what
 * an earlier life explains is ignored.
 */
#include "tests/device/fixture.h"

#include <string.h>
#include <unistd.h>

#include "common/ring.h"

/* What the mediator says. */
enum saying {
	OPENED,
	OPENED_ERROR,
	CLOSED,
	CLOSED_ERROR,
	SAYINGS
};

/* About this life; an OPENED has this region. */
static void say(struct fixture *fixture, enum saying saying, const struct vgpu_link_open *open,
		uint64_t region)
{
	switch (saying) {
	case OPENED:
		mediator_opened(fixture, open, region);
		break;
	case OPENED_ERROR:
		mediator_open_failed(fixture, open, VGPU_ERR_CHANNEL_LIMIT);
		break;
	case CLOSED:
		mediator_closed(fixture, open->channel, open->serial, VGPU_ERR_NONE);
		break;
	default:
		mediator_closed(fixture, open->channel, open->serial, VGPU_ERR_CONTEXT_LOST);
		break;
	}
}

/* Goes through a new link's WELCOME, after which the device must have sent a RESUME of so many. */
static void welcome_again(struct fixture *fixture, uint32_t count)
{
	struct vgpu_link_resume resume;

	link_begin(fixture);
	mediator_welcome(fixture);
	mediator_expect_resume(fixture, count, &resume);
}

/* The link is up; channel 0 is open, and was on the link before. */
static void prepare(struct fixture *fixture, struct vgpu_link_open *open)
{
	vgpu_core_reset(fixture->core);
	link_up(fixture);
	channel_up(fixture, 0, 0, open, NULL);
	link_lose(fixture);
	welcome_again(fixture, 1);
	mediator_config(fixture, 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

/* The device must have dropped the link with this line, and channel 0 be as before. */
static void assert_dropped(struct fixture *fixture, const char *line)
{
	if (guest_read(fixture, VGPU_REG_LINK_STATE) != VGPU_LINK_DOWN)
		fail_msg("the link survived: %s", line);
	if (!strstr(fixture->last_line, line))
		fail_msg("the log says \"%s\", not \"%s\"", fixture->last_line, line);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	mediator_stop(fixture);
	/* Past the log's limit, so that the next line of this test is not held back. */
	device_sleep(fixture, 61 * VGPU_NS_PER_SECOND);
}

static void about_an_open_one(void **state)
{
	static const char *const lines[] = { "a second OPENED", "a second OPENED",
					     "CLOSED without CLOSE or reason" };
	struct fixture *fixture = *state;
	struct vgpu_link_open open;

	for (enum saying saying = OPENED; saying < CLOSED_ERROR; saying++) {
		prepare(fixture, &open);
		say(fixture, saying, &open, 0);
		assert_dropped(fixture, lines[saying]);
		prepare(fixture, &open);
		say(fixture, saying, &open, 4 * CHANNEL_REGION);
		assert_dropped(fixture, lines[saying]);
	}
}

/* A channel that is closing without ever having been placed. */
static void about_one_that_closes(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open, closing;
	struct eventfds fds;

	for (int i = 0; i < 2; i++) {
		prepare(fixture, &open);
		guest_open(fixture, 1, CHANNEL_ENTRIES, CHANNEL_WINDOW);
		mediator_expect_open(fixture, &closing, &fds);
		close(fds.doorbell);
		close(fds.completion);
		guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
		link_lose(fixture);
		welcome_again(fixture, 2);
		mediator_config(fixture, 1);
		/* Another's region, and twice. */
		if (i == 1)
			mediator_opened(fixture, &closing, CHANNEL_REGION);
		mediator_opened(fixture, &closing, 2 * 4096);
		assert_dropped(fixture, i == 0 ? "another channel's" : "a second OPENED");
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	}
}

/* Nothing is said about channels before CONFIG. */
static void before_the_link_is_up(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;

	for (int welcomed = 0; welcomed < 2; welcomed++)
		for (enum saying saying = OPENED; saying < SAYINGS; saying++) {
			prepare(fixture, &open);
			link_lose(fixture);
			if (welcomed)
				welcome_again(fixture, 1);
			else
				link_begin(fixture);
			say(fixture, saying, &open, 0);
			assert_dropped(fixture, "before any OPEN");
		}
}

static void serials_that_the_link_did_not_carry(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open, lost;
	struct eventfds fds;

	for (enum saying saying = OPENED; saying < SAYINGS; saying++) {
		/* What was opening when the link was lost, which RESUME does not name. */
		prepare(fixture, &open);
		guest_open(fixture, 1, CHANNEL_ENTRIES, CHANNEL_WINDOW);
		mediator_expect_open(fixture, &lost, &fds);
		close(fds.doorbell);
		close(fds.completion);
		link_lose(fixture);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
		welcome_again(fixture, 1);
		mediator_config(fixture, 1);
		say(fixture, saying, &lost, CHANNEL_REGION);
		assert_dropped(fixture, "serial that was never sent");
		/* What the next will have, and none. */
		for (int i = 0; i < 3; i++) {
			prepare(fixture, &open);
			lost = open;
			lost.serial = i == 0 ? 0 : open.serial + (i == 1 ? 32 : -32u);
			say(fixture, saying, &lost, CHANNEL_REGION);
			assert_dropped(fixture, "serial that was never sent");
		}
		/* A resumed one's, for another channel. */
		prepare(fixture, &open);
		lost = open;
		lost.channel = 1;
		say(fixture, saying, &lost, CHANNEL_REGION);
		assert_dropped(fixture, "serial that was never sent");
	}
}

/* One that was resumed earlier, and has ended since, is named on no later link. */
static void a_serial_that_was_resumed_earlier(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open, ended;

	for (enum saying saying = OPENED; saying < SAYINGS; saying++) {
		prepare(fixture, &open);
		channel_up(fixture, 1, CHANNEL_REGION, &ended, NULL);
		link_lose(fixture);
		welcome_again(fixture, 2);
		mediator_config(fixture, 1);
		mediator_closed(fixture, 1, ended.serial, VGPU_ERR_CONTEXT_LOST);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_CONTEXT_LOST);
		link_lose(fixture);
		welcome_again(fixture, 1);
		mediator_config(fixture, 1);
		say(fixture, saying, &ended, CHANNEL_REGION);
		assert_dropped(fixture, "serial that was never sent");
	}
}

/* A mediator of version 1 was told of none. */
static void after_a_welcome_of_version_1(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	struct vgpu_link_open open;

	for (enum saying saying = OPENED; saying < SAYINGS; saying++) {
		prepare(fixture, &open);
		link_lose(fixture);
		link_begin(fixture);
		mediator_welcome_version(fixture, 1);
		mediator_expect(fixture, VGPU_MSG_RESET, &message);
		mediator_config(fixture, 1);
		assert_channel(fixture, 0, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_CONTEXT_LOST);
		say(fixture, saying, &open, 0);
		assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
		assert_true(strstr(fixture->last_line, "serial that was never sent") != NULL);
		mediator_stop(fixture);
		device_sleep(fixture, 61 * VGPU_NS_PER_SECOND);
	}
}

/* A resumed life that this very link saw end is an earlier one, and the next is not touched. */
static void a_resumed_life_that_has_ended_is_ignored(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_close close_message;
	union vgpu_link_message message;
	struct vgpu_link_open old, open;

	for (int how = 0; how < 3; how++) {
		prepare(fixture, &old);
		if (how == 0) {
			vgpu_core_reset(fixture->core);
			mediator_expect(fixture, VGPU_MSG_RESET, &message);
		} else if (how == 1) {
			mediator_closed(fixture, 0, old.serial, VGPU_ERR_CONTEXT_LOST);
			guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
		} else {
			guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
			mediator_expect_close(fixture, &close_message);
			mediator_closed(fixture, 0, old.serial, VGPU_ERR_NONE);
		}
		for (int again = 0; again < 2; again++) {
			if (again)
				channel_up(fixture, 0, CHANNEL_REGION, &open, NULL);
			for (enum saying saying = OPENED; saying < SAYINGS; saying++)
				say(fixture, saying, &old, 0);
			assert_int_equal(guest_channel(fixture, 0, VGPU_CHANNEL_STATE),
					 again ? VGPU_CHANNEL_STATE_OPEN
					       : VGPU_CHANNEL_STATE_CLOSED);
		}
		assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
		link_lose(fixture);
	}
}

/* The region of a resumed channel is its worker's as long as that serves it. */
static void a_resumed_region_is_not_given_away(void **state)
{
	static const uint64_t regions[] = { 0, 4096, CHANNEL_REGION - 4096 };
	struct fixture *fixture = *state;
	struct vgpu_link_open open, other;
	struct eventfds fds;

	for (int closing = 0; closing < 2; closing++)
		for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
			prepare(fixture, &open);
			if (closing) {
				channel_up(fixture, 2, CHANNEL_REGION, &other, NULL);
				link_lose(fixture);
				guest_control(fixture, 2, VGPU_CHANNEL_CLOSE);
				welcome_again(fixture, 2);
				mediator_config(fixture, 1);
				mediator_expect_close(fixture, &(struct vgpu_link_close){ 0 });
			}
			guest_open(fixture, 1, CHANNEL_ENTRIES, CHANNEL_WINDOW);
			mediator_expect_open(fixture, &other, &fds);
			close(fds.doorbell);
			close(fds.completion);
			mediator_opened(fixture, &other, regions[i] + closing * CHANNEL_REGION);
			assert_dropped(fixture, "another channel's");
			assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
		}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(about_an_open_one),
		TEST(about_one_that_closes),
		TEST(before_the_link_is_up),
		TEST(serials_that_the_link_did_not_carry),
		TEST(a_serial_that_was_resumed_earlier),
		TEST(after_a_welcome_of_version_1),
		TEST(a_resumed_life_that_has_ended_is_ignored),
		TEST(a_resumed_region_is_not_given_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
