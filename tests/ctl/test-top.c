/* SPDX-License-Identifier: Apache-2.0 */
/* What `top` makes of two looks: shares, rates and order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "mediatord/ctl/ctl.h"
#include "mediatord/ctl/top.h"
#include "mediatord/ctl/vm.h"

static json_t *vm(const char *name, json_int_t gpu_time_ns, json_int_t requests)
{
	return json_pack("{s:s, s:s, s:{s:I}, s:{s:I}}", "uuid", name, "name", name, "usage",
			 "gpu_time_ns", gpu_time_ns, "counters", "requests", requests);
}

static void check_row(const struct top_vm *row, const char *name, double percent, double requests)
{
	assert_string_equal(vm_label(row->vm), name);
	assert_true(row->gpu_percent > percent - 0.01 && row->gpu_percent < percent + 0.01);
	assert_true(row->requests_per_second > requests - 0.01 &&
		    row->requests_per_second < requests + 0.01);
}

static void test_shares(void **state)
{
	struct top_look earlier = { .when_ns = 5, .vms = json_array() };
	struct top_look later = { .when_ns = 5 + 2 * VGPU_NS_PER_SECOND, .vms = json_array() };
	VGPU_AUTO_FREE struct top_vm *rows = NULL;
	size_t count;

	(void)state;
	json_array_append_new(earlier.vms, vm("idle", 77, 9));
	json_array_append_new(earlier.vms, vm("busy", 0, 0));
	json_array_append_new(earlier.vms, vm("gone", 0, 0));
	json_array_append_new(earlier.vms, vm("restarted", 900 * VGPU_NS_PER_SECOND, 500));
	json_array_append_new(later.vms, vm("idle", 77, 9));
	json_array_append_new(later.vms, vm("new", 5000, 5));
	json_array_append_new(later.vms, vm("restarted", VGPU_NS_PER_SECOND, 10));
	json_array_append_new(later.vms, vm("busy", 3 * VGPU_NS_PER_SECOND / 2, 4000));
	rows = top_compare(&earlier, &later, &count);
	assert_int_equal(count, 4);
	check_row(&rows[0], "busy", 75, 2000);
	check_row(&rows[1], "restarted", 50, 5);
	check_row(&rows[2], "idle", 0, 0);
	/* Nobody knows yet. */
	check_row(&rows[3], "new", -1, -1);
	json_decref(earlier.vms);
	json_decref(later.vms);
}

static void test_nothing_sound(void **state)
{
	struct top_look earlier = { 0 };
	struct top_look later = { .vms = json_pack("[n, i, {}, {s:s}]", 5, "usage", "much") };
	VGPU_AUTO_FREE struct top_vm *rows = NULL;
	VGPU_AUTO_FREE struct top_vm *none = NULL;
	size_t count;

	(void)state;
	rows = top_compare(&earlier, &later, &count);
	assert_non_null(rows);
	assert_int_equal(count, 4);
	for (size_t i = 0; i < count; i++)
		check_row(&rows[i], "-", -1, -1);
	none = top_compare(&later, &earlier, &count);
	assert_int_equal(count, 0);
	json_decref(later.vms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_nothing_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
