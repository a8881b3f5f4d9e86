/* SPDX-License-Identifier: Apache-2.0 */
/* Rings take their submissions out of the bucket of their tenant's mailbox, in batches. */
#include "tests/mediatord/sched-check.h"

#define MS VGPU_NS_PER_MS

static struct sched *limited(uint32_t rate, uint32_t burst)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = new_sched();

	config.requests_per_second = rate;
	config.burst = burst;
	sched_gpu_add(sched, 0, 0);
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	for (uint32_t channel = 1; channel <= 3; channel++)
		add_channel(sched, channel, 1);
	return sched;
}

static void set_rate(struct sched *sched, uint32_t rate, uint32_t burst, int64_t now)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);

	config.requests_per_second = rate;
	config.burst = burst;
	assert_int_equal(sched_tenant_set(sched, 1, &config, now), 0);
}

static uint64_t expect_tokens(struct sched *sched, uint32_t channel, int64_t now)
{
	return expect(sched, SCHED_TOKENS, channel, now).tokens;
}

static void without_a_rate_there_is_no_limit(void **state)
{
	struct sched *sched = limited(0, 5);

	(void)state;
	sched_want_tokens(sched, 1, 0, 0);
	assert_true(expect_tokens(sched, 1, 0) == SCHED_TOKENS_NO_LIMIT);
	expect_nothing(sched, 0);
	assert_int_equal(sched_deadline(sched), -1);
	sched_want_tokens(sched, 99, 0, 0);
	expect_nothing(sched, 0);
	sched_free(&sched);
}

static void a_batch_is_what_the_rate_earns_in_10_ms(void **state)
{
	struct sched *sched = limited(1000, 10);

	(void)state;
	sched_want_tokens(sched, 1, 0, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), 10);
	sched_want_tokens(sched, 1, 10, 0);
	expect_nothing(sched, 10 * MS - 1);
	assert_int_equal(sched_deadline(sched), 10 * MS);
	assert_int_equal(expect_tokens(sched, 1, 10 * MS), 20);
	expect_nothing(sched, 10 * MS);
	/* A slow rate gives one by one. */
	sched_free(&sched);
	sched = limited(4, 1);
	sched_want_tokens(sched, 1, 0, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), 1);
	sched_want_tokens(sched, 1, 1, 0);
	assert_int_equal(sched_deadline(sched), 250 * MS);
	assert_int_equal(expect_tokens(sched, 1, 250 * MS), 2);
	sched_free(&sched);
}

static void rings_and_mailbox_share_one_bucket(void **state)
{
	struct sched *sched = limited(100, 4);

	(void)state;
	submit(sched, 3, 1, 0);
	expect_run(sched, 1, 0);
	sched_want_tokens(sched, 1, 0, 0);
	sched_want_tokens(sched, 2, 0, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), 1);
	assert_int_equal(expect_tokens(sched, 2, 0), 1);
	submit(sched, 3, 2, 0);
	assert_int_equal(sched_submit(sched, 3, 3, 0), SCHED_RATE_LIMITED);
	/* Who asked first is first; the mailbox may come between. */
	sched_want_tokens(sched, 2, 1, 0);
	sched_want_tokens(sched, 1, 1, 0);
	submit(sched, 3, 3, 10 * MS);
	expect_nothing(sched, 10 * MS);
	assert_int_equal(expect_tokens(sched, 2, 20 * MS), 2);
	expect_nothing(sched, 20 * MS);
	assert_int_equal(expect_tokens(sched, 1, 30 * MS), 2);
	sched_free(&sched);
}

/* Rings that never stop, at a rate that does not divide 10^9: exactly the burst and rate * time. */
static void exact_over_time(void **state)
{
	struct sched *sched = limited(30011, 500);
	uint64_t tokens[4] = { 0 }, sum = 0;
	struct sched_decision decision;
	int64_t now = 0;
	unsigned int decisions = 0;

	(void)state;
	for (uint32_t channel = 1; channel <= 3; channel++)
		sched_want_tokens(sched, channel, 0, 0);
	while (now < 100 * VGPU_NS_PER_SECOND) {
		while (sched_next(sched, now, &decision)) {
			assert_int_equal(decision.kind, SCHED_TOKENS);
			tokens[decision.channel] = decision.tokens;
			sched_want_tokens(sched, decision.channel, decision.tokens, now);
			decisions++;
		}
		sum = tokens[1] + tokens[2] + tokens[3];
		assert_true(sum <= 500 + (uint64_t)(now / 1000) * 30011 / 1000000 + 1);
		now = sched_deadline(sched);
	}
	assert_true(sum >= 500 + 100 * UINT64_C(30011) - 301);
	/* They share alike. */
	assert_in_range(tokens[1], sum / 3 - 600, sum / 3 + 600);
	assert_in_range(tokens[2], sum / 3 - 600, sum / 3 + 600);
	assert_true(decisions < 100 * 110);
	sched_free(&sched);
}

static void a_change_of_rate_takes_back_what_is_left(void **state)
{
	struct sched *sched = limited(1000, 1000);

	(void)state;
	sched_want_tokens(sched, 1, 0, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), 500);
	set_rate(sched, 10, 2, 0);
	sched_want_tokens(sched, 1, 100, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), 101);
	/* To no limit, and back: the burst is all that it may have then. */
	set_rate(sched, 0, 0, 0);
	sched_want_tokens(sched, 1, 100, 0);
	assert_true(expect_tokens(sched, 1, 0) == SCHED_TOKENS_NO_LIMIT);
	set_rate(sched, 10, 1, 0);
	sched_want_tokens(sched, 1, 5000, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), 5001);
	sched_free(&sched);
}

static void what_was_taken_beyond_is_a_debt(void **state)
{
	struct sched *sched = limited(100, 2);

	(void)state;
	sched_want_tokens(sched, 1, 0, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), 1);
	sched_want_tokens(sched, 1, 3, 0);		 /* two more: one was left in the bucket */
	assert_int_equal(expect_tokens(sched, 1, 0), 3); /* as many as it took */
	assert_int_equal(sched_deadline(sched), 20 * MS);
	assert_int_equal(expect_tokens(sched, 1, 20 * MS), 4);
	/* A counter that goes back, and one that cannot be: bounded by one bucket. */
	sched_want_tokens(sched, 1, 0, 20 * MS);
	expect_nothing(sched, 20 * MS);
	sched_want_tokens(sched, 1, UINT64_MAX, 40 * MS);
	assert_int_equal(expect_tokens(sched, 1, 40 * MS), INT64_MAX);
	assert_int_equal(sched_deadline(sched), 70 * MS);
	sched_want_tokens(sched, 1, UINT64_MAX, 70 * MS);
	assert_true(expect_tokens(sched, 1, 70 * MS) > INT64_MAX);
	sched_free(&sched);
}

static void a_channel_that_goes_waits_no_more(void **state)
{
	struct sched *sched = limited(100, 1);

	(void)state;
	for (uint32_t channel = 1; channel <= 3; channel++)
		sched_want_tokens(sched, channel, 0, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), 1);
	sched_channel_remove(sched, 2, 0);
	expect_nothing(sched, 0);
	assert_int_equal(expect_tokens(sched, 3, 10 * MS), 1);
	sched_want_tokens(sched, 1, 1, 10 * MS);
	sched_tenant_remove(sched, 1, 10 * MS);
	assert_int_equal(sched_deadline(sched), -1);
	expect_nothing(sched, VGPU_NS_PER_SECOND);
	sched_free(&sched);
}

static void the_largest_values_do_not_overflow(void **state)
{
	struct sched *sched = limited(UINT32_MAX, UINT32_MAX);

	(void)state;
	sched_want_tokens(sched, 1, 0, 0);
	assert_int_equal(expect_tokens(sched, 1, 0), UINT32_MAX / 2);
	sched_want_tokens(sched, 1, UINT64_MAX, INT64_MAX - 1);
	sched_want_tokens(sched, 2, 1, INT64_MAX - 1);
	set_rate(sched, 1, UINT32_MAX, INT64_MAX - 1);
	sched_want_tokens(sched, 1, UINT64_MAX, INT64_MAX - 1);
	expect(sched, SCHED_TOKENS, 1, INT64_MAX - 1);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_rate_there_is_no_limit),
		cmocka_unit_test(a_batch_is_what_the_rate_earns_in_10_ms),
		cmocka_unit_test(rings_and_mailbox_share_one_bucket),
		cmocka_unit_test(exact_over_time),
		cmocka_unit_test(a_change_of_rate_takes_back_what_is_left),
		cmocka_unit_test(what_was_taken_beyond_is_a_debt),
		cmocka_unit_test(a_channel_that_goes_waits_no_more),
		cmocka_unit_test(the_largest_values_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
