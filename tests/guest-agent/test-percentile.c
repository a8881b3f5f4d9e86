/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest-rank percentiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-agent/agent/percentile.h"

static void percentiles_of_a_thousand(void **state)
{
	int64_t values[1000];

	(void)state;
	for (int i = 0; i < 1000; i++)
		values[i] = (i * 7 % 1000) + 1; /* 1 to 1000 in another order */
	percentile_sort(values, 1000);
	assert_int_equal(percentile_of(values, 1000, 0), 1);
	assert_int_equal(percentile_of(values, 1000, 1), 1);
	assert_int_equal(percentile_of(values, 1000, 500), 500);
	assert_int_equal(percentile_of(values, 1000, 990), 990);
	assert_int_equal(percentile_of(values, 1000, 999), 999);
	assert_int_equal(percentile_of(values, 1000, 1000), 1000);
}

static void few_values(void **state)
{
	int64_t values[] = { 30, 10, 20 };

	(void)state;
	assert_int_equal(percentile_of(values, 1, 0), 30);
	assert_int_equal(percentile_of(values, 1, 1000), 30);
	percentile_sort(values, 3);
	assert_int_equal(percentile_of(values, 3, 333), 10);
	assert_int_equal(percentile_of(values, 3, 334), 20);
	assert_int_equal(percentile_of(values, 3, 500), 20);
	assert_int_equal(percentile_of(values, 3, 667), 30);
	assert_int_equal(percentile_of(values, 3, 999), 30);
}

static void values_beyond_32_bits_are_sorted(void **state)
{
	int64_t values[] = { INT64_MAX, INT64_MIN, 0, 1LL << 40, -(1LL << 40) };

	(void)state;
	percentile_sort(values, 5);
	assert_true(values[0] == INT64_MIN && values[1] == -(1LL << 40) && values[2] == 0);
	assert_true(values[3] == 1LL << 40 && values[4] == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_of_a_thousand),
		cmocka_unit_test(few_values),
		cmocka_unit_test(values_beyond_32_bits_are_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
