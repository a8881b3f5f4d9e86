/* SPDX-License-Identifier: Apache-2.0 */
/* The pages that a mediator finds: mapped only where nobody can cut them short under it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediatord/grant.h"
#include "mediatord/record.h"
#include "mediatord/region.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int page(off_t bytes, int seals)
{
	int fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, bytes), 0);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void a_record_is_found_as_it_was_left(void **state)
{
	struct record *made = NULL, *found = NULL;
	int fd;

	(void)state;
	assert_int_equal(record_make(&made, &fd, NULL), 0);
	RECORD_SET(made, memory_used, 4711);
	assert_null(record_map(fd, &found));
	assert_int_equal(found->memory_used, 4711);
	RECORD_SET(made, memory_used, 4712);
	assert_int_equal(found->memory_used, 4712);
	/* Nobody can change its size. */
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 8192), -1);
	record_free(&made);
	record_free(&found);
	assert_null(found);
	close(fd);
}

static void pages_of_another_kind_are_not_mapped(void **state)
{
	const struct grant_counters seen = { 0 };
	const int faults[] = {
		page(4096, 0),
		page(4096, F_SEAL_SHRINK | F_SEAL_GROW),
		page(0, SEALS),
		page(4095, SEALS),
		page(8192, SEALS),
		open("/dev/null", O_RDWR | O_CLOEXEC),
		-1,
	};
	struct record *record = NULL;
	struct grant grant = { .page = NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		assert_non_null(record_map(faults[i], &record));
		assert_null(record);
		assert_non_null(grant_map(&grant, faults[i], &seen));
		assert_null(grant.page);
		if (faults[i] >= 0)
			close(faults[i]);
	}
}

static void what_was_counted_is_not_counted_again(void **state)
{
	const struct grant_counters seen = { .submissions = 10, .errors = 1, .gpu_time_ns = 500 };
	struct grant_counters fresh;
	struct grant first, next;
	int fd;

	(void)state;
	assert_int_equal(grant_make(&first, &fd, NULL), 0);
	first.page->submissions = 13;
	first.page->errors = 1;
	first.page->gpu_time_ns = 700;
	assert_null(grant_map(&next, fd, &seen));
	fresh = grant_sample(&next, 1000000);
	assert_int_equal(fresh.submissions, 3);
	assert_int_equal(fresh.errors, 0);
	assert_int_equal(fresh.gpu_time_ns, 200);
	grant_free(&first);
	grant_free(&next);
	close(fd);
}

static void a_region_is_claimed_where_it_was_or_not_at_all(void **state)
{
	struct region_map map = { .bytes = 0 };
	struct region a, b, c, d;

	(void)state;
	/* Also beyond the BAR's end: what lies there stays there. */
	assert_true(region_claim(&map, &b, 8192, 8192));
	assert_false(region_claim(&map, &a, 8192, 8192));
	assert_false(region_claim(&map, &a, 4096, 8192));
	assert_false(region_claim(&map, &a, 12288, 4096));
	assert_false(region_claim(&map, &a, 0, UINT64_C(1) << 40));
	assert_false(region_claim(&map, &a, 0, 0));
	assert_false(region_claim(&map, &a, UINT64_MAX - 4095, 8192));
	assert_true(region_claim(&map, &a, 0, 8192));
	assert_true(region_claim(&map, &c, 16384, 4096));
	/* What is placed next lies between and behind them. */
	map.bytes = 32768;
	region_free(&map, &b);
	assert_true(region_place(&map, &b, 8192, 4096));
	assert_int_equal(b.offset, 8192);
	assert_true(region_place(&map, &d, 4096, 4096));
	assert_int_equal(d.offset, 20480);
	region_free(&map, &a);
	region_free(&map, &b);
	region_free(&map, &c);
	region_free(&map, &d);
	assert_null(map.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_found_as_it_was_left),
		cmocka_unit_test(pages_of_another_kind_are_not_mapped),
		cmocka_unit_test(what_was_counted_is_not_counted_again),
		cmocka_unit_test(a_region_is_claimed_where_it_was_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
