/* SPDX-License-Identifier: Apache-2.0 */
/* How far ahead work may be started: what is learned of it, and what the bounds then allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mediatord/worker/inflight.h"

#define US  UINT64_C(1000)
#define MS  (1000 * US)
#define MIB (UINT64_C(1) << 20)

static struct inflight inflight;
static int64_t now;

static int begin(void **state)
{
	(void)state;
	inflight_init(&inflight);
	now = 1;
	return 0;
}

static struct inflight_work launch(uint32_t function, uint64_t threads)
{
	return (struct inflight_work){ .kind = INFLIGHT_LAUNCH,
				       .function = function,
				       .threads = threads };
}

static struct inflight_work copy(uint64_t bytes)
{
	return (struct inflight_work){ .kind = INFLIGHT_HTOD, .bytes = bytes };
}

/* Starts as many as the bounds allow, up to `most`; returns how many. */
static unsigned int fill(struct inflight_work work, uint64_t bound_ns, uint32_t depth,
			 unsigned int most)
{
	unsigned int count = 0;

	while (count < most && inflight_admits(&inflight, &work, bound_ns, depth, now)) {
		inflight_add(&inflight, &work, now);
		count++;
	}
	return count;
}

static void finish_after(uint64_t ns)
{
	now += (int64_t)ns;
	inflight_idle(&inflight, now);
}

/* Batches of work that takes ns each, until the estimate is as good as it gets. */
static void teach(struct inflight_work work, uint64_t ns, int rounds)
{
	for (int i = 0; i < rounds; i++)
		finish_after(ns * fill(work, MS, 0, INFLIGHT_MAX));
}

static void what_nobody_knows_runs_alone(void **state)
{
	(void)state;
	assert_int_equal(fill(launch(1, 32), MS, 0, 10), 1);
	/* Nor does anything join it, known or not. */
	assert_int_equal(fill(copy(1), MS, 0, 10), 0);
	finish_after(100 * US);
	assert_int_equal(fill(launch(2, 32), MS, 0, 10), 1);
	finish_after(100 * US);
	/* And it joins nothing. */
	assert_int_equal(fill(copy(1), MS, 0, 1), 1);
	assert_int_equal(fill(launch(3, 32), MS, 0, 10), 0);
	/* Nothing is unknown where there is no bound. */
	assert_int_equal(fill(launch(3, 32), 0, 0, 10), 10);
}

static void what_is_known_fills_the_bound(void **state)
{
	(void)state;
	teach(launch(1, 32), 100 * US, 3);
	assert_in_range(fill(launch(1, 32), MS, 0, 100), 9, 10);
	finish_after(MS);
	assert_in_range(fill(launch(1, 32), 10 * MS, 0, 1000), 90, 100);
}

static void much_more_data_is_something_else(void **state)
{
	(void)state;
	teach(launch(1, 1000), 10 * US, 3);
	assert_int_equal(fill(launch(1, 1001), MS, 0, 5), 5);
	finish_after(50 * US);
	assert_int_equal(fill(launch(1, UINT64_MAX), MS, 0, 5), 1);
}

static void the_bound_can_be_short_of_one(void **state)
{
	(void)state;
	teach(launch(1, 32), 5 * MS, 3);
	assert_int_equal(fill(launch(1, 32), MS, 0, 5), 1);
	assert_int_equal(fill(copy(1), MS, 0, 5), 0);
}

static void a_kernel_that_changes_exceeds_it_by_one_batch(void **state)
{
	unsigned int before, after;

	(void)state;
	teach(launch(1, 32), 10 * US, 10);
	before = fill(launch(1, 32), MS, 0, 1000);
	assert_in_range(before, 80, 100);
	finish_after(before * 100 * MS);
	after = fill(launch(1, 32), MS, 0, 1000);
	assert_int_equal(after, 1);
	/* And comes back when it is short again, if slowly. */
	finish_after(10 * US);
	teach(launch(1, 32), 10 * US, 100);
	assert_in_range(fill(launch(1, 32), MS, 0, 1000), 60, 100);
}

static void a_batch_that_is_late_gets_no_more(void **state)
{
	(void)state;
	teach(launch(1, 32), 10 * US, 5);
	assert_int_equal(fill(launch(1, 32), MS, 0, 1), 1);
	now += (int64_t)MS;
	assert_int_equal(fill(launch(1, 32), MS, 0, 1), 0);
}

static void small_ones_are_bounded_in_number(void **state)
{
	(void)state;
	teach(launch(1, 32), 1, 5);
	assert_int_equal(fill(launch(1, 32), UINT64_MAX / 4, 0, 10000), INFLIGHT_MAX);
	finish_after(INFLIGHT_MAX);
	assert_int_equal(fill(launch(1, 32), 0, 0, 10000), INFLIGHT_MAX);
}

static void depth_counts_jobs_alone(void **state)
{
	const struct inflight_work mark = { .kind = INFLIGHT_MARK };

	(void)state;
	assert_int_equal(fill(copy(1), 0, 3, 10), 3);
	assert_int_equal(fill(mark, 0, 3, 10), 10);
	assert_int_equal(fill(copy(1), 0, 3, 10), 0);
	assert_int_equal(fill(copy(1), 0, 4, 10), 1);
	finish_after(US);
	assert_int_equal(fill(mark, 0, 1, 10), 10);
	assert_int_equal(fill(copy(1), 0, 1, 10), 1);
}

static void the_speed_of_copies_is_learned(void **state)
{
	uint64_t piece;
	struct inflight_work large = copy(UINT64_MAX);

	(void)state;
	/* 20 us a MiB: some 50 GB/s. */
	for (int i = 0; i < 40; i++) {
		assert_int_equal(fill(copy(16 * MIB), 10 * MS, 0, 1), 1);
		finish_after(16 * 20 * US);
	}
	piece = inflight_piece(&inflight, &large, MS);
	assert_in_range(piece, 45 * MIB, 60 * MIB);
	assert_in_range(inflight_piece(&inflight, &large, 4 * MS), 180 * MIB, 240 * MIB);
	/* Few bytes say nothing of it. */
	for (int i = 0; i < 40; i++) {
		fill(copy(1), 0, 0, 1);
		finish_after(50 * US);
	}
	assert_true(inflight_piece(&inflight, &large, MS) == piece);
}

static void pieces_are_no_shorter_than_a_millisecond(void **state)
{
	struct inflight_work large = copy(1024 * MIB);

	(void)state;
	assert_true(inflight_piece(&inflight, &large, 1) == inflight_piece(&inflight, &large, MS));
	assert_true(inflight_piece(&inflight, &large, 0) == large.bytes);
	assert_true(inflight_piece(&inflight, &large, UINT64_MAX) == large.bytes);
	/* Whole ones, and no small rest. */
	large.bytes = inflight_piece(&inflight, &large, MS);
	assert_true(large.bytes % MIB == 0);
	large.bytes += 1;
	assert_true(inflight_piece(&inflight, &large, MS) == large.bytes);
}

static void what_blocks_teaches_nothing(void **state)
{
	const struct inflight_work blocks = { .kind = INFLIGHT_BLOCKS };

	(void)state;
	teach(launch(1, 32), 100 * US, 3);
	assert_int_equal(fill(launch(1, 32), MS, 0, 1), 1);
	assert_int_equal(fill(blocks, MS, 0, 1), 1);
	assert_true(inflight_expected_ns(&inflight) == 0);
	finish_after(1000 * MS);
	assert_in_range(fill(launch(1, 32), MS, 0, 100), 9, 10);
}

static void the_end_is_expected_when_all_is_known(void **state)
{
	(void)state;
	assert_true(inflight_expected_ns(&inflight) == 0);
	fill(launch(1, 32), MS, 0, 1);
	assert_true(inflight_expected_ns(&inflight) == 0);
	finish_after(100 * US);
	teach(launch(1, 32), 100 * US, 3);
	fill(launch(1, 32), MS, 0, 3);
	assert_in_range(inflight_expected_ns(&inflight) - now, 290 * US, 310 * US);
}

/* Functions that share a place in the table, and times beyond any, only cost batches. */
static void hostile_numbers_break_nothing(void **state)
{
	(void)state;
	for (uint32_t function = 1; function < 5000; function++) {
		unsigned int started =
			fill(launch(function, function), function % 2 ? MS : 0, 0, 3);

		assert_in_range(started, 0, 3);
		if (function % 3 == 0)
			finish_after(function % 5 ? function : UINT64_C(1) << 61);
		if (now > INT64_C(1) << 61)
			now = 1;
		if (inflight.count > INFLIGHT_MAX / 2)
			finish_after(1);
		else if (function % 2)
			inflight_idle(&inflight, 0);
	}
	for (int i = 0; i < 100; i++) {
		inflight_idle(&inflight, now);
		fill(copy(UINT64_MAX), 0, 0, INFLIGHT_MAX);
		now = i % 2 ? INT64_MAX : 1;
	}
	inflight_idle(&inflight, now);
	now = 1;
	assert_true(inflight_piece(&inflight, &(struct inflight_work){ .bytes = MIB * 4 }, MS) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, begin)
		TEST(what_nobody_knows_runs_alone),
		TEST(what_is_known_fills_the_bound),
		TEST(much_more_data_is_something_else),
		TEST(the_bound_can_be_short_of_one),
		TEST(a_kernel_that_changes_exceeds_it_by_one_batch),
		TEST(a_batch_that_is_late_gets_no_more),
		TEST(small_ones_are_bounded_in_number),
		TEST(depth_counts_jobs_alone),
		TEST(the_speed_of_copies_is_learned),
		TEST(pieces_are_no_shorter_than_a_millisecond),
		TEST(what_blocks_teaches_nothing),
		TEST(the_end_is_expected_when_all_is_known),
		TEST(hostile_numbers_break_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
