/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator of window memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guest-agent/window.h"

static uint64_t take(struct window *window, uint64_t bytes)
{
	uint64_t offset = UINT64_MAX;

	assert_int_equal(window_alloc(window, bytes, &offset), 0);
	assert_int_equal(offset % WINDOW_ALIGN, 0);
	return offset;
}

static void refuse(struct window *window, uint64_t bytes)
{
	uint64_t offset;

	errno = 0;
	assert_int_equal(window_alloc(window, bytes, &offset), -1);
	assert_int_equal(errno, ENOSPC);
}

static void test_first_fit(void **state)
{
	struct window window = { .bytes = 4096 };

	(void)state;
	assert_int_equal(take(&window, 1), 0);
	assert_int_equal(take(&window, 257), 256);
	assert_int_equal(take(&window, 256), 768);
	assert_int_equal(take(&window, 3072), 1024);
	refuse(&window, 1);
	assert_true(window_release(&window, 256));
	refuse(&window, 513);
	assert_int_equal(take(&window, 512), 256);
	assert_true(window_release(&window, 0));
	assert_true(window_release(&window, 768));
	assert_int_equal(take(&window, 200), 0);
	assert_int_equal(take(&window, 200), 768);
	window_free(&window);
}

static void test_limits(void **state)
{
	struct window window = { .bytes = 8192 };

	(void)state;
	refuse(&window, 0);
	refuse(&window, 8193);
	refuse(&window, UINT64_MAX);
	assert_int_equal(take(&window, 8192), 0);
	refuse(&window, 1);
	assert_true(window_release(&window, 0));
	/* An end that is no multiple of the alignment. */
	assert_int_equal(take(&window, 8191), 0);
	refuse(&window, 1);
	window_free(&window);
}

static void test_release_of_what_was_not_given(void **state)
{
	struct window window = { .bytes = 4096 };

	(void)state;
	assert_false(window_release(&window, 0));
	take(&window, 512);
	assert_false(window_release(&window, 256));
	assert_false(window_release(&window, UINT64_MAX));
	assert_true(window_release(&window, 0));
	assert_false(window_release(&window, 0));
	window_free(&window);
}

/* Parts never overlap, and all that was given back can be had again. */
static void test_random(void **state)
{
	enum {
		PARTS = 100,
		BYTES = 1 << 16
	};
	struct window window = { .bytes = BYTES };
	struct {
		uint64_t offset, bytes;
	} parts[PARTS] = { 0 };

	(void)state;
	srandom(7);
	for (int step = 0; step < 20000; step++) {
		int i = (int)(random() % PARTS);

		if (parts[i].bytes) {
			assert_true(window_release(&window, parts[i].offset));
			parts[i].bytes = 0;
			continue;
		}
		parts[i].bytes = 1 + (uint64_t)random() % 2000;
		if (window_alloc(&window, parts[i].bytes, &parts[i].offset) != 0) {
			parts[i].bytes = 0;
			continue;
		}
		assert_true(parts[i].offset + parts[i].bytes <= BYTES);
		for (int j = 0; j < PARTS; j++) {
			if (j != i && parts[j].bytes)
				assert_true(parts[i].offset + parts[i].bytes <= parts[j].offset ||
					    parts[j].offset + parts[j].bytes <= parts[i].offset);
		}
	}
	for (int i = 0; i < PARTS; i++) {
		if (parts[i].bytes)
			assert_true(window_release(&window, parts[i].offset));
	}
	assert_int_equal(take(&window, BYTES), 0);
	window_free(&window);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_fit),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_release_of_what_was_not_given),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
