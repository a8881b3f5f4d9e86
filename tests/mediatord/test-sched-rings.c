/* SPDX-License-Identifier: Apache-2.0 */
/* Rings are granted, marked as contended, revoked and killed, each when it is time and once. */
#include "tests/mediatord/sched-check.h"

#define SLICE SCHED_SLICE_NS

/* Tenants 1 to 4, of the classes 0, 1, 1 and 2, with channels 10 and 11, 20 and 21, ... */
static struct sched *four_tenants(void)
{
	static const uint32_t classes[] = { VGPU_PRIORITY_LOW, VGPU_PRIORITY_MEDIUM,
					    VGPU_PRIORITY_MEDIUM, VGPU_PRIORITY_HIGH };
	struct sched *sched = new_sched();

	sched_gpu_add(sched, 0, 0);
	for (uint32_t tenant = 1; tenant <= 4; tenant++) {
		add_tenant(sched, tenant, 0, classes[tenant - 1]);
		add_channel(sched, tenant * 10, tenant);
		add_channel(sched, tenant * 10 + 1, tenant);
	}
	return sched;
}

static void want_and_get(struct sched *sched, uint32_t channel, bool contended, int64_t now)
{
	sched_want(sched, channel, now);
	assert_int_equal(expect(sched, SCHED_GRANT, channel, now).contended, contended);
}

static void revoke_and_yield(struct sched *sched, uint32_t channel, int64_t now)
{
	expect(sched, SCHED_REVOKE, channel, now);
	sched_yielded(sched, channel, now);
}

static void alone_all_channels_are_granted_and_stay_so(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	want_and_get(sched, 10, false, 0);
	want_and_get(sched, 11, false, 5);
	assert_int_equal(sched_deadline(sched), -1);
	expect_nothing(sched, INT64_MAX / 2);
	/* What it does meanwhile is no event; a want of what is granted is none either. */
	sched_want(sched, 10, 7);
	expect_nothing(sched, 7);
	sched_free(&sched);
}

static void who_was_alone_for_long_is_revoked_at_once(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	want_and_get(sched, 20, false, 0);
	want_and_get(sched, 21, false, SLICE + 1); /* no new turn */
	sched_used(sched, 20, SLICE, 2 * SLICE);
	sched_want(sched, 30, 2 * SLICE);
	revoke_and_yield(sched, 21, 2 * SLICE);
	revoke_and_yield(sched, 20, 2 * SLICE);
	expect(sched, SCHED_GRANT, 30, 2 * SLICE);
	expect_nothing(sched, 2 * SLICE);
	sched_free(&sched);
}

static void a_slice_lasts_until_its_end(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	want_and_get(sched, 20, false, 0);
	sched_want(sched, 30, 10);
	expect(sched, SCHED_CONTEND, 20, 10);
	expect_nothing(sched, SLICE - 1);
	assert_int_equal(sched_deadline(sched), SLICE);
	revoke_and_yield(sched, 20, SLICE);
	sched_want(sched, 20, SLICE);
	assert_true(expect(sched, SCHED_GRANT, 30, SLICE).contended);
	assert_int_equal(sched_deadline(sched), 2 * SLICE);
	/* It yields by itself, before its slice is over. */
	sched_yielded(sched, 30, SLICE + 100);
	assert_false(expect(sched, SCHED_GRANT, 20, SLICE + 100).contended);
	expect_nothing(sched, SLICE + 100);
	sched_free(&sched);
}

static void a_higher_class_does_not_wait_for_the_slice(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	want_and_get(sched, 10, false, 0);
	want_and_get(sched, 11, false, 0);
	sched_want(sched, 40, 10);
	expect(sched, SCHED_REVOKE, 11, 10);
	expect(sched, SCHED_REVOKE, 10, 10);
	sched_yielded(sched, 10, 20);
	expect_nothing(sched, 20); /* the other one still holds the GPU */
	sched_yielded(sched, 11, 30);
	expect(sched, SCHED_GRANT, 40, 30);
	/* A lower class does wait, and the owner is told that it does. */
	sched_want(sched, 10, 40);
	expect(sched, SCHED_CONTEND, 40, 40);
	expect_nothing(sched, 40 + SLICE);
	sched_channel_remove(sched, 10, 50 + SLICE);
	expect(sched, SCHED_UNCONTEND, 40, 50 + SLICE);
	sched_free(&sched);
}

static void the_kill_is_said_once_at_the_bound(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = four_tenants();

	(void)state;
	want_and_get(sched, 20, false, 0);
	want_and_get(sched, 21, false, 0);
	sched_want(sched, 40, 100);
	expect(sched, SCHED_REVOKE, 21, 100);
	expect(sched, SCHED_REVOKE, 20, 100);
	assert_int_equal(sched_deadline(sched), 100 + SCHED_YIELD_NS);
	/* Its tenant's longest job is the bound, where there is one; also if it comes later. */
	config.longest_job_ns = 5000;
	assert_int_equal(sched_tenant_set(sched, 2, &config, 200), 0);
	assert_int_equal(sched_deadline(sched), 5100);
	sched_yielded(sched, 21, 300);
	expect_nothing(sched, 5099);
	expect(sched, SCHED_KILL, 20, 5100);
	assert_int_equal(sched_deadline(sched), -1);
	expect_nothing(sched, INT64_MAX / 2);
	/* Neither is it wanted then, nor used. */
	sched_want(sched, 20, 6000);
	sched_used(sched, 20, 100, 6000);
	expect_nothing(sched, 6000);
	sched_channel_remove(sched, 20, 7000);
	expect(sched, SCHED_GRANT, 40, 7000);
	assert_int_equal(stats_of(sched, 2).killed, 1);
	assert_int_equal(stats_of(sched, 2).revoked, 1);
	sched_free(&sched);
}

static void a_want_of_a_revoked_channel_is_a_yield(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	want_and_get(sched, 20, false, 0);
	sched_want(sched, 40, 100);
	expect(sched, SCHED_REVOKE, 20, 100);
	sched_want(sched, 20, 110);
	expect(sched, SCHED_GRANT, 40, 110);
	sched_yielded(sched, 40, 200);
	expect(sched, SCHED_GRANT, 20, 200);
	sched_free(&sched);
}

static void a_yield_of_what_is_not_granted_is_nothing(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	sched_yielded(sched, 20, 0);
	sched_yielded(sched, 99, 0);
	sched_want(sched, 99, 0);
	sched_used(sched, 99, 1, 0);
	expect_nothing(sched, 0);
	/* While it waits it goes on waiting. */
	want_and_get(sched, 40, false, 0);
	sched_want(sched, 20, 1);
	expect(sched, SCHED_CONTEND, 40, 1);
	sched_yielded(sched, 20, 2);
	sched_yielded(sched, 40, 3);
	expect(sched, SCHED_GRANT, 20, 3);
	sched_free(&sched);
}

static void a_mailbox_runs_beside_the_rings_of_its_tenant(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	want_and_get(sched, 20, false, 0);
	submit(sched, 21, 1, 10);
	submit(sched, 21, 2, 10);
	submit(sched, 31, 3, 10); /* another tenant's waits for the turn */
	expect_run(sched, 1, 10);
	expect(sched, SCHED_CONTEND, 20, 10);
	sched_complete(sched, 1, 5, 20);
	expect_run(sched, 2, 20);
	/* The ring yields, the job goes on: it is not interrupted, and nothing follows it. */
	revoke_and_yield(sched, 20, SLICE);
	submit(sched, 21, 4, SLICE);
	expect_nothing(sched, SLICE + 1);
	sched_complete(sched, 2, 5, SLICE + 2);
	expect_run(sched, 3, SLICE + 2);
	sched_complete(sched, 3, 5, SLICE + 3);
	expect_run(sched, 4, SLICE + 3);
	sched_free(&sched);
}

static void a_tenant_that_leaves_frees_the_gpu(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	want_and_get(sched, 20, false, 0);
	sched_want(sched, 30, 1);
	sched_want(sched, 40, 1);
	sched_tenant_remove(sched, 2, 1);
	expect(sched, SCHED_GRANT, 40, 1);
	sched_tenant_remove(sched, 3, 2);
	expect(sched, SCHED_UNCONTEND, 40, 2);
	expect_nothing(sched, 2);
	sched_free(&sched);
}

static void what_is_charged(void **state)
{
	struct sched *sched = four_tenants();

	(void)state;
	/* Alone: what its worker says, and no more than the time that passed. */
	want_and_get(sched, 20, false, 0);
	sched_used(sched, 20, 300, 1000);
	sched_used(sched, 20, 5000, 2000);
	sched_used(sched, 20, -5, 3000);
	assert_int_equal(stats_of(sched, 2).held_ns, 1300);
	assert_int_equal(stats_of(sched, 2).gpu_time_ns, 1300);
	/* While others wait: the time from then to the yield, whatever it says. */
	sched_want(sched, 40, 4000);
	expect(sched, SCHED_REVOKE, 20, 4000);
	sched_used(sched, 20, 0, 4700);
	sched_yielded(sched, 20, 4700);
	assert_int_equal(stats_of(sched, 2).held_ns, 2000);
	expect(sched, SCHED_GRANT, 40, 4700);
	assert_int_equal(stats_of(sched, 4).waited_ns, 700);
	assert_int_equal(stats_of(sched, 4).turns, 1);
	sched_yielded(sched, 40, 5000);
	/* A job as both: alone for 900 ns of its 1000, and said to have used 950. */
	submit(sched, 21, 1, 6000);
	expect_run(sched, 1, 6000);
	sched_want(sched, 40, 6900);
	sched_complete(sched, 1, 950, 7000);
	assert_int_equal(stats_of(sched, 2).held_ns, 2000 + 900 + 100);
	sched_free(&sched);
}

/* A guarantee goes ahead when there is work that waited; not for the time without any. */
static void a_guarantee_saves_nothing_up(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_LOW);
	struct sched *sched = four_tenants();
	int64_t later = VGPU_NS_PER_SECOND, due = later + SLICE * 100 / 20 + 1;

	(void)state;
	config.time_guaranteed_percent = 20;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	want_and_get(sched, 40, false, 0);
	sched_want(sched, 10, later);
	expect(sched, SCHED_CONTEND, 40, later);
	/* It is behind when it is owed more than a slice. */
	for (int64_t now = sched_deadline(sched); now < due; now = sched_deadline(sched))
		expect_nothing(sched, now);
	assert_int_equal(sched_deadline(sched), due);
	revoke_and_yield(sched, 40, due);
	sched_want(sched, 40, due);
	expect(sched, SCHED_GRANT, 10, due);
	/* Until it has caught up: a slice at its share's pace. */
	due += SLICE * 100 / 80;
	for (int64_t now = sched_deadline(sched); now < due; now = sched_deadline(sched))
		expect_nothing(sched, now);
	revoke_and_yield(sched, 10, due + 1);
	expect(sched, SCHED_GRANT, 40, due + 1);
	sched_free(&sched);
}

static void parameters(void **state)
{
	struct sched_params params = { 10, 20, 30, 40 };
	struct sched *sched = new_sched();

	(void)state;
	assert_int_equal(sched_set_params(sched, &params, 0), 0);
	params.ageing_ns = 0;
	assert_int_equal(sched_set_params(sched, &params, 0), -1);
	assert_int_equal(errno, EINVAL);
	params.ageing_ns = INT64_MAX;
	assert_int_equal(sched_set_params(sched, &params, 0), -1);
	assert_int_equal(errno, EINVAL);
	params.ageing_ns = 30;
	sched_gpu_add(sched, 0, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_LOW);
	add_tenant(sched, 2, 0, VGPU_PRIORITY_LOW);
	add_channel(sched, 1, 1);
	add_channel(sched, 2, 2);
	want_and_get(sched, 1, false, 0);
	sched_want(sched, 2, 0);
	expect(sched, SCHED_CONTEND, 1, 0);
	assert_int_equal(sched_deadline(sched), 10);
	expect(sched, SCHED_REVOKE, 1, 10);
	assert_int_equal(sched_deadline(sched), 30);
	expect(sched, SCHED_KILL, 1, 30);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_all_channels_are_granted_and_stay_so),
		cmocka_unit_test(who_was_alone_for_long_is_revoked_at_once),
		cmocka_unit_test(a_slice_lasts_until_its_end),
		cmocka_unit_test(a_higher_class_does_not_wait_for_the_slice),
		cmocka_unit_test(the_kill_is_said_once_at_the_bound),
		cmocka_unit_test(a_want_of_a_revoked_channel_is_a_yield),
		cmocka_unit_test(a_yield_of_what_is_not_granted_is_nothing),
		cmocka_unit_test(a_mailbox_runs_beside_the_rings_of_its_tenant),
		cmocka_unit_test(a_tenant_that_leaves_frees_the_gpu),
		cmocka_unit_test(what_is_charged),
		cmocka_unit_test(a_guarantee_saves_nothing_up),
		cmocka_unit_test(parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
