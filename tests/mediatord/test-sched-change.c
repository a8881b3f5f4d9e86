/* SPDX-License-Identifier: Apache-2.0 */
/* A tenant's values can be changed while its jobs wait and run. */
#include "tests/mediatord/sched-check.h"

static struct sched *two_tenants(void)
{
	struct sched *sched = new_sched();

	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 1);
	for (uint32_t tenant = 1; tenant <= 2; tenant++) {
		add_tenant(sched, tenant, 0, VGPU_PRIORITY_MEDIUM);
		add_channel(sched, tenant, tenant);
	}
	return sched;
}

static void waiting_jobs_follow_a_new_priority_at_once(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_HIGH);
	struct sched *sched = two_tenants();

	(void)state;
	for (uint64_t job = 0; job < 3; job++) {
		submit(sched, 1, 10 + job, 0);
		submit(sched, 2, 20 + job, 0);
	}
	expect_run(sched, 10, 0);
	assert_int_equal(sched_tenant_set(sched, 2, &config, 0), 0);
	sched_complete(sched, 10, 0, 0);
	expect_run(sched, 20, 0);
	sched_complete(sched, 20, 0, 0);
	expect_run(sched, 21, 0);
	/* Down again, while it runs: arrival order holds as if nothing had been. */
	config.priority = VGPU_PRIORITY_MEDIUM;
	assert_int_equal(sched_tenant_set(sched, 2, &config, 0), 0);
	sched_complete(sched, 21, 0, 0);
	expect_run(sched, 11, 0);
	sched_complete(sched, 11, 0, 0);
	expect_run(sched, 12, 0);
	sched_complete(sched, 12, 0, 0);
	expect_run(sched, 22, 0);
	sched_free(&sched);
}

static void a_lower_depth_keeps_what_waits(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = two_tenants();

	(void)state;
	for (uint64_t job = 0; job < 4; job++)
		submit(sched, 1, job, 0);
	config.queue_depth = 2;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	for (uint64_t job = 0; job < 4; job++) {
		expect_run(sched, job, 0);
		if (job < 3)
			assert_int_equal(sched_submit(sched, 1, 100, 0), SCHED_QUEUE_FULL);
		else
			submit(sched, 1, 100, 0);
		sched_complete(sched, job, 0, 0);
	}
	expect_run(sched, 100, 0);
	sched_free(&sched);
}

static void a_new_limit_holds_for_the_running_job(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = two_tenants();
	struct sched_decision decision;

	(void)state;
	submit(sched, 1, 1, 0);
	expect_run(sched, 1, 0);
	assert_int_equal(sched_deadline(sched), -1);
	config.longest_job_ns = 100;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 50), 0);
	assert_int_equal(sched_deadline(sched), 100);
	assert_true(sched_next(sched, 100, &decision));
	assert_int_equal(decision.kind, SCHED_EXPIRE);
	sched_free(&sched);
}

static void a_change_of_rate_is_no_new_burst(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = two_tenants();

	(void)state;
	config.requests_per_second = 1;
	config.burst = 2;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	submit(sched, 1, 1, 0);
	submit(sched, 1, 2, 0);
	assert_int_equal(sched_submit(sched, 1, 3, 0), SCHED_RATE_LIMITED);
	/* The same again, a larger bucket, and a smaller one: no token appears. */
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	assert_int_equal(sched_submit(sched, 1, 3, 0), SCHED_RATE_LIMITED);
	config.burst = 50;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	assert_int_equal(sched_submit(sched, 1, 3, 0), SCHED_RATE_LIMITED);
	/* What was earned at the old rate stays, and no more than that. */
	config.requests_per_second = 1000;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 3 * VGPU_NS_PER_SECOND), 0);
	for (uint64_t job = 10; job < 13; job++)
		submit(sched, 1, job, 3 * VGPU_NS_PER_SECOND);
	assert_int_equal(sched_submit(sched, 1, 3, 3 * VGPU_NS_PER_SECOND), SCHED_RATE_LIMITED);
	/* A smaller bucket cannot hold the rest of a larger one. */
	config.burst = 1;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 9 * VGPU_NS_PER_SECOND), 0);
	submit(sched, 1, 20, 9 * VGPU_NS_PER_SECOND);
	assert_int_equal(sched_submit(sched, 1, 21, 9 * VGPU_NS_PER_SECOND), SCHED_RATE_LIMITED);
	sched_free(&sched);
}

static void a_pool_can_change_only_without_channels(void **state)
{
	struct sched_tenant_config config = plain_tenant(1, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = two_tenants();

	(void)state;
	submit(sched, 1, 1, 0);
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(expect_run(sched, 1, 0).gpu, 0);
	sched_channel_remove(sched, 1, 0);
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	assert_int_equal(add_channel(sched, 1, 1), 1);
	sched_free(&sched);
}

static struct sched_params default_params(void)
{
	return (struct sched_params){ SCHED_SLICE_NS, SCHED_YIELD_NS, SCHED_AGEING_NS,
				      SCHED_PERIOD_NS };
}

static void a_turn_under_way_has_the_new_slice(void **state)
{
	struct sched_params params = default_params();
	struct sched *sched = two_tenants();

	(void)state;
	sched_want(sched, 1, 0);
	expect(sched, SCHED_GRANT, 1, 0);
	sched_want(sched, 2, 0);
	expect(sched, SCHED_CONTEND, 1, 0);
	assert_int_equal(sched_deadline(sched), SCHED_SLICE_NS);
	params.slice_ns = 3 * SCHED_SLICE_NS;
	assert_int_equal(sched_set_params(sched, &params, 100), 0);
	expect_nothing(sched, SCHED_SLICE_NS);
	assert_int_equal(sched_deadline(sched), 3 * SCHED_SLICE_NS);
	/* Shorter than what it had already: it is over now. */
	params.slice_ns = SCHED_SLICE_NS / 2;
	params.yield_ns = 70;
	assert_int_equal(sched_set_params(sched, &params, SCHED_SLICE_NS), 0);
	expect(sched, SCHED_REVOKE, 1, SCHED_SLICE_NS);
	assert_int_equal(sched_deadline(sched), SCHED_SLICE_NS + 70);
	sched_free(&sched);
}

static void who_used_up_its_maximum_waits_for_a_new_slice(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched_params params = default_params();
	struct sched *sched = two_tenants();
	int64_t over;

	(void)state;
	config.time_max_percent = 50;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	sched_want(sched, 1, 0);
	expect(sched, SCHED_GRANT, 1, 0);
	over = sched_deadline(sched);
	expect(sched, SCHED_REVOKE, 1, over);
	sched_yielded(sched, 1, over);
	sched_want(sched, 1, over);
	expect_nothing(sched, over);
	assert_in_range(sched_deadline(sched) - over, SCHED_SLICE_NS - 10, SCHED_SLICE_NS + 10);
	params.slice_ns = 10 * SCHED_SLICE_NS;
	assert_int_equal(sched_set_params(sched, &params, over), 0);
	expect_nothing(sched, over + 9 * SCHED_SLICE_NS);
	params.slice_ns = SCHED_SLICE_NS / 2;
	assert_int_equal(sched_set_params(sched, &params, over + 9 * SCHED_SLICE_NS), 0);
	expect(sched, SCHED_GRANT, 1, over + 9 * SCHED_SLICE_NS);
	sched_free(&sched);
}

static void who_waited_longest_still_did_after_new_parameters(void **state)
{
	struct sched_params params = default_params();
	struct sched *sched = two_tenants();

	(void)state;
	add_tenant(sched, 3, 0, VGPU_PRIORITY_HIGH);
	add_channel(sched, 3, 3);
	sched_want(sched, 3, 0);
	expect(sched, SCHED_GRANT, 3, 0);
	sched_want(sched, 2, 10);
	expect(sched, SCHED_CONTEND, 3, 10);
	sched_want(sched, 1, 20);
	params.ageing_ns = SCHED_SLICE_NS;
	assert_int_equal(sched_set_params(sched, &params, 30), 0);
	expect(sched, SCHED_REVOKE, 3, 2 * SCHED_SLICE_NS);
	sched_yielded(sched, 3, 2 * SCHED_SLICE_NS);
	expect(sched, SCHED_GRANT, 2, 2 * SCHED_SLICE_NS);
	sched_free(&sched);
}

/* A high tenant has the GPU, the low ones 2 and 1 wait for longer than the ageing, 2 the longest.
 */
static struct sched *two_aged(void)
{
	struct sched_params params = default_params();
	struct sched *sched = two_tenants();

	params.ageing_ns = SCHED_SLICE_NS;
	assert_int_equal(sched_set_params(sched, &params, 0), 0);
	add_tenant(sched, 3, 0, VGPU_PRIORITY_HIGH);
	add_channel(sched, 3, 3);
	sched_want(sched, 3, 0);
	expect(sched, SCHED_GRANT, 3, 0);
	sched_want(sched, 2, 10);
	expect(sched, SCHED_CONTEND, 3, 10);
	sched_want(sched, 1, 20);
	expect_nothing(sched, 20);
	return sched;
}

static void who_waited_longest_still_did_after_a_change_of_its_own(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = two_aged();

	(void)state;
	config.weight = 50;
	assert_int_equal(sched_tenant_set(sched, 2, &config, 30), 0);
	expect(sched, SCHED_REVOKE, 3, 2 * SCHED_SLICE_NS);
	sched_yielded(sched, 3, 2 * SCHED_SLICE_NS);
	expect(sched, SCHED_GRANT, 2, 2 * SCHED_SLICE_NS);
	sched_free(&sched);
}

/* The owner was revoked for it already. */
static void a_promised_turn_outlasts_a_change(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = two_aged();

	(void)state;
	expect(sched, SCHED_REVOKE, 3, 2 * SCHED_SLICE_NS);
	sched_want(sched, 3, 2 * SCHED_SLICE_NS);
	config.weight = 50;
	assert_int_equal(sched_tenant_set(sched, 2, &config, 2 * SCHED_SLICE_NS), 0);
	sched_yielded(sched, 3, 2 * SCHED_SLICE_NS);
	sched_want(sched, 3, 2 * SCHED_SLICE_NS);
	expect(sched, SCHED_GRANT, 2, 2 * SCHED_SLICE_NS);
	sched_free(&sched);
}

/* Tenant 1 has had a slice and waits the longest, 2 half of one. */
static void what_a_tenant_had_is_not_forgotten_in_another_class(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_HIGH);
	struct sched *sched = two_tenants();
	int64_t now = SCHED_SLICE_NS;

	(void)state;
	add_tenant(sched, 3, 0, VGPU_PRIORITY_HIGH);
	add_channel(sched, 3, 3);
	sched_want(sched, 1, 0);
	expect(sched, SCHED_GRANT, 1, 0);
	sched_want(sched, 2, 0);
	expect(sched, SCHED_CONTEND, 1, 0);
	expect(sched, SCHED_REVOKE, 1, now);
	sched_yielded(sched, 1, now);
	sched_want(sched, 1, now);
	expect(sched, SCHED_GRANT, 2, now);
	now += SCHED_SLICE_NS / 2;
	sched_want(sched, 3, now);
	expect(sched, SCHED_REVOKE, 2, now);
	sched_yielded(sched, 2, now);
	sched_want(sched, 2, now);
	expect(sched, SCHED_GRANT, 3, now);
	assert_int_equal(sched_tenant_set(sched, 1, &config, now), 0);
	assert_int_equal(sched_tenant_set(sched, 2, &config, now), 0);
	sched_yielded(sched, 3, now);
	expect(sched, SCHED_GRANT, 2, now);
	sched_free(&sched);
}

static void bad_values_change_nothing(void **state)
{
	struct sched *sched = two_tenants();
	const struct sched_tenant_config bad[] = {
		{ .pool = 0, .priority = 3, .weight = 100 },
		{ .pool = 0, .priority = 1, .weight = 0 },
		{ .pool = 0, .priority = 1, .weight = 10001 },
		{ .pool = 9, .priority = 1, .weight = 100 },
		{ .priority = 1, .weight = 100, .time_max_percent = 101 },
		{ .priority = 1, .weight = 100, .time_guaranteed_percent = 101 },
		{ .priority = 1,
		  .weight = 100,
		  .time_guaranteed_percent = 50,
		  .time_max_percent = 49 },
		{ .priority = 1, .weight = 100, .longest_job_ns = -1 },
	};
	struct sched_tenant_stats stats;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(sched_tenant_set(sched, 1, &bad[i], 0), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(sched_tenant_set(sched, 3, &bad[i], 0), -1);
		assert_int_equal(sched_tenant_stats(sched, 3, &stats), -1);
	}
	submit(sched, 1, 1, 0);
	expect_run(sched, 1, 0);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_jobs_follow_a_new_priority_at_once),
		cmocka_unit_test(a_lower_depth_keeps_what_waits),
		cmocka_unit_test(a_new_limit_holds_for_the_running_job),
		cmocka_unit_test(a_change_of_rate_is_no_new_burst),
		cmocka_unit_test(a_pool_can_change_only_without_channels),
		cmocka_unit_test(a_turn_under_way_has_the_new_slice),
		cmocka_unit_test(who_used_up_its_maximum_waits_for_a_new_slice),
		cmocka_unit_test(who_waited_longest_still_did_after_new_parameters),
		cmocka_unit_test(who_waited_longest_still_did_after_a_change_of_its_own),
		cmocka_unit_test(a_promised_turn_outlasts_a_change),
		cmocka_unit_test(what_a_tenant_had_is_not_forgotten_in_another_class),
		cmocka_unit_test(bad_values_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
