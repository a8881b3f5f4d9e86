/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of tenants: the order still holds, and a decision does not cost time in their number.
 */
#include "tests/mediatord/sched-check.h"

#define DEEP 16u

/* What this thread has used of a processor: on a busy host far less than what has passed. */
static int64_t used_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * VGPU_NS_PER_SECOND + used.tv_nsec;
}

/* Runs DEEP jobs on each of `tenants` tenants; returns nanoseconds for a job. */
static int64_t run(uint32_t tenants)
{
	struct sched *sched = new_sched();
	uint64_t jobs = (uint64_t)tenants * DEEP, job;
	int64_t start;

	for (uint32_t gpu = 0; gpu < 4; gpu++)
		sched_gpu_add(sched, gpu, 0);
	for (uint32_t tenant = 0; tenant < tenants; tenant++) {
		add_tenant(sched, tenant, 0, VGPU_PRIORITY_MEDIUM);
		add_channel(sched, tenant, tenant);
	}
	start = used_ns();
	for (job = 0; job < jobs; job++)
		submit(sched, (uint32_t)(job % tenants), job, 0);
	for (uint64_t done = 0; done < jobs; done += 4) {
		uint64_t ran[4];

		for (uint32_t i = 0; i < 4; i++) {
			struct sched_decision decision;

			/* Channels are spread over the GPUs in turn: so are the jobs. */
			assert_true(sched_next(sched, 0, &decision));
			assert_int_equal(decision.job, done + i);
			ran[i] = decision.job;
		}
		expect_nothing(sched, 0);
		for (uint32_t i = 0; i < 4; i++)
			sched_complete(sched, ran[i], 0, 0);
	}
	start = used_ns() - start;
	expect_nothing(sched, 0);
	for (uint32_t tenant = 0; tenant < tenants; tenant++)
		assert_int_equal(stats_of(sched, tenant).completed, DEEP);
	for (uint32_t tenant = 0; tenant < tenants; tenant += 2)
		sched_tenant_remove(sched, tenant, 0);
	for (uint32_t tenant = 0; tenant < tenants; tenant++)
		assert_int_equal(sched_submit(sched, tenant, jobs + tenant, 0),
				 tenant % 2 ? SCHED_ADMITTED : SCHED_NO_CHANNEL);
	sched_free(&sched);
	return start / (int64_t)jobs;
}

static void a_thousand_tenants_run_in_arrival_order(void **state)
{
	(void)state;
	run(1000);
}

static void decisions_scale_with_the_logarithm(void **state)
{
	const uint32_t tenants = getenv("VGPU_TEST_SLOW") ? 2048 : 16384;
	int64_t few = run(64), many = run(tenants);

	(void)state;
	print_message("ns for a job: %lld with 64 tenants, %lld with %u\n", (long long)few,
		      (long long)many, tenants);
	/* A linear search among all of them would be 256 times slower; leave room for caches. */
	assert_true(many < 40 * (few + 50));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_tenants_run_in_arrival_order),
		cmocka_unit_test(decisions_scale_with_the_logarithm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
