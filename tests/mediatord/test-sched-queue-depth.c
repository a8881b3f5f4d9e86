/* SPDX-License-Identifier: Apache-2.0 */
/* A tenant has at most queue_depth jobs waiting or running, over all its channels. */
#include "tests/mediatord/sched-check.h"

static void the_depth_counts_waiting_and_running_jobs_of_all_channels(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	config.queue_depth = 3;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	add_channel(sched, 1, 1);
	add_channel(sched, 2, 1);
	submit(sched, 1, 1, 0);
	submit(sched, 1, 2, 0);
	expect_run(sched, 1, 0);
	submit(sched, 2, 3, 0);
	assert_int_equal(sched_submit(sched, 2, 4, 0), SCHED_QUEUE_FULL);
	assert_int_equal(sched_submit(sched, 1, 5, 0), SCHED_QUEUE_FULL);
	sched_complete(sched, 1, 0, 1);
	submit(sched, 1, 6, 1);
	assert_int_equal(sched_submit(sched, 1, 7, 1), SCHED_QUEUE_FULL);
	/* What was refused never runs. */
	for (uint64_t i = 0; i < 3; i++) {
		static const uint64_t order[] = { 2, 3, 6 };

		expect_run(sched, order[i], 2);
		sched_complete(sched, order[i], 0, 2);
	}
	expect_nothing(sched, 2);
	assert_int_equal(stats_of(sched, 1).refused_queue_full, 3);
	assert_int_equal(stats_of(sched, 1).submitted, 4);
	sched_free(&sched);
}

static void one_tenants_full_queue_is_not_anothers(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	config.queue_depth = 1;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	assert_int_equal(sched_tenant_set(sched, 2, &config, 0), 0);
	add_channel(sched, 1, 1);
	add_channel(sched, 2, 2);
	submit(sched, 1, 1, 0);
	assert_int_equal(sched_submit(sched, 1, 2, 0), SCHED_QUEUE_FULL);
	submit(sched, 2, 3, 0);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_depth_counts_waiting_and_running_jobs_of_all_channels),
		cmocka_unit_test(one_tenants_full_queue_is_not_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
