/* SPDX-License-Identifier: Apache-2.0 */
/* When the service resyncs: by the timer, by events, and after failures, each with its chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cloudstack-plugin/plan.h"

#define INTERVAL_S 300
#define LEAST	   0
#define MOST	   UINT32_MAX

/* One that ended well at 1,000,000 ms. */
static struct plan a_plan(void)
{
	struct plan plan;

	plan_begin(&plan, INTERVAL_S, 0, LEAST);
	plan_succeeded(&plan, 1000000, MOST);
	return plan;
}

static void hosts_that_start_together_do_not_ask_together(void **state)
{
	struct plan plan;

	(void)state;
	plan_begin(&plan, INTERVAL_S, 500, LEAST);
	assert_int_equal(plan.next_ms, 500);
	plan_begin(&plan, INTERVAL_S, 500, MOST);
	assert_int_equal(plan.next_ms, 500 + 30000);
}

static void the_interval_has_a_tenth_of_chance_on_either_side(void **state)
{
	struct plan plan = a_plan();

	(void)state;
	plan_succeeded(&plan, 7, LEAST);
	assert_int_equal(plan.next_ms, 7 + 270000);
	plan_succeeded(&plan, 7, MOST);
	assert_int_equal(plan.next_ms, 7 + 330000);
	plan_succeeded(&plan, 7, MOST / 2);
	assert_in_range(plan.next_ms, 7 + 299990, 7 + 300000);
	/* The longest one that there is does not overflow. */
	plan_interval(&plan, 86400);
	plan_succeeded(&plan, 0, MOST);
	assert_int_equal(plan.next_ms, INT64_C(86400000) + 8640000);
}

static void an_event_is_looked_at_soon(void **state)
{
	struct plan plan = a_plan();

	(void)state;
	plan_wake(&plan, 1100000, LEAST);
	assert_int_equal(plan.next_ms, 1100000);
	plan = a_plan();
	plan_wake(&plan, 1100000, MOST);
	assert_int_equal(plan.next_ms, 1110000);
	/* Just after a resync not before its pause is over. */
	plan = a_plan();
	plan_wake(&plan, 1000001, LEAST);
	assert_int_equal(plan.next_ms, 1010000);
	/* Never later than the timer. */
	plan = a_plan();
	plan_wake(&plan, plan.next_ms - 1, MOST);
	assert_int_equal(plan.next_ms, 1330000);
}

static void a_flood_of_events_is_one_resync_a_pause(void **state)
{
	struct plan plan = a_plan();
	unsigned int resyncs = 0;

	(void)state;
	/* The first one's chance stays: not the least of a thousand. */
	plan_wake(&plan, 1000000, MOST);
	for (int i = 0; i < 1000; i++)
		plan_wake(&plan, 1000000, LEAST);
	assert_int_equal(plan.next_ms, 1020000);
	/* An event each millisecond, for as long as an interval, and resyncs that take no time. */
	for (int64_t now = 1000000; now < 1300000; now++) {
		plan_wake(&plan, now, LEAST);
		if (now < plan.next_ms)
			continue;
		plan_succeeded(&plan, now, MOST);
		resyncs++;
	}
	assert_in_range(resyncs, 25, 30);
}

static void failures_are_tried_again_later_and_later(void **state)
{
	static const int64_t seconds[] = { 10, 20, 40, 80, 160, 320, 320, 320 };
	struct plan plan = a_plan();

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		assert_int_equal(plan_failed(&plan, 0, 50, LEAST), seconds[i] * 1000);
		assert_int_equal(plan.next_ms, 50 + seconds[i] * 1000);
		/* No event brings that forward. */
		plan_wake(&plan, 51, LEAST);
		assert_int_equal(plan.next_ms, 50 + seconds[i] * 1000);
	}
	assert_int_equal(plan_failed(&plan, 0, 0, MOST), 352000);
	/* Somebody who asks for it does; and what ends well is forgotten. */
	plan_at_once(&plan, 60);
	assert_int_equal(plan.next_ms, 60);
	plan_succeeded(&plan, 60, LEAST);
	plan_wake(&plan, 100000, LEAST);
	assert_int_equal(plan.next_ms, 100000);
	assert_int_equal(plan_failed(&plan, 0, 0, LEAST), 10000);
}

static void retry_after_is_waited_for(void **state)
{
	struct plan plan = a_plan();

	(void)state;
	assert_int_equal(plan_failed(&plan, 60, 0, LEAST), 60000);
	assert_int_equal(plan_failed(&plan, 60, 0, MOST), 66000);
	/* Not where more is waited for anyway. */
	assert_int_equal(plan_failed(&plan, 39, 0, LEAST), 40000);
	assert_int_equal(plan_failed(&plan, 3600, 0, LEAST), 3600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_that_start_together_do_not_ask_together),
		cmocka_unit_test(the_interval_has_a_tenth_of_chance_on_either_side),
		cmocka_unit_test(an_event_is_looked_at_soon),
		cmocka_unit_test(a_flood_of_events_is_one_resync_a_pause),
		cmocka_unit_test(failures_are_tried_again_later_and_later),
		cmocka_unit_test(retry_after_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
