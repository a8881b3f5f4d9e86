/* SPDX-License-Identifier: Apache-2.0 */
/* What is written is what is read again, bit by bit, and short where that is enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "guest-agent/agent/number.h"

static void expect_text(float value, const char *right)
{
	char text[NUMBER_TEXT_MAX];

	assert_int_equal(number_format(NUMBER_F32, &value, text), strlen(right));
	assert_string_equal(text, right);
}

static void expect_same(uint32_t bits)
{
	char text[NUMBER_TEXT_MAX];
	const char *why;
	uint32_t again;
	float value;

	memcpy(&value, &bits, sizeof(value));
	if (!isfinite(value))
		return;
	number_format(NUMBER_F32, &value, text);
	assert_int_equal(number_parse(NUMBER_F32, text, &again, &why), 0);
	if (again != bits)
		fail_msg("%08x became %s became %08x", bits, text, again);
}

static void floats_are_short(void **state)
{
	(void)state;
	expect_text(0.1f, "0.1");
	expect_text(0.1f + 0.2f, "0.3");
	expect_text(100, "100");
	expect_text(-2.5f, "-2.5");
	expect_text(16777216, "16777216");
	expect_text(0, "0");
	expect_text(-0.0f, "-0");
	expect_text(INFINITY, "inf");
	expect_text(-INFINITY, "-inf");
}

static void floats_come_back_bit_by_bit(void **state)
{
	const uint32_t count = getenv("VGPU_TEST_SLOW") ? 5000 : 100000;
	uint32_t bits = 12345;

	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		bits = bits * 1664525 + 1013904223;
		expect_same(bits);
	}
	/* Zero, the smallest and largest of subnormal and normal numbers, and their neighbours. */
	for (uint32_t exponent = 0; exponent < 0x200; exponent++) {
		for (int offset = -2; offset <= 2; offset++)
			expect_same((exponent << 23) + (uint32_t)offset);
	}
}

/* Short numbers are read without strtof(), and must come out the same. */
static void short_numbers_are_rounded_right(void **state)
{
	const int count = getenv("VGPU_TEST_SLOW") ? 15000 : 300000;
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < count; i++) {
		char text[32];
		const char *why;
		float value, right;

		seed = seed * 1664525 + 1013904223;
		snprintf(text, sizeof(text), "%s%u.%0*u", seed & 1 ? "-" : "", (seed >> 8) % 10000,
			 1 + i % 8, seed >> 20);
		if (i % 3 == 0)
			snprintf(text, sizeof(text), "%u", seed >> (i % 20));
		right = strtof(text, NULL);
		assert_int_equal(number_parse(NUMBER_F32, text, &value, &why), 0);
		if (memcmp(&value, &right, sizeof(value)) != 0)
			fail_msg("%s became %a, not %a", text, (double)value, (double)right);
	}
}

static void integers_come_back(void **state)
{
	static const int32_t values[] = { 0, 1, -1, INT32_MIN, INT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[NUMBER_TEXT_MAX];
		const char *why;
		int32_t again;

		number_format(NUMBER_I32, &values[i], text);
		assert_int_equal(number_parse(NUMBER_I32, text, &again, &why), 0);
		assert_int_equal(again, values[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floats_are_short),
		cmocka_unit_test(floats_come_back_bit_by_bit),
		cmocka_unit_test(short_numbers_are_rounded_right),
		cmocka_unit_test(integers_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
