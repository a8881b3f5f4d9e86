/* SPDX-License-Identifier: Apache-2.0 */
/* A job that runs for longest_job_ns is reported once, at the time that sched_deadline() names. */
#include "tests/mediatord/sched-check.h"

static struct sched *limited(int64_t longest_job_ns)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_MEDIUM);
	struct sched *sched = new_sched();

	config.longest_job_ns = longest_job_ns;
	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 0);
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	add_channel(sched, 1, 1);
	add_channel(sched, 2, 1);
	return sched;
}

static void expect_expire(struct sched *sched, uint64_t job, uint32_t channel, int64_t now)
{
	struct sched_decision decision;

	assert_true(sched_next(sched, now, &decision));
	assert_int_equal(decision.kind, SCHED_EXPIRE);
	assert_int_equal(decision.job, job);
	assert_int_equal(decision.channel, channel);
}

static void said_once_at_the_deadline(void **state)
{
	struct sched *sched = limited(1000);

	(void)state;
	assert_int_equal(sched_deadline(sched), -1);
	submit(sched, 1, 1, 50);
	assert_int_equal(sched_deadline(sched), -1); /* waiting is not running */
	expect_run(sched, 1, 100);
	submit(sched, 2, 2, 150);
	expect_run(sched, 2, 200);
	assert_int_equal(sched_deadline(sched), 1100);
	expect_nothing(sched, 1099);
	expect_expire(sched, 1, 1, 1100);
	assert_int_equal(sched_deadline(sched), 1200);
	expect_nothing(sched, 1100);
	expect_expire(sched, 2, 2, 5000);
	assert_int_equal(sched_deadline(sched), -1);
	expect_nothing(sched, 1 << 30);
	sched_free(&sched);
}

static void the_gpu_is_taken_until_the_job_has_ended(void **state)
{
	struct sched *sched = limited(1000);

	(void)state;
	submit(sched, 1, 1, 0);
	submit(sched, 1, 2, 0);
	expect_run(sched, 1, 0);
	expect_expire(sched, 1, 1, 1000);
	expect_nothing(sched, 2000);
	sched_complete(sched, 1, 5000, 3000);
	expect_run(sched, 2, 3000);
	assert_int_equal(sched_deadline(sched), 4000);
	sched_complete(sched, 2, 10, 3500);
	assert_int_equal(stats_of(sched, 1).expired, 1);
	assert_int_equal(stats_of(sched, 1).completed, 1);
	assert_int_equal(stats_of(sched, 1).gpu_time_ns, 3010);
	sched_free(&sched);
}

static void no_limit_no_deadline(void **state)
{
	struct sched *sched = limited(0);

	(void)state;
	submit(sched, 1, 1, 0);
	expect_run(sched, 1, 0);
	assert_int_equal(sched_deadline(sched), -1);
	expect_nothing(sched, INT64_MAX);
	sched_free(&sched);
	/* One beyond the end of time is none either. */
	sched = limited(INT64_MAX);
	submit(sched, 1, 1, 10);
	expect_run(sched, 1, 10);
	assert_int_equal(sched_deadline(sched), -1);
	expect_nothing(sched, INT64_MAX);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(said_once_at_the_deadline),
		cmocka_unit_test(the_gpu_is_taken_until_the_job_has_ended),
		cmocka_unit_test(no_limit_no_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
