/* SPDX-License-Identifier: Apache-2.0 */
/* Removing a channel or a tenant forgets its jobs, running ones too, and disturbs no other. */
#include "tests/mediatord/sched-check.h"

static struct sched *two_tenants(void)
{
	struct sched *sched = new_sched();

	sched_gpu_add(sched, 0, 0);
	for (uint32_t tenant = 1; tenant <= 2; tenant++) {
		add_tenant(sched, tenant, 0, VGPU_PRIORITY_MEDIUM);
		add_channel(sched, tenant, tenant);
	}
	return sched;
}

static void a_running_job_is_forgotten_and_its_gpu_free(void **state)
{
	struct sched *sched = two_tenants();

	(void)state;
	submit(sched, 1, 1, 0);
	submit(sched, 1, 2, 0);
	submit(sched, 2, 3, 0);
	expect_run(sched, 1, 100);
	sched_channel_remove(sched, 1, 400);
	expect_run(sched, 3, 400);
	sched_complete(sched, 1, 100, 500); /* too late: must not end job 3 */
	expect_nothing(sched, 500);
	assert_int_equal(stats_of(sched, 2).running, 1);
	sched_complete(sched, 3, 100, 500);
	expect_nothing(sched, 500);
	assert_int_equal(sched_submit(sched, 1, 4, 500), SCHED_NO_CHANNEL);
	/* The time until the removal is charged. */
	assert_int_equal(stats_of(sched, 1).gpu_time_ns, 300);
	assert_int_equal(stats_of(sched, 1).completed, 0);
	assert_int_equal(stats_of(sched, 1).waiting, 0);
	assert_int_equal(stats_of(sched, 1).running, 0);
	sched_free(&sched);
}

static void a_channel_comes_back_empty(void **state)
{
	struct sched *sched = two_tenants();

	(void)state;
	submit(sched, 1, 1, 0);
	sched_channel_remove(sched, 1, 0);
	add_channel(sched, 1, 1);
	expect_nothing(sched, 0);
	submit(sched, 1, 2, 0);
	expect_run(sched, 2, 0);
	sched_free(&sched);
}

static void a_tenant_goes_with_its_channels(void **state)
{
	struct sched *sched = two_tenants();
	struct sched_tenant_stats stats;
	uint32_t gpu;

	(void)state;
	add_channel(sched, 10, 1);
	add_channel(sched, 11, 1);
	submit(sched, 10, 1, 0);
	submit(sched, 11, 2, 0);
	submit(sched, 1, 3, 0);
	submit(sched, 2, 4, 0);
	expect_run(sched, 1, 0);
	sched_tenant_remove(sched, 1, 1);
	expect_run(sched, 4, 1);
	sched_complete(sched, 4, 0, 1);
	expect_nothing(sched, 1);
	assert_int_equal(sched_tenant_stats(sched, 1, &stats), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(sched_submit(sched, 11, 5, 1), SCHED_NO_CHANNEL);
	assert_int_equal(sched_channel_add(sched, 12, 1, &gpu), -1);
	assert_int_equal(errno, ENOENT);
	/* Removing what is not there does nothing. */
	sched_tenant_remove(sched, 1, 1);
	sched_channel_remove(sched, 11, 1);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_MEDIUM);
	assert_int_equal(stats_of(sched, 1).submitted, 0);
	sched_free(&sched);
}

static void an_expired_job_can_go_with_its_channel(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = two_tenants();
	struct sched_decision decision;

	(void)state;
	config.longest_job_ns = 10;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	submit(sched, 1, 1, 0);
	submit(sched, 2, 2, 0);
	expect_run(sched, 1, 0);
	assert_true(sched_next(sched, 10, &decision));
	assert_int_equal(decision.kind, SCHED_EXPIRE);
	sched_channel_remove(sched, 1, 20);
	assert_int_equal(sched_deadline(sched), -1);
	expect_run(sched, 2, 20);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_job_is_forgotten_and_its_gpu_free),
		cmocka_unit_test(a_channel_comes_back_empty),
		cmocka_unit_test(a_tenant_goes_with_its_channels),
		cmocka_unit_test(an_expired_job_can_go_with_its_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
