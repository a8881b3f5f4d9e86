/* SPDX-License-Identifier: Apache-2.0 */
/* Regions never overlap, are where first fit puts them, and come back whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/region.h"

#define PAGE REGION_GRANULE
#define HUGE REGION_HUGE_BYTES

static void the_first_gap_that_is_large_enough_is_taken(void **state)
{
	struct region_map map = { .bytes = 10 * PAGE };
	struct region a, b, c, d;

	(void)state;
	assert_true(region_place(&map, &a, 2 * PAGE, PAGE));
	assert_true(region_place(&map, &b, 3 * PAGE, PAGE));
	assert_true(region_place(&map, &c, 5 * PAGE, PAGE));
	assert_int_equal(a.offset, 0);
	assert_int_equal(b.offset, 2 * PAGE);
	assert_int_equal(c.offset, 5 * PAGE);
	assert_false(region_place(&map, &d, PAGE, PAGE));
	region_free(&map, &b);
	assert_false(region_place(&map, &d, 4 * PAGE, PAGE));
	assert_true(region_place(&map, &d, 3 * PAGE, PAGE));
	assert_int_equal(d.offset, 2 * PAGE);
	region_free(&map, &a);
	region_free(&map, &d);
	/* Two neighbours that were given back are one gap. */
	assert_true(region_place(&map, &d, 5 * PAGE, PAGE));
	assert_int_equal(d.offset, 0);
	region_free(&map, &c);
	region_free(&map, &d);
	assert_null(map.first);
}

static void alignment_skips_what_it_must(void **state)
{
	struct region_map map = { .bytes = 3 * HUGE };
	struct region a, b, c, d;

	(void)state;
	assert_true(region_place(&map, &a, PAGE, PAGE));
	assert_true(region_place(&map, &b, HUGE, HUGE));
	assert_int_equal(b.offset, HUGE);
	/* The gap before it serves what needs no alignment. */
	assert_true(region_place(&map, &c, PAGE, PAGE));
	assert_int_equal(c.offset, PAGE);
	assert_false(region_place(&map, &d, HUGE + PAGE, HUGE));
	assert_true(region_place(&map, &d, HUGE, HUGE));
	assert_int_equal(d.offset, 2 * HUGE);
}

static void a_size_beyond_the_bar_or_any_sum_is_refused(void **state)
{
	struct region_map map = { .bytes = 4 * PAGE };
	struct region a, b;

	(void)state;
	assert_false(region_place(&map, &a, 5 * PAGE, PAGE));
	assert_false(region_place(&map, &a, UINT64_MAX - PAGE + 1, PAGE));
	assert_null(map.first);
	assert_true(region_place(&map, &a, PAGE, PAGE));
	assert_false(region_place(&map, &b, UINT64_MAX - PAGE + 1, PAGE));
}

static void regions_beyond_a_bar_that_became_smaller_stay_and_harm_nothing(void **state)
{
	struct region_map map = { .bytes = 8 * PAGE };
	struct region a, b, c;

	(void)state;
	assert_true(region_place(&map, &a, 2 * PAGE, PAGE));
	assert_true(region_place(&map, &b, 6 * PAGE, PAGE));
	map.bytes = 4 * PAGE;
	assert_false(region_place(&map, &c, PAGE, PAGE));
	region_free(&map, &a);
	assert_true(region_place(&map, &c, 2 * PAGE, PAGE));
	assert_int_equal(c.offset, 0);
	region_free(&map, &b);
	assert_true(region_place(&map, &a, 2 * PAGE, PAGE));
	assert_int_equal(a.offset, 2 * PAGE);
	region_free(&map, &b); /* not placed: nothing happens */
	assert_ptr_equal(map.first, &c);
}

enum {
	MODEL_PAGES = 300,
	MODEL_REGIONS = 40
};

static bool model_free(const bool *taken, uint64_t first, uint64_t pages)
{
	if (first + pages > MODEL_PAGES)
		return false;
	for (uint64_t i = first; i < first + pages; i++)
		if (taken[i])
			return false;
	return true;
}

/* 100,000 random steps, each compared with a bitmap that is searched page by page. */
static void random_steps_agree_with_a_bitmap(void **state)
{
	struct region_map map = { .bytes = MODEL_PAGES * PAGE };
	struct region regions[MODEL_REGIONS] = { { .bytes = 0 } };
	bool taken[MODEL_PAGES] = { false };
	unsigned int placed = 0, refused = 0;
	uint32_t random = 12345;

	(void)state;
	for (int step = 0; step < 100000; step++) {
		struct region *region;
		uint64_t pages, alignment, expected = 0;
		bool fits = false;

		random = random * 1664525 + 1013904223;
		region = &regions[(random >> 16) % MODEL_REGIONS];
		if (region->bytes) {
			memset(taken + region->offset / PAGE, 0, region->bytes / PAGE);
			region_free(&map, region);
			assert_int_equal(region->bytes, 0);
			continue;
		}
		pages = 1 + (random >> 8) % 24;
		alignment = UINT64_C(1) << ((random >> 4) % 4);
		for (; expected < MODEL_PAGES && !fits; expected += alignment)
			fits = model_free(taken, expected, pages);
		expected -= alignment;
		assert_int_equal(region_place(&map, region, pages * PAGE, alignment * PAGE), fits);
		if (!fits) {
			refused++;
			continue;
		}
		placed++;
		assert_int_equal(region->offset, expected * PAGE);
		assert_int_equal(region->bytes, pages * PAGE);
		memset(taken + expected, 1, pages);
	}
	assert_true(placed > 1000 && refused > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_gap_that_is_large_enough_is_taken),
		cmocka_unit_test(alignment_skips_what_it_must),
		cmocka_unit_test(a_size_beyond_the_bar_or_any_sum_is_refused),
		cmocka_unit_test(regions_beyond_a_bar_that_became_smaller_stay_and_harm_nothing),
		cmocka_unit_test(random_steps_agree_with_a_bitmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
