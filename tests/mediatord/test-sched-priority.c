/* SPDX-License-Identifier: Apache-2.0 */
/* A free GPU takes the job of the highest priority; a running job is not interrupted. */
#include "tests/mediatord/sched-check.h"

static void high_before_medium_before_low(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	for (uint32_t priority = 0; priority <= VGPU_PRIORITY_HIGH; priority++) {
		add_tenant(sched, priority, 0, priority);
		add_channel(sched, priority, priority);
		submit(sched, priority, 10 + priority, 0);
	}
	expect_run(sched, 12, 1);
	sched_complete(sched, 12, 0, 1);
	expect_run(sched, 11, 1);
	sched_complete(sched, 11, 0, 1);
	expect_run(sched, 10, 1);
	sched_free(&sched);
}

static void what_runs_is_not_interrupted(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_LOW);
	add_tenant(sched, 2, 0, VGPU_PRIORITY_HIGH);
	add_channel(sched, 1, 1);
	add_channel(sched, 2, 2);
	submit(sched, 1, 1, 0);
	submit(sched, 1, 2, 0);
	expect_run(sched, 1, 0);
	submit(sched, 2, 3, 1);
	expect_nothing(sched, 1);
	sched_complete(sched, 1, 0, 2);
	expect_run(sched, 3, 2); /* overtakes job 2, which arrived earlier */
	sched_complete(sched, 3, 0, 3);
	expect_run(sched, 2, 3);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(high_before_medium_before_low),
		cmocka_unit_test(what_runs_is_not_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
