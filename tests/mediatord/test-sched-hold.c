/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator holds back: a paused tenant waits, a closed one is given nothing new. */
#include "tests/mediatord/sched-check.h"

static struct sched *two_tenants(void)
{
	struct sched *sched = new_sched();

	sched_gpu_add(sched, 0, 0);
	for (uint32_t tenant = 1; tenant <= 2; tenant++) {
		add_tenant(sched, tenant, 0, VGPU_PRIORITY_MEDIUM);
		add_channel(sched, tenant * 10, tenant);
	}
	return sched;
}

static void set(struct sched *sched, bool paused, bool closed, int64_t now)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);

	config.paused = paused;
	config.closed = closed;
	assert_int_equal(sched_tenant_set(sched, 1, &config, now), 0);
}

static void a_paused_ring_is_revoked_and_waits_for_the_resume(void **state)
{
	struct sched *sched = two_tenants();

	(void)state;
	sched_want(sched, 10, 0);
	assert_true(sched_tenant_busy(sched, 1));
	expect(sched, SCHED_GRANT, 10, 0);
	/* Its grant stands while it does nothing, too. */
	assert_false(sched_tenant_busy(sched, 1));
	set(sched, true, false, 5);
	expect(sched, SCHED_REVOKE, 10, 5);
	assert_true(sched_tenant_busy(sched, 1));
	sched_yielded(sched, 10, 6);
	sched_want(sched, 10, 6);
	expect_nothing(sched, VGPU_NS_PER_SECOND);
	assert_int_equal(sched_deadline(sched), -1);
	/* Others have the GPU as if it were not there. */
	sched_want(sched, 20, VGPU_NS_PER_SECOND);
	assert_false(expect(sched, SCHED_GRANT, 20, VGPU_NS_PER_SECOND).contended);
	sched_yielded(sched, 20, VGPU_NS_PER_SECOND);
	set(sched, false, false, VGPU_NS_PER_SECOND);
	expect(sched, SCHED_GRANT, 10, VGPU_NS_PER_SECOND);
	sched_free(&sched);
}

static void a_paused_tenants_jobs_wait_in_their_order(void **state)
{
	struct sched *sched = two_tenants();

	(void)state;
	submit(sched, 10, 1, 0);
	submit(sched, 10, 2, 0);
	expect_run(sched, 1, 0);
	set(sched, true, false, 1);
	expect_nothing(sched, 1);
	sched_complete(sched, 1, 5, 6);
	submit(sched, 10, 3, 7);
	expect_nothing(sched, 7);
	assert_true(sched_tenant_busy(sched, 1));
	set(sched, false, false, 8);
	expect_run(sched, 2, 8);
	sched_complete(sched, 2, 5, 13);
	expect_run(sched, 3, 13);
	sched_complete(sched, 3, 5, 18);
	expect_nothing(sched, 18);
	assert_false(sched_tenant_busy(sched, 1));
	assert_false(sched_tenant_busy(sched, 99));
	sched_free(&sched);
}

static void a_closed_tenant_finishes_what_it_has(void **state)
{
	struct sched *sched = two_tenants();

	(void)state;
	submit(sched, 10, 1, 0);
	submit(sched, 10, 2, 0);
	expect_run(sched, 1, 0);
	set(sched, false, true, 1);
	assert_int_equal(sched_submit(sched, 10, 3, 1), SCHED_RATE_LIMITED);
	sched_complete(sched, 1, 5, 6);
	expect_run(sched, 2, 6);
	sched_complete(sched, 2, 5, 11);
	expect_nothing(sched, 11);
	assert_false(sched_tenant_busy(sched, 1));
	set(sched, false, false, 12);
	submit(sched, 10, 3, 12);
	expect_run(sched, 3, 12);
	sched_free(&sched);
}

static void a_closed_tenants_ring_is_given_no_tokens_until_it_is_open(void **state)
{
	struct sched *sched = two_tenants();

	(void)state;
	sched_want_tokens(sched, 10, 0, 0);
	assert_int_equal(expect(sched, SCHED_TOKENS, 10, 0).tokens, SCHED_TOKENS_NO_LIMIT);
	set(sched, false, true, 1);
	sched_want_tokens(sched, 10, 7, 1);
	/* What it had leave for is taken back. */
	assert_int_equal(expect(sched, SCHED_TOKENS, 10, 1).tokens, 7);
	expect_nothing(sched, VGPU_NS_PER_SECOND);
	assert_int_equal(sched_deadline(sched), -1);
	set(sched, false, false, VGPU_NS_PER_SECOND);
	sched_want_tokens(sched, 10, 7, VGPU_NS_PER_SECOND);
	assert_int_equal(expect(sched, SCHED_TOKENS, 10, VGPU_NS_PER_SECOND).tokens,
			 SCHED_TOKENS_NO_LIMIT);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_paused_ring_is_revoked_and_waits_for_the_resume),
		cmocka_unit_test(a_paused_tenants_jobs_wait_in_their_order),
		cmocka_unit_test(a_closed_tenant_finishes_what_it_has),
		cmocka_unit_test(a_closed_tenants_ring_is_given_no_tokens_until_it_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
