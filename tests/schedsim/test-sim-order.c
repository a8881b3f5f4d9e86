/* SPDX-License-Identifier: Apache-2.0 */
/* Classes go one before the other, nobody starves, and weights share what a class has. */
#include "tests/schedsim/sim-check.h"

static void a_high_class_waits_for_what_is_on_the_gpu_only(void **state)
{
	struct sim_result *result = simulate("gpu 0\n"
					     "tenant high class high\n"
					     "tenant low times 8 class low\n"
					     "load high ring every 5ms job 20us\n"
					     "load low ring closed 8 job 1ms\n");

	(void)state;
	assert_true(p99_ms(result, "high") <= 1.2);
	assert_int_equal(tenant(result, "high")->jobs, 2000);
	sim_free(&result);
}

/* The low one is on the GPU and does not yield: a medium one must not make it last longer. */
static void no_inversion_by_a_class_between(void **state)
{
	struct sim_result *result =
		simulate("gpu 0\n"
			 "tenant high class high\n"
			 "tenant middle times 4\n"
			 "tenant low class low\n"
			 "load high ring every 7ms job 100us\n"
			 "load middle ring closed 4 job 1ms\n"
			 "load low ring closed 4 job 3ms worker late delay 3ms\n");

	(void)state;
	/* The low one's turns come by ageing alone: at most once a second. */
	assert_true(p99_ms(result, "high") <= 1.2);
	assert_true(tenant(result, "low")->jobs > 0);
	sim_free(&result);
}

static void nobody_starves_below_a_class_that_never_stops(void **state)
{
	struct sim_result *result = simulate("run 20s\n"
					     "gpu 0\n"
					     "tenant high times 2 class high\n"
					     "tenant middle class medium\n"
					     "tenant low times 20 class low\n"
					     "tenant mail class low\n"
					     "load high ring closed 4 job 500us\n"
					     "load middle ring closed 4 job 500us\n"
					     "load low ring closed 1 job 500us\n"
					     "load mail mailbox closed 1 job 500us\n");

	(void)state;
	for (size_t i = 0; i < result->tenant_count; i++) {
		/* The stated time, and everybody else's slice. */
		assert_true(result->tenants[i].longest_turn_wait_ns <
			    VGPU_NS_PER_SECOND + 24 * 2 * 3 * VGPU_NS_PER_MS);
		assert_true(result->tenants[i].jobs >= 19);
	}
	/* They get a slice a second each, and the high class nearly all the rest. */
	assert_share(result, "high.1", 47.5, 2.5);
	sim_free(&result);
}

/* However many wait too long, they take every second turn at most. */
static void the_aged_do_not_take_over(void **state)
{
	struct sim_result *result = simulate("run 10s\n"
					     "gpu 0\n"
					     "tenant high class high\n"
					     "tenant low times 1500 class low\n"
					     "load high ring closed 4 job 500us\n"
					     "load low ring closed 4 job 500us\n");

	(void)state;
	assert_true(sim_share(result, tenant(result, "high")) > 49);
	sim_free(&result);
}

static void weights_share_a_class_whatever_the_jobs_lengths(void **state)
{
	struct sim_result *result = simulate("gpu 0\n"
					     "tenant a weight 100\n"
					     "tenant b weight 200\n"
					     "tenant c weight 700\n"
					     "load a ring closed 8 job 5ms\n"
					     "load b ring closed 8 job 100us\n"
					     "load c ring channels 3 closed 2 job 900us\n");

	(void)state;
	assert_share(result, "a", 10, 0.5);
	assert_share(result, "b", 20, 0.5);
	assert_share(result, "c", 70, 0.5); /* its channels share its part */
	sim_free(&result);
}

static void mailboxes_share_as_rings_do(void **state)
{
	struct sim_result *result = simulate("gpu 0\n"
					     "tenant a weight 300\n"
					     "tenant b weight 100\n"
					     "tenant c weight 100\n"
					     "load a mailbox closed 4 job 300us\n"
					     "load b mailbox closed 4 job 2ms\n"
					     "load c ring closed 4 job 1ms\n");

	(void)state;
	assert_share(result, "a", 60, 1);
	assert_share(result, "b", 20, 1);
	assert_share(result, "c", 20, 1);
	sim_free(&result);
}

/* Half of the time one is idle: afterwards it has what its weight says, neither more nor less. */
static void an_idle_tenant_saves_nothing_and_loses_nothing(void **state)
{
	struct sim_result *result = simulate("run 6s\n"
					     "gpu 0\n"
					     "tenant steady\n"
					     "tenant sleeper\n"
					     "load steady ring closed 8 job 500us\n"
					     "load sleeper ring closed 8 job 500us from 3s\n");

	(void)state;
	assert_share(result, "steady", 75, 0.5);
	assert_share(result, "sleeper", 25, 0.5);
	sim_free(&result);
}

/* One that comes when the other has left does not start behind it in what was used. */
static void who_had_the_gpu_alone_is_not_made_to_pay_for_it(void **state)
{
	struct sim_result *result = simulate("run 3500ms\n"
					     "gpu 0\n"
					     "tenant a\n"
					     "tenant b\n"
					     "load a mailbox closed 4 job 500us until 1s\n"
					     "load b ring closed 4 job 500us from 1200ms\n"
					     "load a mailbox closed 4 job 500us from 1500ms\n");

	(void)state;
	assert_share(result, "a", 100 * 2 / 3.5, 0.5);
	sim_free(&result);
}

static void alone_a_tenant_has_one_turn(void **state)
{
	struct sim_result *result = simulate("gpu 0\n"
					     "tenant a\n"
					     "load a ring channels 2 every 3ms job 500us\n");

	(void)state;
	assert_int_equal(result->turns, 1);
	assert_int_equal(result->decisions, 2); /* a grant for each channel */
	sim_free(&result);
}

static void workers_that_do_not_yield_gain_nothing(void **state)
{
	struct sim_result *result = simulate("yield 20ms\n"
					     "gpu 0\n"
					     "tenant honest times 2\n"
					     "tenant late\n"
					     "tenant thief\n"
					     "load honest ring closed 4 job 500us\n"
					     "load late ring closed 4 job 500us worker late\n"
					     "load thief ring closed 4 job 500us worker ignore\n");

	(void)state;
	assert_share(result, "honest.1", 25, 2);
	assert_share(result, "honest.2", 25, 2);
	assert_share(result, "late", 25, 2);
	assert_true(sim_share(result, tenant(result, "thief")) < 25);
	assert_true(tenant(result, "thief")->killed > 0);
	assert_int_equal(tenant(result, "late")->killed, 0);
	sim_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_high_class_waits_for_what_is_on_the_gpu_only),
		cmocka_unit_test(no_inversion_by_a_class_between),
		cmocka_unit_test(nobody_starves_below_a_class_that_never_stops),
		cmocka_unit_test(the_aged_do_not_take_over),
		cmocka_unit_test(weights_share_a_class_whatever_the_jobs_lengths),
		cmocka_unit_test(mailboxes_share_as_rings_do),
		cmocka_unit_test(an_idle_tenant_saves_nothing_and_loses_nothing),
		cmocka_unit_test(who_had_the_gpu_alone_is_not_made_to_pay_for_it),
		cmocka_unit_test(alone_a_tenant_has_one_turn),
		cmocka_unit_test(workers_that_do_not_yield_gain_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
