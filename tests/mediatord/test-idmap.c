/* SPDX-License-Identifier: Apache-2.0 */
/* The map from numbers to pointers holds what was added, through growth and removal. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediatord/sched/idmap.h"

static int values[4096];

static void count(void *value, void *opaque)
{
	assert_in_range((uintptr_t)value, (uintptr_t)values,
			(uintptr_t)(values + sizeof(values) / sizeof(*values)));
	++*(size_t *)opaque;
}

static void additions_and_removals_are_seen_exactly(void **state)
{
	struct idmap map = { 0 };
	bool in[4096] = { false };
	uint32_t seed = 12345;
	size_t used = 0, seen = 0;

	(void)state;
	assert_null(idmap_get(&map, 0));
	assert_null(idmap_remove(&map, 0));
	for (int step = 0; step < 60000; step++) {
		uint32_t at;

		seed = seed * 1664525 + 1013904223;
		at = (seed >> 8) % 4096;
		if (seed & 0x80000000) {
			int status = idmap_add(&map, at * 7919, &values[at]);

			assert_int_equal(status, in[at] ? -1 : 0);
			if (status < 0)
				assert_int_equal(errno, EEXIST);
			used += !in[at];
			in[at] = true;
		} else {
			assert_ptr_equal(idmap_remove(&map, at * 7919),
					 in[at] ? &values[at] : NULL);
			used -= in[at];
			in[at] = false;
		}
		assert_int_equal(map.used, used);
	}
	for (uint32_t at = 0; at < 4096; at++)
		assert_ptr_equal(idmap_get(&map, at * 7919), in[at] ? &values[at] : NULL);
	idmap_each(&map, count, &seen);
	assert_int_equal(seen, used);
	idmap_clear(&map);
	assert_null(idmap_get(&map, 7919));
	assert_int_equal(idmap_add(&map, UINT32_MAX, &values[1]), 0);
	assert_ptr_equal(idmap_get(&map, UINT32_MAX), &values[1]);
	idmap_clear(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(additions_and_removals_are_seen_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
