/* SPDX-License-Identifier: Apache-2.0 */
/* Within one priority jobs run in the order in which they arrived, one at a time on a GPU. */
#include "tests/mediatord/sched-check.h"

static void first_come_first_served_over_channels_and_tenants(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	for (uint32_t tenant = 1; tenant <= 3; tenant++) {
		add_tenant(sched, tenant, 0, VGPU_PRIORITY_MEDIUM);
		add_channel(sched, tenant, tenant);
	}
	submit(sched, 3, 100, 1);
	submit(sched, 1, 101, 2);
	submit(sched, 2, 102, 3);
	submit(sched, 3, 103, 4);
	submit(sched, 1, 104, 4);
	for (uint64_t job = 100; job <= 104; job++) {
		expect_run(sched, job, 10);
		expect_nothing(sched, 10);
		sched_complete(sched, job, 1, 10);
	}
	expect_nothing(sched, 10);
	sched_free(&sched);
	assert_null(sched);
}

static void a_decision_names_tenant_channel_and_gpu(void **state)
{
	struct sched *sched = new_sched();
	struct sched_decision decision;

	(void)state;
	sched_gpu_add(sched, 7, 4);
	add_tenant(sched, 11, 4, VGPU_PRIORITY_LOW);
	assert_int_equal(add_channel(sched, 12, 11), 7);
	submit(sched, 12, UINT64_MAX, 0);
	decision = expect_run(sched, UINT64_MAX, 0);
	assert_int_equal(decision.tenant, 11);
	assert_int_equal(decision.channel, 12);
	assert_int_equal(decision.gpu, 7);
	sched_free(&sched);
}

static void an_unknown_job_completes_nothing(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_LOW);
	add_channel(sched, 1, 1);
	submit(sched, 1, 5, 0);
	submit(sched, 1, 6, 0);
	expect_run(sched, 5, 0);
	sched_complete(sched, 4, 1, 1);
	sched_complete(sched, 6, 1, 1); /* waits: it cannot have ended */
	expect_nothing(sched, 1);
	sched_complete(sched, 5, 1, 1);
	sched_complete(sched, 5, 1, 1); /* twice */
	expect_run(sched, 6, 1);
	assert_int_equal(stats_of(sched, 1).completed, 1);
	assert_int_equal(sched_submit(sched, 2, 9, 1), SCHED_NO_CHANNEL);
	sched_free(&sched);
}

static void a_worker_cannot_claim_more_time_than_passed(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_LOW);
	add_channel(sched, 1, 1);
	submit(sched, 1, 1, 1000);
	expect_run(sched, 1, 1000);
	sched_complete(sched, 1, INT64_MAX, 1500);
	assert_int_equal(stats_of(sched, 1).gpu_time_ns, 500);
	submit(sched, 1, 2, 2000);
	expect_run(sched, 2, 2000);
	sched_complete(sched, 2, -7, 2500);
	assert_int_equal(stats_of(sched, 1).gpu_time_ns, 500);
	submit(sched, 1, 3, 3000);
	expect_run(sched, 3, 3000);
	sched_complete(sched, 3, 20, 3500);
	assert_int_equal(stats_of(sched, 1).gpu_time_ns, 520);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_come_first_served_over_channels_and_tenants),
		cmocka_unit_test(a_decision_names_tenant_channel_and_gpu),
		cmocka_unit_test(an_unknown_job_completes_nothing),
		cmocka_unit_test(a_worker_cannot_claim_more_time_than_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
