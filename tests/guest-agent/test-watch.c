/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon decides about a channel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest-agent/agent/watch.h"

#define OWNER 1234u
#define START UINT64_C(0x100000005)

static const uint32_t not_closed[] = {
	VGPU_CHANNEL_STATE_OPENING,
	VGPU_CHANNEL_STATE_OPEN,
	VGPU_CHANNEL_STATE_FAILED,
	VGPU_CHANNEL_STATE_CLOSING,
};

#define NOT_CLOSED (sizeof(not_closed) / sizeof(not_closed[0]))

static enum watch_action decide(enum watch_fate fate, uint32_t state)
{
	const struct watch watch = { .owner = OWNER, .owner_start = START, .fate = fate };
	const struct owner_sight sight = { .state = state, .owner = OWNER, .owner_start = START };

	return watch_decide(&watch, &sight);
}

static enum watch_action decide_claimed(uint32_t state)
{
	const struct watch watch = {
		.owner = OWNER, .owner_start = START, .fate = WATCH_ENDED, .claimed = true
	};
	const struct owner_sight sight = { .state = state, .owner = OWNER, .owner_start = START };

	return watch_decide(&watch, &sight);
}

static void a_closed_channel_is_nobodys_business(void **state)
{
	const struct watch nothing = { 0 };
	const struct owner_sight closed = { 0 };

	(void)state;
	assert_int_equal(watch_decide(&nothing, &closed), WATCH_REST);
}

static void a_new_owner_is_looked_up(void **state)
{
	const struct watch nothing = { 0 };

	(void)state;
	for (size_t i = 0; i < NOT_CLOSED; i++) {
		const struct owner_sight sight = { not_closed[i], OWNER, START };
		const struct owner_sight unsaid = { not_closed[i], 0, 0 };

		assert_int_equal(watch_decide(&nothing, &sight), WATCH_LOOK_UP);
		assert_int_equal(watch_decide(&nothing, &unsaid), WATCH_LOOK_UP);
	}
}

/* Running and stopped processes are the same here. */
static void what_a_living_process_has_is_left_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < NOT_CLOSED; i++)
		assert_int_equal(decide(WATCH_LIVES, not_closed[i]), WATCH_REST);
}

static void the_lock_decides_once_the_owner_ended(void **state)
{
	(void)state;
	for (size_t i = 0; i < NOT_CLOSED; i++)
		assert_int_equal(decide(WATCH_ENDED, not_closed[i]), WATCH_CLAIM);
}

static void the_lock_decides_about_an_owner_that_cannot_be_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < NOT_CLOSED; i++)
		assert_int_equal(decide(WATCH_STRANGER, not_closed[i]), WATCH_CLAIM);
}

static void an_owner_is_forgotten_with_its_channel(void **state)
{
	(void)state;
	assert_int_equal(decide(WATCH_LIVES, VGPU_CHANNEL_STATE_CLOSED), WATCH_FORGET);
	assert_int_equal(decide(WATCH_ENDED, VGPU_CHANNEL_STATE_CLOSED), WATCH_FORGET);
	assert_int_equal(decide(WATCH_STRANGER, VGPU_CHANNEL_STATE_CLOSED), WATCH_FORGET);
}

/* Closed and opened again between two looks; the second has the first's pid, or its start time. */
static void another_owner_is_looked_up_again(void **state)
{
	static const enum watch_fate fates[] = { WATCH_LIVES, WATCH_ENDED, WATCH_STRANGER };

	(void)state;
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		const struct watch watch = { OWNER, START, fates[i], false };
		const struct owner_sight pid = { VGPU_CHANNEL_STATE_OPEN, OWNER + 1, START };
		const struct owner_sight start = { VGPU_CHANNEL_STATE_OPEN, OWNER, START + 1 };
		const struct owner_sight high = { VGPU_CHANNEL_STATE_OPEN, OWNER,
						  START ^ UINT64_C(1) << 32 };

		assert_int_equal(watch_decide(&watch, &pid), WATCH_LOOK_UP);
		assert_int_equal(watch_decide(&watch, &start), WATCH_LOOK_UP);
		assert_int_equal(watch_decide(&watch, &high), WATCH_LOOK_UP);
	}
}

static void a_claimed_channel_is_closed_whatever_it_was(void **state)
{
	(void)state;
	assert_int_equal(decide_claimed(VGPU_CHANNEL_STATE_OPENING), WATCH_CLOSE);
	assert_int_equal(decide_claimed(VGPU_CHANNEL_STATE_OPEN), WATCH_CLOSE);
	assert_int_equal(decide_claimed(VGPU_CHANNEL_STATE_FAILED), WATCH_CLOSE);
}

static void a_claim_lasts_until_the_device_has_closed_the_channel(void **state)
{
	(void)state;
	assert_int_equal(decide_claimed(VGPU_CHANNEL_STATE_CLOSING), WATCH_WAIT);
	assert_int_equal(decide_claimed(VGPU_CHANNEL_STATE_CLOSED), WATCH_RELEASE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_channel_is_nobodys_business),
		cmocka_unit_test(a_new_owner_is_looked_up),
		cmocka_unit_test(what_a_living_process_has_is_left_alone),
		cmocka_unit_test(the_lock_decides_once_the_owner_ended),
		cmocka_unit_test(the_lock_decides_about_an_owner_that_cannot_be_seen),
		cmocka_unit_test(an_owner_is_forgotten_with_its_channel),
		cmocka_unit_test(another_owner_is_looked_up_again),
		cmocka_unit_test(a_claimed_channel_is_closed_whatever_it_was),
		cmocka_unit_test(a_claim_lasts_until_the_device_has_closed_the_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
