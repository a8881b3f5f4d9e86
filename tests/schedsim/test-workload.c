/* SPDX-License-Identifier: Apache-2.0 */
/* A workload's text says what it means, and each thing that is wrong with one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/protocol.h"
#include "tests/schedsim/simulate.h"
#include "tests/schedsim/workload.h"

static void all_statements(void **state)
{
	static const char text[] =
		"# a comment\n\n"
		"run 3s # another\n"
		"seed 7\nslice 1ms\nyield 20us\nageing 300ms\nperiod 50ms\n"
		"gpu 4 pool 2\n"
		"tenant a times 3 pool 2 class high weight 5 guaranteed 10 max 60 rate 70 burst 8 "
		"depth 9 longest 100ms\n"
		"load a ring channels 2 closed 3 job 4us to 5us on 1ms off 2ms from 6ns until 7s "
		"worker late delay 8ms\n"
		"load a mailbox every 9ms count 2 exp yes\n"
		"at 1s tenant a weight 6\n"
		"at 1s tenant a max 70\n"
		"at 2s fail 4\n"
		"at 2s restore 4"; /* the last line needs no end */
	struct workload *workload = NULL;
	const struct sched_tenant_config *config;

	(void)state;
	assert_int_equal(workload_parse(text, strlen(text), &workload, NULL), 0);
	assert_int_equal(workload->run_ns, 3 * VGPU_NS_PER_SECOND);
	assert_int_equal(workload->seed, 7);
	assert_int_equal(workload->params.slice_ns, VGPU_NS_PER_MS);
	assert_int_equal(workload->params.yield_ns, 20000);
	assert_int_equal(workload->params.ageing_ns, 300 * VGPU_NS_PER_MS);
	assert_int_equal(workload->params.period_ns, 50 * VGPU_NS_PER_MS);
	assert_int_equal(workload->gpus[0].pool, 2);
	assert_int_equal(workload->groups[0].times, 3);
	config = &workload->groups[0].config;
	assert_int_equal(config->priority, VGPU_PRIORITY_HIGH);
	assert_int_equal(config->weight, 5);
	assert_int_equal(config->time_guaranteed_percent, 10);
	assert_int_equal(config->time_max_percent, 60);
	assert_int_equal(config->requests_per_second, 70);
	assert_int_equal(config->burst, 8);
	assert_int_equal(config->queue_depth, 9);
	assert_int_equal(config->longest_job_ns, 100 * VGPU_NS_PER_MS);
	assert_int_equal(workload->load_count, 2);
	assert_true(workload->loads[0].ring);
	assert_int_equal(workload->loads[0].worker, WORKER_LATE);
	assert_int_equal(workload->loads[0].to_ns, 5000);
	assert_false(workload->loads[1].ring);
	assert_true(workload->loads[1].exponential);
	/* A change goes on from the one before. */
	assert_int_equal(workload->change_count, 4);
	assert_int_equal(workload->changes[1].config.weight, 6);
	assert_int_equal(workload->changes[1].config.time_max_percent, 70);
	assert_int_equal(workload->changes[2].kind, CHANGE_FAIL);
	free(workload);
}

static void what_is_wrong_is_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "walk 3s", "line 1: unknown statement: \"walk\"" },
		{ "\nrun", "line 2: not a time" },
		{ "run 3", "not a time" },
		{ "run 0s", "not a time" },
		{ "run 3601s", "not a time" },
		{ "run 99999999999999999999s", "not a time" },
		{ "run 3s 4s", "more than" },
		{ "seed -1", "not a number" },
		{ "gpu x", "not a number" },
		{ "gpu 1 puddle 2", "unknown key of a GPU" },
		{ "tenant", "not a name" },
		{ "tenant a\"b", "not a name" },
		{ "tenant abcdefghijklmnopqrstuvwxyzabcdefghijkl", "not a name" },
		{ "tenant a\ntenant a", "of this name" },
		{ "tenant a class top", "not one of the values" },
		{ "tenant a wait 3", "unknown key of a tenant" },
		{ "tenant a times 0", "out of range" },
		{ "tenant a times 20000\ntenant b", "too many tenants" },
		{ "load a ring", "no such tenant" },
		{ "tenant a\nload a queue", "not one of the values" },
		{ "tenant a\nload a ring channels 17", "out of range" },
		{ "tenant a\nload a ring closed 1025", "out of range" },
		{ "tenant a\nload a ring job 0ms", "not a time" },
		{ "tenant a\nload a ring speed 1", "unknown key of a load" },
		{ "tenant a\nload a ring job 3ms to 2ms", "contradict" },
		{ "tenant a\nload a ring to 2ms exp yes", "contradict" },
		{ "tenant a\nload a ring on 2ms", "contradict" },
		{ "tenant a\nload a ring from 2ms until 2ms", "contradict" },
		{ "at 1s", "not one of the values" },
		{ "at 1s tenant a", "no such tenant" },
		{ "tenant a\nat 1s tenant a pool 3", "unknown key" },
		{ "at 2s fail 0\nat 1s restore 0", "before the one" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct workload *workload = NULL;
		struct vgpu_error *err = NULL;

		assert_int_equal(workload_parse(bad[i].text, strlen(bad[i].text), &workload, &err),
				 -1);
		assert_null(workload);
		if (!strstr(err->message, bad[i].says))
			fail_msg("\"%s\": %s", bad[i].text, err->message);
		vgpu_error_free(&err);
	}
}

static void a_zero_byte_is_no_end(void **state)
{
	static const char text[] = "gpu 0\ntenant \0# a\n";
	struct workload *workload = NULL;

	(void)state;
	assert_int_equal(workload_parse(text, sizeof(text) - 1, &workload, NULL), -1);
	assert_null(workload);
}

static void what_cannot_be_run_is_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "gpu 0\ngpu 0", "GPU 0: " },
		{ "tenant a", "tenant a: a value is out of range, or its pool has no GPU" },
		{ "gpu 0\ntenant a weight 0", "tenant a: a value" },
		{ "gpu 0\ntenant a guaranteed 60\ntenant b guaranteed 41",
		  "tenant b: the guarant" },
		{ "gpu 0\ngpu 1\ntenant a times 3 guaranteed 67", "tenant a.3: the guarantees" },
		{ "gpu 0\nat 1s fail 1", "there is no GPU 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct workload *workload = NULL;
		struct sim_result *result = NULL;
		struct vgpu_error *err = NULL;

		assert_int_equal(workload_parse(bad[i].text, strlen(bad[i].text), &workload, NULL),
				 0);
		assert_int_equal(sim_run(workload, &result, &err), -1);
		if (!strstr(err->message, bad[i].says))
			fail_msg("\"%s\": %s", bad[i].text, err->message);
		vgpu_error_free(&err);
		free(workload);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_statements),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(a_zero_byte_is_no_end),
		cmocka_unit_test(what_cannot_be_run_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
