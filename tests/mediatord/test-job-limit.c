/* SPDX-License-Identifier: Apache-2.0 */
/* A ring's job is found too long within a tick of its limit, by looks that are few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediatord/job_limit.h"

#define LIMITS 9
static const int64_t limits_ms[LIMITS] = { 1, 6, 7, 50, 99, 500, 800, 10000, 86400000 };

/* When a job is ended that begins then, by looks of which the first is at from_ns. */
static int64_t ended_at(int64_t from_ns, int64_t start_ns, int64_t limit_ns)
{
	int64_t now = from_ns;

	for (;;) {
		int64_t since = now >= start_ns ? start_ns : 0;
		int64_t next;

		if (job_limit_reached(since, limit_ns, now))
			return now;
		next = job_limit_look(since, limit_ns, now);
		assert_true(next > now);
		now = next;
	}
}

static void a_job_is_ended_within_a_tick_of_its_limit(void **state)
{
	(void)state;
	for (int i = 0; i < LIMITS; i++) {
		int64_t limit = limits_ms[i] * VGPU_NS_PER_MS;

		for (int64_t from = 1; from < JOB_LIMIT_LOOK_NS; from += 57777777)
			for (int64_t start = from; start < from + 2 * JOB_LIMIT_LOOK_NS;
			     start += 133333333)
				assert_in_range(ended_at(from, start, limit), start + limit,
						start + limit + JOB_LIMIT_TICK_NS);
	}
}

/* Whoever looks late, as on a busy host, sees at once that it has to be ended. */
static void a_late_look_ends_it(void **state)
{
	(void)state;
	assert_true(job_limit_reached(100, 50, 150));
	assert_true(job_limit_reached(100, 50, 9999));
	assert_false(job_limit_reached(100, 50, 149));
	assert_false(job_limit_reached(0, 50, 9999));
}

static void those_with_nothing_to_do_are_looked_at_together(void **state)
{
	const int64_t second = VGPU_NS_PER_SECOND;

	(void)state;
	/* Whenever the last look was, and however much longer than that the limits are. */
	for (int i = 6; i < LIMITS; i++)
		for (int64_t now = 8 * second; now < 8 * second + JOB_LIMIT_LOOK_NS; now += 1234567)
			assert_int_equal(job_limit_look(0, limits_ms[i] * VGPU_NS_PER_MS, now),
					 8 * second + JOB_LIMIT_LOOK_NS);
	/* A limit of a fraction of that: as many looks, all at the same times as others'. */
	assert_int_equal(job_limit_look(0, 500 * VGPU_NS_PER_MS, 8 * second),
			 8 * second + JOB_LIMIT_LOOK_NS / 2);
	assert_int_equal(job_limit_look(0, 1, 8 * second), 8 * second + JOB_LIMIT_TICK_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_ended_within_a_tick_of_its_limit),
		cmocka_unit_test(a_late_look_ends_it),
		cmocka_unit_test(those_with_nothing_to_do_are_looked_at_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
