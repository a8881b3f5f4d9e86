/* SPDX-License-Identifier: Apache-2.0 */
/* Changes at run time hold at once; a GPU that fails costs its channels only. */
#include "tests/schedsim/sim-check.h"

static void a_new_weight_holds_at_once(void **state)
{
	struct sim_result *result = simulate("run 4s\n"
					     "gpu 0\n"
					     "tenant a weight 100\n"
					     "tenant b weight 100\n"
					     "load a ring closed 4 job 500us\n"
					     "load b ring closed 4 job 500us\n"
					     "at 2s tenant a weight 300\n");

	(void)state;
	assert_share(result, "a", 62.5, 0.5); /* half of the time 50, half 75 */
	sim_free(&result);
}

static void a_new_class_holds_at_once(void **state)
{
	struct sim_result *result = simulate("run 4s\n"
					     "ageing 10s\n"
					     "gpu 0\n"
					     "tenant a class low\n"
					     "tenant b class medium\n"
					     "load a ring closed 4 job 500us\n"
					     "load b ring closed 4 job 500us\n"
					     "at 1s tenant a class high\n"
					     "at 3s tenant a class medium\n");

	(void)state;
	assert_share(result, "a", 62.5, 0.5); /* 0, twice 100, 50 */
	sim_free(&result);
}

/*
 * So many low tenants are too old at all times that each waits for seconds; one whose weight is
 * written again and again, as by somebody who keeps to a list, waits for as long as the others.
 */
static void who_is_changed_often_keeps_its_place(void **state)
{
	char text[4096] = "run 20s\n"
			  "gpu 0\n"
			  "tenant high class high\n"
			  "tenant low class low times 600\n"
			  "tenant often class low\n"
			  "load high ring closed 4 job 500us\n"
			  "load low ring closed 4 job 500us\n"
			  "load often ring closed 4 job 500us\n";
	const struct sim_tenant *often;
	struct sim_result *result;

	(void)state;
	for (int i = 0; i < 80; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "at %dms tenant often weight %d\n", 100 + i * 240, 100 + i % 2);
	result = simulate(text);
	often = tenant(result, "often");
	assert_true(often->gpu_ns > 0);
	for (size_t i = 0; i < result->tenant_count; i++)
		if (result->tenants[i].config.priority == VGPU_PRIORITY_LOW)
			assert_true(often->longest_turn_wait_ns <
				    result->tenants[i].longest_turn_wait_ns + VGPU_NS_PER_SECOND);
	sim_free(&result);
}

static void a_new_maximum_holds_at_once(void **state)
{
	struct sim_result *result = simulate("run 4s\n"
					     "gpu 0\n"
					     "tenant a\n"
					     "load a ring closed 4 job 200us\n"
					     "at 1s tenant a max 20\n"
					     "at 3s tenant a max 0\n");

	(void)state;
	assert_share(result, "a", 60, 1);
	sim_free(&result);
}

static void a_new_guarantee_holds_at_once_or_is_refused(void **state)
{
	struct sim_result *result = simulate("run 4s\n"
					     "ageing 10s\n"
					     "gpu 0\n"
					     "tenant a class low\n"
					     "tenant b class high guaranteed 50\n"
					     "load a ring closed 4 job 500us\n"
					     "load b ring closed 4 job 500us\n"
					     "at 2s tenant a guaranteed 40\n"
					     "at 3s tenant a guaranteed 51\n");

	(void)state;
	assert_share(result, "a", 20, 0.5);
	assert_int_equal(tenant(result, "a")->refused_changes, 1);
	sim_free(&result);
}

static void a_new_rate_holds_at_once(void **state)
{
	struct sim_result *result = simulate("run 4s\n"
					     "gpu 0\n"
					     "tenant a rate 10000 burst 10000\n"
					     "load a ring closed 64 job 10us\n"
					     "at 1s tenant a rate 100 burst 1\n"
					     "at 3s tenant a rate 0 burst 0\n");

	(void)state;
	/* 1 s: 10000 of the burst and 10000 earned; 2 s of 100; then as fast as it can. */
	assert_in_range(tenant(result, "a")->jobs, 20000 + 200 + 99000, 20000 + 204 + 100000);
	sim_free(&result);
}

static void a_pool_carries_on_without_a_gpu_that_failed(void **state)
{
	struct sim_result *result = simulate("run 4s\n"
					     "gpu 0\n"
					     "gpu 1\n"
					     "tenant a times 4\n"
					     "load a ring closed 4 job 500us\n"
					     "at 1s fail 1\n"
					     "at 3s restore 1\n");
	int64_t all = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		all += result->tenants[i].gpu_ns;
		assert_true(result->tenants[i].jobs > 1000);
	}
	/* Both for a second, then one: nobody moves back by himself. */
	assert_in_range(all, 49 * VGPU_NS_PER_SECOND / 10, 5 * VGPU_NS_PER_SECOND);
	sim_free(&result);
}

static void all_gpus_failed(void **state)
{
	struct sim_result *result = simulate("run 3s\n"
					     "gpu 0\n"
					     "tenant a\n"
					     "tenant m\n"
					     "load a ring closed 4 job 500us\n"
					     "load m mailbox closed 4 job 500us\n"
					     "at 1s fail 0\n"
					     "at 2s restore 0\n");

	(void)state;
	assert_in_range(result->busy_ns, 19 * VGPU_NS_PER_SECOND / 10, 2 * VGPU_NS_PER_SECOND);
	assert_true(tenant(result, "m")->unplaced > 0);
	sim_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_weight_holds_at_once),
		cmocka_unit_test(a_new_class_holds_at_once),
		cmocka_unit_test(who_is_changed_often_keeps_its_place),
		cmocka_unit_test(a_new_maximum_holds_at_once),
		cmocka_unit_test(a_new_guarantee_holds_at_once_or_is_refused),
		cmocka_unit_test(a_new_rate_holds_at_once),
		cmocka_unit_test(a_pool_carries_on_without_a_gpu_that_failed),
		cmocka_unit_test(all_gpus_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
