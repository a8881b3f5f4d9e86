/* SPDX-License-Identifier: Apache-2.0 */
/* time_max_percent and time_guaranteed_percent hold over a second, to 3 points, for all values. */
#include "tests/schedsim/sim-check.h"

static const unsigned int percents[] = { 1, 5, 20, 50, 80, 99 };
#define PERCENTS (sizeof(percents) / sizeof(*percents))

/* Runs a workload whose text is made as printf() does. */
__attribute__((format(printf, 1, 2))) static struct sim_result *simulate_f(const char *format, ...)
{
	VGPU_AUTO_FREE char *text = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	assert_true(length > 0);
	return simulate(text);
}

static void assert_limited(const struct sim_result *result, unsigned int percent, double below)
{
	const struct sim_tenant *limited = tenant(result, "limited");

	/* In each second, and over the whole run. */
	if ((double)limited->peak_ns / 1e7 > percent + 3)
		fail_msg("limit %u: %.2f %% in one second", percent,
			 (double)limited->peak_ns / 1e7);
	assert_share(result, "limited", percent - below / 2, below / 2 + 0.3);
}

static void a_maximum_holds_also_when_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < PERCENTS; i++) {
		struct sim_result *result = simulate_f("gpu 0\ntenant limited max %u\n"
						       "load limited ring closed 8 job 100us\n",
						       percents[i]);

		assert_limited(result, percents[i], 0);
		sim_free(&result);
		result = simulate_f("gpu 0\ntenant limited max %u\n"
				    "load limited mailbox closed 8 job 500us\n",
				    percents[i]);
		assert_limited(result, percents[i], 0.2);
		sim_free(&result);
	}
}

static void a_maximum_holds_under_contention(void **state)
{
	(void)state;
	for (size_t i = 0; i < PERCENTS; i++) {
		struct sim_result *result = simulate_f("gpu 0\ntenant limited class high max %u\n"
						       "tenant rest times 3\n"
						       "load limited ring closed 8 job 100us\n"
						       "load rest ring closed 8 job 700us\n",
						       percents[i]);

		assert_limited(result, percents[i], 0.5);
		/* What it may not have is not lost. */
		assert_true(result->busy_ns > result->run_ns / 100 * 99);
		sim_free(&result);
	}
}

/* A worker that says that it used nothing is under the same limit. */
static void a_maximum_needs_no_honest_worker(void **state)
{
	(void)state;
	for (size_t i = 0; i < PERCENTS; i++) {
		struct sim_result *result =
			simulate_f("gpu 0\ntenant limited max %u\n"
				   "load limited ring closed 8 job 100us worker idle\n",
				   percents[i]);

		assert_limited(result, percents[i], 0);
		sim_free(&result);
	}
}

static void a_guarantee_goes_ahead_of_the_classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * PERCENTS; i++) {
		bool second = i < PERCENTS; /* one second alone, and ten */
		struct sim_result *result =
			simulate_f("run %us\ngpu 0\ntenant promised class low guaranteed %u\n"
				   "tenant rest times 3 class high\n"
				   "load promised ring closed 8 job 100us\n"
				   "load rest ring closed 8 job 700us\n",
				   second ? 1 : 10, percents[i % PERCENTS]);

		assert_share(result, "promised", percents[i % PERCENTS], second ? 3 : 1);
		sim_free(&result);
	}
}

static void guarantees_that_add_up_to_all_are_all_kept(void **state)
{
	struct sim_result *result = simulate("gpu 0\n"
					     "tenant a class low guaranteed 60\n"
					     "tenant b class medium guaranteed 30\n"
					     "tenant c class low guaranteed 10\n"
					     "tenant rest class high\n"
					     "load a ring closed 8 job 100us\n"
					     "load b mailbox closed 8 job 1ms\n"
					     "load c ring closed 8 job 3ms\n"
					     "load rest ring closed 8 job 500us\n");

	(void)state;
	assert_share(result, "a", 60, 3);
	assert_share(result, "b", 30, 3);
	assert_share(result, "c", 10, 3);
	sim_free(&result);
}

/* A guarantee is a least: who has more by weight is not pushed ahead, and saves nothing up. */
static void a_guarantee_adds_nothing_to_a_greater_weight(void **state)
{
	struct sim_result *result = simulate("gpu 0\n"
					     "tenant a weight 300 guaranteed 20\n"
					     "tenant b weight 100\n"
					     "load a ring closed 8 job 500us\n"
					     "load b ring closed 8 job 500us\n");

	(void)state;
	assert_share(result, "a", 75, 1);
	sim_free(&result);
}

static void a_guarantee_ends_where_it_is_kept(void **state)
{
	struct sim_result *result = simulate("ageing 100s\n"
					     "gpu 0\n"
					     "tenant a class low guaranteed 10 max 30\n"
					     "tenant b class high\n"
					     "load a ring closed 8 job 200us\n"
					     "load b ring closed 8 job 500us\n");

	(void)state;
	assert_share(result, "a", 10, 0.5);
	sim_free(&result);
}

/* What a tenant had while nobody else wanted it is not held against it for long. */
static void a_guarantee_holds_soon_after_being_alone(void **state)
{
	struct sim_result *result = simulate("run 3s\n"
					     "ageing 100s\n"
					     "gpu 0\n"
					     "tenant a class low guaranteed 20\n"
					     "tenant b class high\n"
					     "load a ring closed 8 job 200us\n"
					     "load b ring closed 8 job 500us from 2s\n");

	(void)state;
	assert_share(result, "a", 100 * 2.2 / 3, 1);
	sim_free(&result);
}

static void a_rate_holds_for_rings(void **state)
{
	struct sim_result *result = simulate("run 10s\n"
					     "gpu 0\n"
					     "tenant a rate 500 burst 50\n"
					     "tenant b rate 7\n"
					     "load a ring channels 3 closed 8 job 10us\n"
					     "load b ring closed 8 job 10us\n");

	(void)state;
	assert_in_range(tenant(result, "a")->jobs, 50 + 5000 - 20, 50 + 5000);
	assert_in_range(tenant(result, "b")->jobs, 7 + 70 - 1, 7 + 70);
	/* Not one decision for each submission: about a hundred a second. */
	assert_true(result->decisions < 10 * 300);
	sim_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_maximum_holds_also_when_alone),
		cmocka_unit_test(a_maximum_holds_under_contention),
		cmocka_unit_test(a_maximum_needs_no_honest_worker),
		cmocka_unit_test(a_guarantee_goes_ahead_of_the_classes),
		cmocka_unit_test(guarantees_that_add_up_to_all_are_all_kept),
		cmocka_unit_test(a_guarantee_adds_nothing_to_a_greater_weight),
		cmocka_unit_test(a_guarantee_ends_where_it_is_kept),
		cmocka_unit_test(a_guarantee_holds_soon_after_being_alone),
		cmocka_unit_test(a_rate_holds_for_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
