/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* A channel's life as guest and mediator see it: every state, and every write that it ignores. */
#include "tests/device/fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/ring.h"

static void close_fds(const struct eventfds *fds)
{
	close(fds->doorbell);
	close(fds->completion);
}

static uint64_t channel64(struct fixture *fixture, unsigned int channel, uint32_t offset)
{
	return guest_read64(fixture, VGPU_REG_CHANNEL_BLOCK(channel) + offset);
}

static void opens_and_closes(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct vgpu_link_close close_message;
	struct eventfds fds;

	link_up(fixture);
	guest_open(fixture, 5, 64, 8192);
	assert_channel(fixture, 5, VGPU_CHANNEL_STATE_OPENING, VGPU_ERR_NONE);
	assert_int_equal(channel64(fixture, 5, VGPU_CHANNEL_REGION_BYTES), 0);
	assert_int_equal(guest_channel(fixture, 5, VGPU_CHANNEL_OPENS), 0);
	mediator_expect_open(fixture, &open, &fds);
	assert_int_equal(open.channel, 5);
	assert_int_equal(open.entries, 64);
	assert_int_equal(open.window_bytes, 8192);
	assert_int_equal(fixture->woken[5], 0);

	mediator_opened(fixture, &open, 0x40000);
	assert_channel(fixture, 5, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	assert_int_equal(channel64(fixture, 5, VGPU_CHANNEL_REGION), 0x40000);
	assert_int_equal(channel64(fixture, 5, VGPU_CHANNEL_REGION_BYTES),
			 vgpu_ring_window_offset(64) + 8192);
	assert_int_equal(guest_channel(fixture, 5, VGPU_CHANNEL_OPENS), 1);
	assert_int_equal(fixture->woken[5], 1);

	guest_control(fixture, 5, VGPU_CHANNEL_CLOSE);
	assert_channel(fixture, 5, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	assert_int_equal(channel64(fixture, 5, VGPU_CHANNEL_REGION), 0);
	assert_int_equal(channel64(fixture, 5, VGPU_CHANNEL_REGION_BYTES), 0);
	mediator_expect_close(fixture, &close_message);
	assert_int_equal(close_message.channel, 5);
	assert_int_equal(close_message.serial, open.serial);
	mediator_closed(fixture, 5, open.serial, VGPU_ERR_NONE);
	assert_channel(fixture, 5, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	assert_int_equal(fixture->woken[5], 2);
	/* What it was opened with stays for the next. */
	assert_int_equal(guest_channel(fixture, 5, VGPU_CHANNEL_RING_ENTRIES), 64);
	assert_int_equal(channel64(fixture, 5, VGPU_CHANNEL_WINDOW_BYTES), 8192);
	assert_true(mediator_has_nothing(fixture));
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
	close_fds(&fds);
}

/* Whoever kept an earlier life's eventfds can neither ring the next one nor hear it. */
static void each_life_has_its_own_eventfds_and_serial(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open first, second;
	struct vgpu_link_close close_message;
	struct eventfds old, new;

	link_up(fixture);
	channel_up(fixture, 0, 0, &first, &old);
	guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(0), 0);
	assert_int_equal(eventfd_take(old.doorbell), 1);
	guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
	mediator_expect_close(fixture, &close_message);
	mediator_closed(fixture, 0, first.serial, VGPU_ERR_NONE);
	channel_up(fixture, 0, 0, &second, &new);
	assert_int_not_equal(first.serial, second.serial);
	assert_int_equal(guest_channel(fixture, 0, VGPU_CHANNEL_OPENS), 2);
	guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(0), 0xffffffff);
	assert_int_equal(eventfd_take(new.doorbell), 1);
	assert_int_equal(eventfd_take(old.doorbell), 0);
	close_fds(&old);
	close_fds(&new);
}

static void a_completion_wakes_the_guest(void **state)
{
	const uint64_t three = 3;
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct eventfds fds;

	link_up(fixture);
	channel_up(fixture, 31, 0, &open, &fds);
	fixture->woken[31] = 0;
	/* A wake-up for nothing, which must not block either. */
	vgpu_core_completion(fixture->core, 31);
	assert_int_equal(fixture->woken[31], 0);
	assert_int_equal(write(fds.completion, &three, sizeof(three)), sizeof(three));
	vgpu_core_completion(fixture->core, 31);
	assert_int_equal(fixture->woken[31], 1);
	assert_int_equal(eventfd_take(fixture->hooked[31].completion), 0);
	/* Channels that are closed or do not exist. */
	vgpu_core_completion(fixture->core, 30);
	vgpu_core_completion(fixture->core, 32);
	vgpu_core_completion(fixture->core, UINT32_MAX);
	for (unsigned int n = 0; n < 31; n++)
		assert_int_equal(fixture->woken[n], 0);
	close_fds(&fds);
}

static void without_vectors_nobody_is_woken(void **state)
{
	const uint64_t one = 1;
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct eventfds fds;

	vgpu_core_free(&fixture->core);
	fixture_device(fixture, 5); /* the mailbox's, and channels 0 to 3 */
	link_up(fixture);
	channel_up(fixture, 3, 0, &open, &fds);
	assert_int_equal(fixture->woken[3], 1);
	close_fds(&fds);
	channel_up(fixture, 4, CHANNEL_REGION, &open, &fds);
	assert_int_equal(write(fds.completion, &one, sizeof(one)), sizeof(one));
	vgpu_core_completion(fixture->core, 4);
	assert_int_equal(fixture->woken[4], 0);
	close_fds(&fds);
}

static void impossible_sizes_fail_at_once(void **state)
{
	static const struct {
		uint32_t entries;
		uint64_t window_bytes;
		uint32_t error;
	} tries[] = {
		{ 0, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 1, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 8, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 17, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 8192, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 0x80000000, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 0xffffffff, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 16, 0, VGPU_ERR_INVALID_REQUEST },
		{ 16, 1, VGPU_ERR_INVALID_REQUEST },
		{ 16, 4095, VGPU_ERR_INVALID_REQUEST },
		{ 16, 4097, VGPU_ERR_INVALID_REQUEST },
		{ 16, UINT64_MAX, VGPU_ERR_INVALID_REQUEST },
		/* The rings need two pages of the 1 MiB. */
		{ 16, 0x100000 - 4096, VGPU_ERR_WINDOW_LIMIT },
		{ 16, 0x100000, VGPU_ERR_WINDOW_LIMIT },
		{ 16, UINT64_C(0x100000000), VGPU_ERR_WINDOW_LIMIT },
		{ 16, UINT64_MAX - 4095, VGPU_ERR_WINDOW_LIMIT },
		{ 4096, UINT64_MAX - 4095, VGPU_ERR_WINDOW_LIMIT },
	};
	struct fixture *fixture = *state;

	link_up(fixture);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		fixture->woken[2] = 0;
		guest_open(fixture, 2, tries[i].entries, tries[i].window_bytes);
		assert_channel(fixture, 2, VGPU_CHANNEL_STATE_FAILED, tries[i].error);
		assert_int_equal(fixture->woken[2], 1);
		assert_true(mediator_has_nothing(fixture));
		guest_control(fixture, 2, VGPU_CHANNEL_CLOSE);
		/* ERROR is the last open's until the next. */
		assert_channel(fixture, 2, VGPU_CHANNEL_STATE_CLOSED, tries[i].error);
	}
	assert_true(mediator_has_nothing(fixture));
}

static void the_limits_themselves_are_fine(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct eventfds fds;

	link_up(fixture);
	guest_open(fixture, 0, VGPU_RING_ENTRIES_MIN, 0x100000 - 2 * 4096);
	mediator_expect_open(fixture, &open, &fds);
	mediator_opened(fixture, &open, 0);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	close_fds(&fds);
	vgpu_core_reset(fixture->core);
	guest_open(fixture, 0, VGPU_RING_ENTRIES_MAX, 4096);
	mediator_expect(fixture, VGPU_MSG_RESET, &(union vgpu_link_message){ 0 });
	mediator_expect_open(fixture, &open, &fds);
	mediator_opened(fixture, &open, 0x100000 - (4096 + 4096 * 96 + 4096));
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	close_fds(&fds);
}

static void the_mediators_refusal_is_shown(void **state)
{
	static const uint32_t errors[] = { VGPU_ERR_UNAVAILABLE, VGPU_ERR_CHANNEL_LIMIT,
					   VGPU_ERR_WINDOW_LIMIT, VGPU_ERR_QUARANTINED,
					   VGPU_ERR_INVALID_POOL };
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct eventfds fds;

	link_up(fixture);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		guest_open(fixture, 1, 16, 4096);
		mediator_expect_open(fixture, &open, &fds);
		close_fds(&fds);
		mediator_open_failed(fixture, &open, errors[i]);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_FAILED, errors[i]);
		/* There is nothing to close at the mediator. */
		guest_control(fixture, 1, VGPU_CHANNEL_CLOSE);
		assert_channel(fixture, 1, VGPU_CHANNEL_STATE_CLOSED, errors[i]);
		assert_true(mediator_has_nothing(fixture));
	}
	assert_int_equal(guest_channel(fixture, 1, VGPU_CHANNEL_OPENS), 0);
	assert_int_equal(fixture->woken[1], 5);
	channel_up(fixture, 1, 0, &open, NULL);
}

static void a_broken_channel_fails(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open, other;

	link_up(fixture);
	channel_up(fixture, 7, 0, &open, NULL);
	channel_up(fixture, 8, CHANNEL_REGION, &other, NULL);
	mediator_closed(fixture, 7, open.serial, VGPU_ERR_CONTEXT_LOST);
	assert_channel(fixture, 7, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_CONTEXT_LOST);
	assert_channel(fixture, 8, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	assert_int_equal(fixture->woken[7], 2);
	guest_control(fixture, 7, VGPU_CHANNEL_CLOSE);
	assert_channel(fixture, 7, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_CONTEXT_LOST);
	assert_true(mediator_has_nothing(fixture));
	channel_up(fixture, 7, 0, &open, NULL);
	assert_int_equal(guest_channel(fixture, 7, VGPU_CHANNEL_OPENS), 2);
}

/* The owner may die while its channel opens: who comes next need not wait for the outcome. */
static void closing_what_is_opening(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct vgpu_link_close close_message;
	struct eventfds fds;

	link_up(fixture);
	guest_open(fixture, 0, 16, 4096);
	guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	mediator_expect_open(fixture, &open, &fds);
	mediator_expect_close(fixture, &close_message);
	assert_int_equal(open.serial, close_message.serial);
	/* The mediator had not read the CLOSE. */
	mediator_opened(fixture, &open, 0);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_CLOSING, VGPU_ERR_NONE);
	assert_int_equal(guest_channel(fixture, 0, VGPU_CHANNEL_OPENS), 0);
	mediator_closed(fixture, 0, open.serial, VGPU_ERR_NONE);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	close_fds(&fds);

	/* It could not open it: there is nothing to wait for, and a CLOSED is of an earlier life.
	 */
	guest_open(fixture, 0, 16, 4096);
	guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
	mediator_expect_open(fixture, &open, &fds);
	mediator_expect_close(fixture, &close_message);
	mediator_open_failed(fixture, &open, VGPU_ERR_CHANNEL_LIMIT);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	mediator_closed(fixture, 0, open.serial, VGPU_ERR_NONE);
	close_fds(&fds);

	/* It closes without an OPENED. */
	guest_open(fixture, 0, 16, 4096);
	guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
	mediator_expect_open(fixture, &open, &fds);
	mediator_expect_close(fixture, &close_message);
	mediator_closed(fixture, 0, open.serial, VGPU_ERR_NONE);
	assert_channel(fixture, 0, VGPU_CHANNEL_STATE_CLOSED, VGPU_ERR_NONE);
	close_fds(&fds);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

/* Brings channel 0 into a state, from a link that is down. */
static void bring(struct fixture *fixture, uint32_t state, struct vgpu_link_open *open)
{
	struct eventfds fds;

	if (state == VGPU_CHANNEL_STATE_OPEN || state == VGPU_CHANNEL_STATE_CLOSING)
		channel_up(fixture, 0, 0, open, NULL);
	if (state == VGPU_CHANNEL_STATE_OPENING || state == VGPU_CHANNEL_STATE_FAILED) {
		guest_open(fixture, 0, CHANNEL_ENTRIES, CHANNEL_WINDOW);
		mediator_expect_open(fixture, open, &fds);
		close_fds(&fds);
	}
	if (state == VGPU_CHANNEL_STATE_FAILED)
		mediator_open_failed(fixture, open, VGPU_ERR_CHANNEL_LIMIT);
	if (state == VGPU_CHANNEL_STATE_CLOSING) {
		struct vgpu_link_close message;

		guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
		mediator_expect_close(fixture, &message);
	}
	assert_int_equal(guest_channel(fixture, 0, VGPU_CHANNEL_STATE), state);
}

/* Everything that a state ignores leaves the whole block as it was, and says nothing to anyone. */
static void illegal_writes_are_ignored(void **opaque)
{
	static const uint32_t controls[] = { 0, 3, 0x80000001, 0xffffffff };
	struct fixture *fixture = *opaque;
	uint32_t before[16];
	struct vgpu_link_open open;

	link_up(fixture);
	for (uint32_t state = VGPU_CHANNEL_STATE_CLOSED; state <= VGPU_CHANNEL_STATE_CLOSING;
	     state++) {
		const uint32_t block = VGPU_REG_CHANNEL_BLOCK(0);

		bring(fixture, state, &open);
		for (uint32_t at = 0; at < 0x40; at += 4)
			before[at / 4] = guest_read(fixture, block + at);
		for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
			guest_control(fixture, 0, controls[i]);
		if (state != VGPU_CHANNEL_STATE_CLOSED)
			guest_control(fixture, 0, VGPU_CHANNEL_OPEN);
		if (state == VGPU_CHANNEL_STATE_CLOSED || state == VGPU_CHANNEL_STATE_CLOSING)
			guest_control(fixture, 0, VGPU_CHANNEL_CLOSE);
		/* Read-only, unassigned, and what only a closed channel takes. */
		for (uint32_t at = 4; at < 0x30; at += 4)
			if (state != VGPU_CHANNEL_STATE_CLOSED || at < 0x10 || at >= 0x20)
				guest_write(fixture, block + at, 0xa5a5a5a5);
		guest_write(fixture, block + 0x34, 0xa5a5a5a5);
		/* Other sizes and alignments of what it would take. */
		for (unsigned int size = 1; size <= 8; size++)
			for (uint32_t at = 0; at < 0x40; at++)
				if (size != 4 || at % 4 != 0)
					vgpu_core_write(fixture->core, block + at,
							UINT64_C(0x0000000200000002), size);
		if (state != VGPU_CHANNEL_STATE_OPEN)
			guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(0), 1);
		for (uint32_t at = 0; at < 0x40; at += 4)
			if (guest_read(fixture, block + at) != before[at / 4])
				fail_msg("state %u: offset 0x%x changed", state, at);
		assert_true(mediator_has_nothing(fixture));

		/* The owner's words can always be written. */
		for (uint32_t at = VGPU_CHANNEL_OWNER; at < 0x40; at += 4) {
			guest_write(fixture, block + at, 0x5a5a5a5a);
			assert_int_equal(guest_read(fixture, block + at),
					 at == 0x34 ? 0 : 0x5a5a5a5a);
		}
		vgpu_core_reset(fixture->core);
		mediator_expect(fixture, VGPU_MSG_RESET, &(union vgpu_link_message){ 0 });
	}
}

static void a_doorbell_before_open_rings_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct eventfds fds;

	link_up(fixture);
	guest_open(fixture, 0, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	mediator_expect_open(fixture, &open, &fds);
	guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(0), 1);
	mediator_opened(fixture, &open, 0);
	assert_int_equal(eventfd_take(fds.doorbell), 0);
	guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(0), 1);
	assert_int_equal(eventfd_take(fds.doorbell), 1);
	close_fds(&fds);
}

static void doorbells_ring_their_own_channel_only(void **state)
{
	struct fixture *fixture = *state;
	struct eventfds fds[VGPU_CHANNELS_MAX];
	struct vgpu_link_open open;

	link_up(fixture);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		channel_up(fixture, n, n * CHANNEL_REGION, &open, &fds[n]);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		for (unsigned int i = 0; i <= n; i++)
			guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(n), i);
		assert_int_equal(guest_read(fixture, VGPU_REG_CHANNEL_DOORBELL(n)), 0);
	}
	/* What is not a doorbell: beyond the last, and other sizes. */
	for (uint64_t offset = VGPU_REG_CHANNEL_END; offset < VGPU_BAR0_SIZE; offset += 4)
		guest_write(fixture, offset, 1);
	for (uint64_t offset = 0x1800; offset < 0x2000; offset += 4)
		guest_write(fixture, offset, 1);
	for (uint64_t offset = 0x2000; offset < 0x2080; offset++)
		for (unsigned int size = 1; size <= 8; size++)
			if (size != 4 || offset % 4 != 0)
				vgpu_core_write(fixture->core, offset, 1, size);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		assert_int_equal(eventfd_take(fds[n].doorbell), n + 1);
		close_fds(&fds[n]);
	}
}

/* A worker that never reads its doorbell, or fills it, holds nobody up. */
static void a_full_doorbell_does_not_block(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct eventfds fds;

	link_up(fixture);
	channel_up(fixture, 0, 0, &open, &fds);
	assert_int_equal(write(fds.doorbell, &full, sizeof(full)), sizeof(full));
	guest_write(fixture, VGPU_REG_CHANNEL_DOORBELL(0), 1);
	assert_int_equal(eventfd_take(fds.doorbell), full);
	close_fds(&fds);
}

/*
 * A worker shares the eventfd's description, so it can clear O_NONBLOCK, and it can empty the
 * counter between the embedder's look and the device's.
 */
static void a_worker_cannot_make_a_completion_block(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_open open;
	struct eventfds fds;

	link_up(fixture);
	channel_up(fixture, 0, 0, &open, &fds);
	fixture->woken[0] = 0;
	assert_int_equal(fcntl(fds.completion, F_SETFL, 0), 0);
	alarm(60); /* ends the test, should it block */
	vgpu_core_completion(fixture->core, 0);
	alarm(0);
	assert_int_equal(fixture->woken[0], 0);
	close_fds(&fds);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opens_and_closes),
		TEST(each_life_has_its_own_eventfds_and_serial),
		TEST(a_completion_wakes_the_guest),
		TEST(without_vectors_nobody_is_woken),
		TEST(impossible_sizes_fail_at_once),
		TEST(the_limits_themselves_are_fine),
		TEST(the_mediators_refusal_is_shown),
		TEST(a_broken_channel_fails),
		TEST(closing_what_is_opening),
		TEST(illegal_writes_are_ignored),
		TEST(a_doorbell_before_open_rings_nothing),
		TEST(doorbells_ring_their_own_channel_only),
		TEST(a_full_doorbell_does_not_block),
		TEST(a_worker_cannot_make_a_completion_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
