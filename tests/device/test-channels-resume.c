/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* What is open outlives the link: the guest sees no change, and the next link goes on with it. */
#include "tests/device/fixture.h"

#include <unistd.h>

#include "common/packet.h"
#include "common/ring.h"

static void close_fds(const struct eventfds *fds)
{
	close(fds->doorbell);
	close(fds->completion);
}

/* Opens a channel as far as the mediator's having its OPEN. */
static void begin_open(struct fixture *fixture, unsigned int channel, struct vgpu_link_open *open)
{
	struct eventfds fds;

	guest_open(fixture, channel, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	mediator_expect_open(fixture, open, &fds);
	close_fds(&fds);
}

/* Brings the link up again and takes its RESUME, which must name these channels, in this order. */
static void resume_link(struct fixture *fixture, uint32_t count, const struct vgpu_link_open *opens)
{
	struct vgpu_link_resume resume;

	link_begin(fixture);
	mediator_welcome(fixture);
	mediator_expect_resume(fixture, count, &resume);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(resume.channels[i].channel, opens[i].channel);
		assert_int_equal(resume.channels[i].serial, opens[i].serial);
	}
	mediator_config(fixture, 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

/* Takes a CLOSE of this life, and answers it. */
static void close_at_mediator(struct fixture *fixture, const struct vgpu_link_open *open)
{
	struct vgpu_link_close message;

	mediator_expect_close(fixture, &message);
	assert_int_equal(message.channel, open->channel);
	assert_int_equal(message.serial, open->serial);
	mediator_closed(fixture, open->channel, open->serial, VGPU_ERR_NONE);
	assert_channel(fixture, open->channel, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
}

static void complete(const struct eventfds *fds)
{
	const uint64_t one = 1;

	assert_int_equal(write(fds->completion, &one, sizeof(one)), sizeof(one));
}

/* Doorbell and completion of an open channel do their work. */
static void assert_in_use(struct fixture *fixture, unsigned int channel, const struct eventfds *fds)
{
	unsigned int woken = fixture->woken[channel];

	assert_channel(fixture, channel, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(channel), 1);
	assert_int_equal(eventfd_take(fds->doorbell), 1);
	complete(fds);
	vgpu_core_completion(fixture->core, channel);
	assert_int_equal(fixture->woken[channel], woken + 1);
}

static void the_guest_of_an_open_channel_sees_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct eventfds fds, hooked;
	uint32_t before[16];

	link_up(fixture);
	channel_up(fixture, 2, 5 * CHANNEL_REGION, &open, &fds);
	hooked = fixture->hooked[2];
	for (uint32_t at = 0; at < 0x40; at += 4)
		before[at / 4] = guest_channel(fixture, 2, at);
	fixture->woken[2] = 0;
	for (int i = 0; i < 3; i++) {
		link_lose(fixture);
		assert_in_use(fixture, 2, &fds);
		/* A mediator that goes again before it has said anything. */
		link_begin(fixture);
		assert_in_use(fixture, 2, &fds);
		link_lose(fixture);
		link_begin(fixture);
		mediator_welcome(fixture);
		link_lose(fixture);
		resume_link(fixture, 1, &open);
		assert_in_use(fixture, 2, &fds);
		assert_true(mediator_has_nothing(fixture));
	}
	assert_int_equal(fixture->woken[2], 9); /* by the completions alone */
	assert_int_equal(fixture->hooked[2].doorbell, hooked.doorbell);
	assert_int_equal(fixture->hooked[2].completion, hooked.completion);
	for (uint32_t at = 0; at < 0x40; at += 4)
		assert_int_equal(guest_channel(fixture, 2, at), before[at / 4]);
	guest_control(fixture, 2, VGPU_CHANNEL_CLOSE);
	close_at_mediator(fixture, &open);
	close_fds(&fds);
}

/* Channel n in state n. */
static void a_lost_link_in_each_state(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open opening, failed, named[2];
	unsigned int before;

	link_up(fixture);
	before = descriptors_open();
	channel_up(fixture, 2, 0, &named[0], NULL);
	channel_up(fixture, 4, CHANNEL_REGION, &named[1], NULL);
	guest_control(fixture, 4, VGPU_CHANNEL_CLOSE);
	mediator_expect_close(fixture, &(struct vgpu_link_close){ 0 });
	begin_open(fixture, 1, &opening);
	begin_open(fixture, 3, &failed);
	mediator_open_failed(fixture, &failed, VGPU_ERR_CHANNEL_LIMIT);
	for (unsigned int n = 0; n < 5; n++) {
		assert_int_equal(guest_channel(fixture, n, VGPU_CHANNEL_STATE), n);
		fixture->woken[n] = 0;
	}
	link_lose(fixture);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
	assert_channel(fixture, 2, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	assert_channel(fixture, 3, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_CHANNEL_LIMIT);
	assert_channel(fixture, 4, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	for (unsigned int n = 0; n < 5; n++)
		assert_int_equal(fixture->woken[n], n == 1);
	/* The listener, the peer and the link's socket are gone; channel 2 has its two. */
	assert_int_equal(descriptors_open(), before - 3 + 2);

	/* Nothing opens without a link. */
	guest_open(fixture, 0, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
	guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
	guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_UNAVAILABLE);

	/* What was opening is not named, so that the mediator ends it. */
	resume_link(fixture, 2, named);
	close_at_mediator(fixture, &named[1]);
	assert_int_equal(fixture->woken[4], 1);
	assert_true(mediator_has_nothing(fixture));
	channel_up(fixture, 1, CHANNEL_REGION, &opening, NULL);
	channel_up(fixture, 4, 2 * CHANNEL_REGION, &opening, NULL);
	assert_channel(fixture, 2, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
}

static void a_close_without_a_link_is_sent_with_the_next(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open opens[2];
	unsigned int before;

	link_up(fixture);
	channel_up(fixture, 0, 0, &opens[0], NULL);
	channel_up(fixture, 1, CHANNEL_REGION, &opens[1], NULL);
	before = descriptors_open();
	link_lose(fixture);
	guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	assert_int_equal(guest_channel(fixture, 1, VGPU_CHANNEL_REGION_BYTES), 0);
	assert_int_equal(descriptors_open(), before - 3 - 2);
	/* As often as the mediator goes without having answered. */
	for (int i = 0; i < 3; i++) {
		resume_link(fixture, 2, opens);
		mediator_expect_close(fixture, &(struct vgpu_link_close){ 0 });
		assert_true(mediator_has_nothing(fixture));
		link_lose(fixture);
		guest_control(fixture, 1, VGPU_CHANNEL_OPEN);
		guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	}
	fixture->woken[1] = 0;
	resume_link(fixture, 2, opens);
	close_at_mediator(fixture, &opens[1]);
	assert_int_equal(fixture->woken[1], 1);
	link_lose(fixture);
	resume_link(fixture, 1, opens);
}

/* The mediator may not have opened it before it went, or may do so after all. */
static void what_was_closed_before_it_was_open(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open opens[2];

	link_up(fixture);
	channel_up(fixture, 0, 0, &opens[0], NULL);
	for (int i = 0; i < 3; i++) {
		begin_open(fixture, 1, &opens[1]);
		guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
		mediator_expect_close(fixture, &(struct vgpu_link_close){ 0 });
		link_lose(fixture);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
		resume_link(fixture, 2, opens);
		if (i == 1)
			mediator_opened(fixture, &opens[1], CHANNEL_REGION);
		if (i == 2) {
			mediator_open_failed(fixture, &opens[1], VGPU_ERR_CHANNEL_LIMIT);
			assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
			break;
		}
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
		close_at_mediator(fixture, &opens[1]);
	}
	assert_int_equal(guest_channel(fixture, 1, VGPU_CHANNEL_OPENS), 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

/* An OPENED shows that the mediator took the RESET before it; without one, it may have it still. */
static void with_nothing_open_a_reset_closes_the_rest(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;

	link_up(fixture);
	begin_open(fixture, 1, &open);
	guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
	link_lose(fixture);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	link_up(fixture);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	assert_true(mediator_has_nothing(fixture));
	channel_up(fixture, 1, 0, &open, NULL);
}

static void closing_alone_is_resumed(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;

	link_up(fixture);
	channel_up(fixture, 9, 0, &open, NULL);
	link_lose(fixture);
	guest_control(fixture, 9, VGPU_CHANNEL_CLOSE);
	resume_link(fixture, 1, &open);
	close_at_mediator(fixture, &open);
	/* Nothing is in use any more. */
	link_lose(fixture);
	link_up(fixture);
	assert_true(mediator_has_nothing(fixture));
}

static void what_was_lost_meanwhile_fails(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open opens[3], open;

	link_up(fixture);
	for (unsigned int n = 0; n < 3; n++)
		channel_up(fixture, n, n * CHANNEL_REGION, &opens[n], NULL);
	link_lose(fixture);
	guest_control(fixture, 2, VGPU_CHANNEL_CLOSE);
	resume_link(fixture, 3, opens);
	mediator_expect_close(fixture, &(struct vgpu_link_close){ 0 });
	for (unsigned int n = 0; n < 3; n++)
		fixture->woken[n] = 0;
	mediator_closed(fixture, 1, opens[1].serial, VGPU_ERR_CONTEXT_LOST);
	mediator_closed(fixture, 2, opens[2].serial, VGPU_ERR_CONTEXT_LOST);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_CONTEXT_LOST);
	assert_channel(fixture, 2, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	for (unsigned int n = 0; n < 3; n++)
		assert_int_equal(fixture->woken[n], n > 0);
	guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
	assert_true(mediator_has_nothing(fixture));
	/* Their regions are free; the other's is not. */
	channel_up(fixture, 5, CHANNEL_REGION, &open, NULL);
	channel_up(fixture, 6, 2 * CHANNEL_REGION, &open, NULL);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

/* Until it shows that it knows no RESUME, the mediator that comes back may be any. */
static void a_mediator_of_version_1_has_nothing_left(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	struct vgpu_link_open open;

	for (int in_use = 0; in_use < 2; in_use++) {
		vgpu_core_reset(fixture->core);
		link_up(fixture);
		if (in_use) {
			guest_submit(fixture, "x", 1);
			mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
			mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, NULL, 0);
		}
		channel_up(fixture, 0, 0, &open, NULL);
		channel_up(fixture, 1, CHANNEL_REGION, &open, NULL);
		guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
		link_lose(fixture);
		link_begin(fixture);
		assert_channel(fixture, 0, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
		fixture->woken[0] = fixture->woken[1] = 0;
		mediator_welcome_version(fixture, 1);
		assert_channel(fixture, 0, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_CONTEXT_LOST);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
		assert_int_equal(fixture->woken[0], 1);
		assert_int_equal(fixture->woken[1], 1);
		if (!in_use)
			mediator_expect(fixture, VGPU_MSG_RESET, &message);
		mediator_config(fixture, 1);
		assert_true(mediator_has_nothing(fixture));
		/* It serves channels as ever. */
		channel_up(fixture, 1, 0, &open, NULL);
		link_lose(fixture);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	}
}

/* A refusal says nothing about the workers: another device may only be slow to go. */
static void a_refusal_ends_no_channel(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_refused refused = {
		.header = { VGPU_MSG_REFUSED, sizeof(refused) },
		.reason = VGPU_REFUSED_BUSY,
	};
	struct vgpu_link_open open;
	struct eventfds fds;

	link_up(fixture);
	channel_up(fixture, 0, 0, &open, &fds);
	link_lose(fixture);
	link_begin(fixture);
	mediator_send(fixture, &refused, sizeof(refused));
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_REFUSED);
	assert_in_use(fixture, 0, &fds);
	mediator_stop(fixture);
	device_sleep(fixture, 60 * VGPU_NS_PER_SECOND);
	resume_link(fixture, 1, &open);
	assert_in_use(fixture, 0, &fds);
	close_fds(&fds);
}

static void a_reset_without_a_link_resumes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;

	link_up(fixture);
	channel_up(fixture, 0, 0, &open, NULL);
	channel_up(fixture, 1, CHANNEL_REGION, &open, NULL);
	guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
	link_lose(fixture);
	vgpu_core_reset(fixture->core);
	for (unsigned int n = 0; n < 2; n++)
		assert_channel(fixture, n, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	link_up(fixture); /* which takes the RESET */
	assert_true(mediator_has_nothing(fixture));
	channel_up(fixture, 0, 0, &open, NULL);
}

static void every_channel_can_be_resumed(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open opens[VGPU_CHANNELS_MAX];

	link_up(fixture);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		channel_up(fixture, n, n * CHANNEL_REGION, &opens[n], NULL);
	link_lose(fixture);
	resume_link(fixture, VGPU_CHANNELS_MAX, opens);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		assert_channel(fixture, n, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
}

/* A serial names one life, whatever links it saw. */
static void no_serial_comes_again_over_links(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open opens[2];
	uint32_t earlier[40];

	link_up(fixture);
	channel_up(fixture, 0, 0, &opens[0], NULL);
	for (size_t i = 0; i < sizeof(earlier) / sizeof(earlier[0]); i++) {
		channel_up(fixture, 1, CHANNEL_REGION, &opens[1], NULL);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(opens[1].serial, earlier[j]);
		earlier[i] = opens[1].serial;
		link_lose(fixture);
		guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
		resume_link(fixture, 2, opens);
		close_at_mediator(fixture, &opens[1]);
	}
}

/* The request that follows finds the mailbox's memory as it was. */
static void a_resume_goes_before_all_else(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_resume resume;
	union vgpu_link_message message;
	struct vgpu_link_open open, other;

	link_up(fixture);
	guest_submit(fixture, "x", 1);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, NULL, 0);
	channel_up(fixture, 3, 0, &open, NULL);
	link_lose(fixture);
	guest_control(fixture, 3, VGPU_CHANNEL_CLOSE);
	link_begin(fixture);
	mediator_welcome(fixture);
	mediator_config(fixture, 1);
	guest_submit(fixture, "y", 1);
	guest_open(fixture, 4, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	mediator_expect_resume(fixture, 1, &resume);
	close_at_mediator(fixture, &open);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_expect_open(fixture, &other, &(struct eventfds){ -1, -1 });
	assert_int_equal(other.channel, 4);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_guest_of_an_open_channel_sees_nothing),
		TEST(a_lost_link_in_each_state),
		TEST(a_close_without_a_link_is_sent_with_the_next),
		TEST(what_was_closed_before_it_was_open),
		TEST(with_nothing_open_a_reset_closes_the_rest),
		TEST(closing_alone_is_resumed),
		TEST(what_was_lost_meanwhile_fails),
		TEST(a_mediator_of_version_1_has_nothing_left),
		TEST(a_refusal_ends_no_channel),
		TEST(a_reset_without_a_link_resumes_nothing),
		TEST(every_channel_can_be_resumed),
		TEST(no_serial_comes_again_over_links),
		TEST(a_resume_goes_before_all_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
