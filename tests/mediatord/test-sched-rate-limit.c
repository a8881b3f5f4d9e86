/* SPDX-License-Identifier: Apache-2.0 */
/* requests_per_second and burst are a token bucket that is exact over any length of time. */
#include "tests/mediatord/sched-check.h"

/* Submits as often as it can at this moment; returns how many were admitted, at most `most`. */
static unsigned int flood(struct sched *sched, int64_t now, unsigned int most)
{
	static uint64_t job;
	unsigned int admitted = 0;

	while (admitted < most) {
		struct sched_decision decision;
		enum sched_answer answer = sched_submit(sched, 1, job, now);

		if (answer == SCHED_RATE_LIMITED)
			break;
		assert_int_equal(answer, SCHED_ADMITTED);
		assert_true(sched_next(sched, now, &decision));
		sched_complete(sched, job++, 0, now);
		admitted++;
	}
	return admitted;
}

static struct sched *limited(uint32_t rate, uint32_t burst, int64_t now)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = new_sched();

	config.requests_per_second = rate;
	config.burst = burst;
	sched_gpu_add(sched, 0, 0);
	assert_int_equal(sched_tenant_set(sched, 1, &config, now), 0);
	add_channel(sched, 1, 1);
	return sched;
}

static void the_burst_then_the_rate(void **state)
{
	struct sched *sched = limited(10, 4, 1000);

	(void)state;
	assert_int_equal(flood(sched, 1000, 100), 4);
	assert_int_equal(flood(sched, 1000 + 100 * VGPU_NS_PER_MS - 1, 100), 0);
	assert_int_equal(flood(sched, 1000 + 100 * VGPU_NS_PER_MS, 100), 1);
	assert_int_equal(flood(sched, 1000 + 350 * VGPU_NS_PER_MS, 100), 2);
	assert_int_equal(flood(sched, 1000 + 400 * VGPU_NS_PER_MS, 100), 1);
	/* An hour of rest earns one burst, not an hour of requests. */
	assert_int_equal(flood(sched, 3600 * VGPU_NS_PER_SECOND, 100), 4);
	assert_int_equal(stats_of(sched, 1).refused_rate_limited, 6);
	sched_free(&sched);
}

static void without_a_burst_one_seconds_worth(void **state)
{
	struct sched *sched = limited(7, 0, 0);

	(void)state;
	assert_int_equal(flood(sched, 0, 100), 7);
	sched_free(&sched);
}

static void no_rate_no_limit(void **state)
{
	struct sched *sched = limited(0, 1, 0);

	(void)state;
	assert_int_equal(flood(sched, 0, 1000), 1000);
	sched_free(&sched);
}

/* Rates that do not divide 10^9, asked at awkward moments: exactly rate * time, plus the burst. */
static void no_drift(void **state)
{
	static const uint32_t rates[] = { 3, 7, 333, 997, 30011 };
	const int64_t step = 1234567; /* ns */
	const int64_t seconds = getenv("VGPU_TEST_SLOW") ? 5 : 100;
	const int64_t end = seconds * VGPU_NS_PER_SECOND;

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct sched *sched = limited(rates[i], 1000, 0);
		uint64_t admitted = 0;

		for (int64_t now = 0; now < end; now += step)
			admitted += flood(sched, now, 100000);
		admitted += flood(sched, end, 100000);
		assert_int_equal(admitted, 1000 + (uint64_t)seconds * rates[i]);
		sched_free(&sched);
	}
}

static void the_largest_values_do_not_overflow(void **state)
{
	struct sched *sched = limited(UINT32_MAX, UINT32_MAX, 0);

	(void)state;
	assert_int_equal(flood(sched, 0, 1000), 1000);
	assert_int_equal(flood(sched, INT64_MAX, 1000), 1000);
	sched_free(&sched);
	sched = limited(1, UINT32_MAX, 0);
	assert_int_equal(flood(sched, INT64_MAX, 1000), 1000);
	sched_free(&sched);
	/* A clock that goes back earns nothing and breaks nothing. */
	sched = limited(1, 1, 5 * VGPU_NS_PER_SECOND);
	assert_int_equal(flood(sched, 5 * VGPU_NS_PER_SECOND, 10), 1);
	assert_int_equal(flood(sched, 0, 10), 0);
	assert_int_equal(flood(sched, 6 * VGPU_NS_PER_SECOND, 10), 1);
	sched_free(&sched);
}

static void a_full_queue_costs_no_token(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = new_sched();

	(void)state;
	config.requests_per_second = 1;
	config.burst = 2;
	config.queue_depth = 1;
	sched_gpu_add(sched, 0, 0);
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	add_channel(sched, 1, 1);
	submit(sched, 1, 1, 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(sched_submit(sched, 1, 100, 0), SCHED_QUEUE_FULL);
	expect_run(sched, 1, 0);
	sched_complete(sched, 1, 0, 0);
	submit(sched, 1, 2, 0);
	expect_run(sched, 2, 0);
	sched_complete(sched, 2, 0, 0);
	assert_int_equal(sched_submit(sched, 1, 3, 0), SCHED_RATE_LIMITED);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_burst_then_the_rate),
		cmocka_unit_test(without_a_burst_one_seconds_worth),
		cmocka_unit_test(no_rate_no_limit),
		cmocka_unit_test(no_drift),
		cmocka_unit_test(the_largest_values_do_not_overflow),
		cmocka_unit_test(a_full_queue_costs_no_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
