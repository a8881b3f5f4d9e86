/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's jobs run in the order of submission and never two at once. */
#include "tests/mediatord/sched-check.h"

static void a_channel_runs_one_job_at_a_time_in_order(void **state)
{
	struct sched *sched = new_sched();
	const uint64_t count = 1000; /* enough for the ring to grow several times and to wrap */
	uint64_t submitted = 0, ran = 0;

	(void)state;
	/* The second GPU stays idle: the channel is placed on the first. */
	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_MEDIUM);
	add_channel(sched, 1, 1);
	while (ran < count) {
		for (int i = 0; i < 3 && submitted < count; i++)
			submit(sched, 1, submitted++, 0);
		expect_run(sched, ran, 0);
		expect_nothing(sched, 0);
		sched_complete(sched, ran++, 0, 0);
	}
	expect_nothing(sched, 0);
	assert_int_equal(stats_of(sched, 1).completed, count);
	sched_free(&sched);
}

static void one_long_queue_does_not_hold_up_another_channel(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_MEDIUM);
	assert_int_equal(add_channel(sched, 1, 1), 0);
	assert_int_equal(add_channel(sched, 2, 1), 1);
	for (uint64_t job = 0; job < 50; job++)
		submit(sched, 1, job, 0);
	submit(sched, 2, 99, 0);
	expect_run(sched, 0, 0);
	expect_run(sched, 99, 0);
	expect_nothing(sched, 0);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_channel_runs_one_job_at_a_time_in_order),
		cmocka_unit_test(one_long_queue_does_not_hold_up_another_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
