/* SPDX-License-Identifier: Apache-2.0 */
/* The buckets of times: where each begins, which one a time is in, and what is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mediatord/histogram.h"

#define LAST (VGPU_HISTOGRAM_BUCKETS - 1)

static void the_limits_are_those_of_the_protocol(void **state)
{
	(void)state;
	assert_true(histogram_start(0) == 0);
	for (unsigned int octave = 0; octave < 24; octave++)
		for (unsigned int quarter = 0; quarter < 4; quarter++) {
			unsigned int bucket = 1 + 4 * octave + quarter;
			double us = (1 + quarter / 4.0) * (double)(UINT64_C(1) << octave);

			if (bucket <= LAST)
				assert_true((double)histogram_start(bucket) == us * 1000);
		}
}

static void a_limit_belongs_to_the_bucket_that_it_begins(void **state)
{
	(void)state;
	assert_int_equal(histogram_bucket(0), 0);
	assert_int_equal(histogram_bucket(999), 0);
	for (unsigned int bucket = 1; bucket <= LAST; bucket++) {
		assert_int_equal(histogram_bucket(histogram_start(bucket)), bucket);
		assert_int_equal(histogram_bucket(histogram_start(bucket) - 1), bucket - 1);
	}
}

static void the_last_bucket_has_no_end(void **state)
{
	(void)state;
	for (unsigned int bit = 34; bit < 64; bit++)
		assert_int_equal(histogram_bucket(UINT64_C(1) << bit), LAST);
	assert_int_equal(histogram_bucket(UINT64_MAX), LAST);
}

static void percentiles_are_the_ends_of_buckets(void **state)
{
	uint64_t counts[VGPU_HISTOGRAM_BUCKETS] = { 0 };

	(void)state;
	assert_true(histogram_percentile(counts, 50) == 0);
	counts[histogram_bucket(10000)] = 98; /* 10 to 12 us: (1 + 1/4) and (1 + 2/4) of 8 us */
	counts[histogram_bucket(5000000)] = 1;
	counts[LAST] = 1;
	assert_true(histogram_percentile(counts, 0) == 12000);
	assert_true(histogram_percentile(counts, 50) == 12000);
	assert_true(histogram_percentile(counts, 98) == 12000);
	assert_true(histogram_percentile(counts, 99) == 5120000);
	assert_true(histogram_percentile(counts, 100) == histogram_start(LAST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limits_are_those_of_the_protocol),
		cmocka_unit_test(a_limit_belongs_to_the_bucket_that_it_begins),
		cmocka_unit_test(the_last_bucket_has_no_end),
		cmocka_unit_test(percentiles_are_the_ends_of_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
