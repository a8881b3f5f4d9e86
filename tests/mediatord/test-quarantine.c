/* SPDX-License-Identifier: Apache-2.0 */
/* So many faults in a period quarantine a VM, until a time has passed or it is released. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediatord/sched/quarantine.h"

static const struct quarantine_config three = {
	.faults = 3,
	.period_ns = 100,
	.duration_ns = 1000,
};

static void the_last_of_so_many_in_a_period_begins_it(void **state)
{
	struct quarantine vm = { .count = 0 };

	(void)state;
	assert_false(quarantine_fault(&vm, &three, 0));
	assert_false(quarantine_fault(&vm, &three, 50));
	assert_false(quarantine_fault(&vm, &three, 101)); /* the first is too long ago */
	assert_false(quarantine_active(&vm, 101));
	assert_true(quarantine_fault(&vm, &three, 150)); /* 50 is not */
	assert_true(quarantine_active(&vm, 150));
	assert_int_equal(vm.until_ns, 1150);
}

static void it_ends_by_itself_and_nothing_is_left(void **state)
{
	struct quarantine vm = { .count = 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		quarantine_fault(&vm, &three, 0);
	/* What happens meanwhile neither counts nor makes it longer. */
	assert_false(quarantine_fault(&vm, &three, 999));
	assert_true(quarantine_active(&vm, 999));
	assert_false(quarantine_active(&vm, 1000));
	assert_false(quarantine_fault(&vm, &three, 1000));
	assert_false(quarantine_fault(&vm, &three, 1000));
	assert_true(quarantine_fault(&vm, &three, 1000));
}

static void an_operator_begins_and_releases(void **state)
{
	struct quarantine vm = { .count = 0 };

	(void)state;
	assert_false(quarantine_release(&vm));
	quarantine_fault(&vm, &three, 0);
	quarantine_fault(&vm, &three, 0);
	quarantine_begin(&vm, QUARANTINE_FOREVER);
	assert_true(quarantine_active(&vm, INT64_MAX));
	assert_true(quarantine_release(&vm));
	assert_false(quarantine_active(&vm, 1));
	/* The faults of before are forgotten. */
	assert_false(quarantine_fault(&vm, &three, 1));
}

static void zeros_and_ends_of_ranges(void **state)
{
	struct quarantine_config config = { .faults = 0, .period_ns = 100 };
	struct quarantine vm = { .count = 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_false(quarantine_fault(&vm, &config, 0));
	config.faults = 1; /* the first is one too many, and there is no time */
	assert_true(quarantine_fault(&vm, &config, 7));
	assert_true(quarantine_active(&vm, INT64_MAX));
	quarantine_release(&vm);
	config.duration_ns = INT64_MAX;
	assert_true(quarantine_fault(&vm, &config, 7));
	assert_true(quarantine_active(&vm, INT64_MAX));
	quarantine_release(&vm);
	config.faults = QUARANTINE_FAULTS_MAX;
	for (uint32_t i = 1; i < 3 * QUARANTINE_FAULTS_MAX; i++)
		assert_false(quarantine_fault(&vm, &config, (int64_t)i * 4));
	for (uint32_t i = 1; i < QUARANTINE_FAULTS_MAX - 25; i++)
		assert_false(quarantine_fault(&vm, &config, 500));
	assert_false(quarantine_active(&vm, 500));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_of_so_many_in_a_period_begins_it),
		cmocka_unit_test(it_ends_by_itself_and_nothing_is_left),
		cmocka_unit_test(an_operator_begins_and_releases),
		cmocka_unit_test(zeros_and_ends_of_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
