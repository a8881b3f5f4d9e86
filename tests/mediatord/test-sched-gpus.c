/* SPDX-License-Identifier: Apache-2.0 */
/* GPUs that fail, channels that were there before, and guarantees that fit or do not. */
#include "tests/mediatord/sched-check.h"

static int set_guarantee(struct sched *sched, uint32_t tenant, uint32_t percent)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);

	config.time_guaranteed_percent = percent;
	return sched_tenant_set(sched, tenant, &config, 0);
}

static struct sched_gpu_status status_of(const struct sched *sched, uint32_t gpu)
{
	struct sched_gpu_status status;

	assert_int_equal(sched_gpu_status(sched, gpu, &status), 0);
	return status;
}

static void assert_fails(int status, int error)
{
	assert_int_equal(status, -1);
	assert_int_equal(errno, error);
}

static void each_channel_of_a_gpu_that_fails_is_told_once(void **state)
{
	struct sched *sched = new_sched();
	uint32_t gpu;

	(void)state;
	sched_gpu_add(sched, 0, 0);
	for (uint32_t tenant = 1; tenant <= 4; tenant++) {
		add_tenant(sched, tenant, 0, VGPU_PRIORITY_MEDIUM);
		add_channel(sched, tenant, tenant);
	}
	/* One runs a job, one has a grant (and was not told of it), one waits, one does nothing. */
	submit(sched, 1, 1, 0);
	expect_run(sched, 1, 0);
	sched_want(sched, 2, 0);
	submit(sched, 3, 2, 0);
	expect_nothing(sched, 0);
	assert_int_equal(sched_gpu_fail(sched, 0, 500), 0);
	assert_true(status_of(sched, 0).failed);
	assert_false(status_of(sched, 0).owned);
	assert_int_equal(stats_of(sched, 1).gpu_time_ns, 500);
	for (uint32_t told = 0, i = 0; i < 4; i++) {
		struct sched_decision decision;

		assert_true(sched_next(sched, 500, &decision));
		assert_int_equal(decision.kind, SCHED_LOST);
		assert_false(told & (1u << decision.channel));
		told |= 1u << decision.channel;
	}
	expect_nothing(sched, 500);
	/* Nothing happens on them any more, also not when the GPU is back. */
	assert_int_equal(sched_submit(sched, 1, 3, 500), SCHED_NO_CHANNEL);
	sched_complete(sched, 1, 0, 500);
	sched_want(sched, 2, 500);
	sched_yielded(sched, 2, 500);
	sched_want_tokens(sched, 2, 0, 500);
	expect_nothing(sched, INT64_MAX / 2);
	assert_fails(sched_channel_add(sched, 9, 1, &gpu), ENODEV);
	assert_fails(sched_channel_adopt(sched, 9, 1, 0, false, 0), ENODEV);
	assert_int_equal(sched_gpu_restore(sched, 0), 0);
	expect_nothing(sched, 600);
	add_channel(sched, 9, 1);
	sched_want(sched, 9, 600);
	expect(sched, SCHED_GRANT, 9, 600);
	for (uint32_t channel = 1; channel <= 4; channel++)
		sched_channel_remove(sched, channel, 700);
	expect_nothing(sched, 700);
	assert_int_equal(stats_of(sched, 3).waiting, 0);
	assert_fails(sched_gpu_fail(sched, 5, 0), ENOENT);
	assert_fails(sched_gpu_restore(sched, 5), ENOENT);
	sched_free(&sched);
}

static void the_pool_carries_on_with_the_others(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_MEDIUM);
	assert_int_equal(add_channel(sched, 1, 1), 0);
	assert_int_equal(add_channel(sched, 2, 1), 1);
	sched_want(sched, 1, 0);
	sched_want(sched, 2, 0);
	expect(sched, SCHED_GRANT, 1, 0);
	expect(sched, SCHED_GRANT, 2, 0);
	sched_gpu_fail(sched, 0, 1);
	expect(sched, SCHED_LOST, 1, 1);
	expect_nothing(sched, 1);
	sched_channel_remove(sched, 1, 1);
	for (uint32_t channel = 3; channel < 9; channel++)
		assert_int_equal(add_channel(sched, channel, 1), 1);
	assert_true(status_of(sched, 1).owned);
	assert_int_equal(status_of(sched, 1).channels, 7);
	sched_free(&sched);
}

static void an_adopted_channel_stays_where_it_is(void **state)
{
	struct sched *sched = new_sched();
	struct sched_gpu_status status;

	(void)state;
	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 0);
	sched_gpu_add(sched, 2, 9);
	for (uint32_t tenant = 1; tenant <= 2; tenant++)
		add_tenant(sched, tenant, 0, VGPU_PRIORITY_MEDIUM);
	assert_fails(sched_channel_adopt(sched, 1, 3, 1, false, 0), ENOENT);
	assert_fails(sched_channel_adopt(sched, 1, 1, 2, false, 0), EINVAL);
	assert_fails(sched_channel_adopt(sched, 1, 1, 7, false, 0), EINVAL);
	assert_int_equal(sched_channel_adopt(sched, 1, 1, 1, true, 0), 0);
	assert_fails(sched_channel_adopt(sched, 1, 1, 1, false, 0), EEXIST);
	assert_int_equal(sched_channel_adopt(sched, 2, 1, 1, false, 0), 0);
	assert_int_equal(sched_channel_adopt(sched, 3, 1, 1, true, 0), 0);
	/* Two tenants cannot have held one GPU. */
	assert_fails(sched_channel_adopt(sched, 4, 2, 1, true, 0), EBUSY);
	assert_int_equal(sched_channel_adopt(sched, 4, 2, 1, false, 0), 0);
	assert_int_equal(sched_gpu_status(sched, 1, &status), 0);
	assert_true(status.owned);
	assert_int_equal(status.owner, 1);
	assert_int_equal(status.channels, 4);
	/* The mark of before goes, as nobody waits; then the turn is as any other. */
	expect(sched, SCHED_UNCONTEND, 1, 0);
	expect(sched, SCHED_UNCONTEND, 3, 0);
	sched_want(sched, 4, SCHED_SLICE_NS);
	expect(sched, SCHED_REVOKE, 3, SCHED_SLICE_NS);
	expect(sched, SCHED_REVOKE, 1, SCHED_SLICE_NS);
	sched_yielded(sched, 1, SCHED_SLICE_NS);
	sched_yielded(sched, 3, SCHED_SLICE_NS);
	expect(sched, SCHED_GRANT, 4, SCHED_SLICE_NS);
	sched_free(&sched);
}

static void guarantees_fit_a_gpu_or_are_refused(void **state)
{
	struct sched *sched = new_sched();
	uint32_t gpu;

	(void)state;
	sched_gpu_add(sched, 0, 0);
	assert_int_equal(set_guarantee(sched, 1, 60), 0);
	assert_int_equal(set_guarantee(sched, 2, 40), 0);
	assert_fails(set_guarantee(sched, 3, 1), ERANGE);
	assert_int_equal(set_guarantee(sched, 3, 0), 0);
	assert_fails(set_guarantee(sched, 2, 41), ERANGE);
	assert_int_equal(set_guarantee(sched, 2, 10), 0);
	assert_int_equal(set_guarantee(sched, 3, 30), 0);
	/* With a second GPU there is twice as much, but no more than 100 on each. */
	sched_gpu_add(sched, 1, 0);
	assert_int_equal(set_guarantee(sched, 2, 50), 0);
	assert_int_equal(set_guarantee(sched, 3, 60), 0);
	assert_int_equal(add_channel(sched, 1, 1), 0);
	assert_int_equal(add_channel(sched, 2, 2), 1);
	assert_fails(sched_channel_add(sched, 3, 3, &gpu), ERANGE);
	assert_int_equal(status_of(sched, 0).guaranteed_percent, 60);
	/* A second channel of a tenant counts nothing more. */
	assert_int_equal(sched_channel_add(sched, 4, 1, &gpu), 0);
	assert_int_equal(gpu, 0);
	/* One that was there before is not ended for it; nothing grows beside it. */
	assert_int_equal(sched_channel_adopt(sched, 3, 3, 1, false, 0), 0);
	assert_int_equal(status_of(sched, 1).guaranteed_percent, 110);
	assert_fails(set_guarantee(sched, 3, 61), ERANGE);
	assert_int_equal(set_guarantee(sched, 3, 50), 0);
	sched_channel_remove(sched, 2, 0);
	assert_int_equal(status_of(sched, 1).guaranteed_percent, 50);
	sched_tenant_remove(sched, 3, 0);
	assert_int_equal(status_of(sched, 1).guaranteed_percent, 0);
	assert_int_equal(set_guarantee(sched, 4, 90), 0);
	sched_free(&sched);
}

static void another_number_is_the_same_tenant(void **state)
{
	struct sched *sched = new_sched();
	struct sched_decision decision;

	(void)state;
	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 1);
	assert_int_equal(set_guarantee(sched, 1, 60), 0);
	assert_int_equal(set_guarantee(sched, 2, 40), 0);
	/* Its own part counts where it is, and nowhere else. */
	assert_true(sched_guarantee_fits(sched, 1, 0, 60));
	assert_false(sched_guarantee_fits(sched, 1, 0, 61));
	assert_false(sched_guarantee_fits(sched, 3, 0, 1));
	assert_true(sched_guarantee_fits(sched, 1, 1, 100));
	assert_false(sched_guarantee_fits(sched, 1, 2, 0));
	assert_fails(sched_tenant_rename(sched, 1, 2), EEXIST);
	assert_fails(sched_tenant_rename(sched, 3, 4), ENOENT);
	assert_int_equal(sched_tenant_rename(sched, 1, 3), 0);
	assert_fails(set_guarantee(sched, 1, 1), ERANGE);
	assert_int_equal(set_guarantee(sched, 3, 60), 0);
	assert_int_equal(add_channel(sched, 1, 3), 0);
	sched_want(sched, 1, 0);
	assert_true(sched_next(sched, 0, &decision));
	assert_int_equal(decision.tenant, 3);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_channel_of_a_gpu_that_fails_is_told_once),
		cmocka_unit_test(the_pool_carries_on_with_the_others),
		cmocka_unit_test(an_adopted_channel_stays_where_it_is),
		cmocka_unit_test(guarantees_fit_a_gpu_or_are_refused),
		cmocka_unit_test(another_number_is_the_same_tenant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
