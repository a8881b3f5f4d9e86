/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool has promised, and when it promises no more. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/error.h"
#include "mediatord/gpus/pools.h"

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

static const char text[] = "[mediatord]\n"
			   "backend = cuda\n"
			   "context-memory = 512MiB\n"
			   "window-commitment = 3GiB\n"
			   "[pool A]\n"
			   "gpus = 0, 3\n"
			   "[pool B]\n"
			   "gpus = 1\n"
			   "memory-commitment = 200\n"
			   "[pool C]\n"
			   "gpus = 2\n"
			   "memory-commitment = 0\n";

struct fixture {
	struct config *config;
	struct pools pools;
};

static int setup(void **state)
{
	static struct fixture fixture;

	assert_int_equal(config_parse(text, sizeof(text) - 1, "test", &fixture.config, NULL), 0);
	assert_int_equal(pools_init(&fixture.pools, fixture.config, NULL), 0);
	for (uint32_t gpu = 0; gpu < 4; gpu++)
		pools_gpu(&fixture.pools, gpu)->memory_bytes = 10 * GIB;
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	pools_free(&fixture->pools);
	config_free(&fixture->config);
	return 0;
}

static void expect_refused(struct pools *pools, size_t pool, uint64_t bytes)
{
	struct vgpu_error *err = NULL;
	struct pool_use before, after;

	pools_use(pools, pool, &before);
	assert_int_equal(pools_commit(pools, pool, bytes, &err), -1);
	assert_int_equal(err->status, EDQUOT);
	vgpu_error_free(&err);
	pools_use(pools, pool, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void quotas_and_contexts_fill_all_gpus(void **state)
{
	struct pools *pools = &((struct fixture *)*state)->pools;
	struct pool_use use;

	/* Hundredths of a GPU's memory are cut off. */
	pools_use(pools, 0, &use);
	assert_true(use.limit_bytes <= 20 * GIB && use.limit_bytes > 20 * GIB - 4096);
	assert_int_equal(pools_commit(pools, 0, 10 * GIB, NULL), 0);
	assert_int_equal(pools_commit(pools, 0, 8 * GIB, NULL), 0);
	expect_refused(pools, 0, GIB);
	assert_int_equal(pools_commit(pools, 0, GIB / 2 - 4096, NULL), 0);
	expect_refused(pools, 0, 0);
	pools_use(pools, 0, &use);
	assert_int_equal(use.vms, 3);
	assert_int_equal(use.context_bytes, 3 * 512 * MIB);
	pools_uncommit(pools, 0, 8 * GIB);
	assert_int_equal(pools_commit(pools, 0, 7 * GIB, NULL), 0);
}

static void the_limit_is_a_part_of_the_memory_or_more(void **state)
{
	struct pools *pools = &((struct fixture *)*state)->pools;

	assert_int_equal(pools_commit(pools, 1, 19 * GIB, NULL), 0);
	expect_refused(pools, 1, GIB);
	/* Without one nothing is refused but a sum that is none. */
	assert_int_equal(pools_commit(pools, 2, UINT64_MAX - 1, NULL), 0);
	expect_refused(pools, 2, 2);
	assert_int_equal(pools_commit(pools, 2, 1, NULL), 0);
}

static void a_pool_of_unknown_size_refuses_nothing(void **state)
{
	struct pools *pools = &((struct fixture *)*state)->pools;
	struct pool_use use;

	pools_gpu(pools, 3)->memory_bytes = 0;
	assert_int_equal(pools_commit(pools, 0, 100 * GIB, NULL), 0);
	pools_use(pools, 0, &use);
	assert_int_equal(use.memory_bytes, 0);
	assert_int_equal(use.limit_bytes, 0);
}

static void a_change_that_promises_less_is_never_refused(void **state)
{
	struct pools *pools = &((struct fixture *)*state)->pools;

	assert_int_equal(pools_commit(pools, 1, 19 * GIB, NULL), 0);
	/* A GPU went: there is less than is promised. */
	pools_gpu(pools, 1)->memory_bytes = GIB;
	assert_int_equal(pools_recommit(pools, 1, 19 * GIB, 1, 18 * GIB, NULL), 0);
	assert_int_equal(pools_recommit(pools, 1, 18 * GIB, 1, 18 * GIB, NULL), 0);
	assert_int_equal(pools_recommit(pools, 1, 18 * GIB, 1, 18 * GIB + 1, NULL), -1);
	assert_int_equal(pools->commitments[1].quota_bytes, 18 * GIB);
	assert_int_equal(pools->commitments[1].vms, 1);
	/* To another pool it is a new promise, there. */
	assert_int_equal(pools_recommit(pools, 1, 18 * GIB, 0, 30 * GIB, NULL), -1);
	assert_int_equal(pools->commitments[1].vms, 1);
	assert_int_equal(pools->commitments[0].vms, 0);
	assert_int_equal(pools_recommit(pools, 1, 18 * GIB, 0, 10 * GIB, NULL), 0);
	assert_int_equal(pools->commitments[1].vms, 0);
	assert_int_equal(pools->commitments[0].quota_bytes, 10 * GIB);
}

static void contexts_are_promised_one_a_vm(void **state)
{
	struct pools *pools = &((struct fixture *)*state)->pools;

	assert_int_equal(pools_commit(pools, 0, 18 * GIB, NULL), 0);
	/* Its own, though on another GPU; then two more fit, and a third does not. */
	assert_true(pools_context_take(pools, 0));
	assert_true(pools_context_take(pools, 3));
	assert_true(pools_context_take(pools, 0));
	assert_false(pools_context_take(pools, 3));
	assert_false(pools_context_take(pools, 0));
	pools_context_release(pools, 3);
	assert_true(pools_context_take(pools, 0));
	/* What is there is counted in any case, and none of a GPU that there is not. */
	pools_context_add(pools, 0);
	assert_int_equal(pools_gpu(pools, 0)->contexts, 4);
	assert_false(pools_context_take(pools, 9));
	pools_context_release(pools, 9);
	expect_refused(pools, 0, 0);
}

static void a_vm_may_always_have_its_context(void **state)
{
	struct pools *pools = &((struct fixture *)*state)->pools;

	assert_int_equal(pools_commit(pools, 1, 19 * GIB, NULL), 0);
	pools_gpu(pools, 1)->memory_bytes = GIB;
	assert_true(pools_context_take(pools, 1));
	assert_false(pools_context_take(pools, 1));
}

static void windows_are_bounded_on_the_host(void **state)
{
	struct pools *pools = &((struct fixture *)*state)->pools;

	assert_true(pools_window_take(pools, 2 * GIB));
	assert_false(pools_window_take(pools, GIB + 1));
	assert_false(pools_window_take(pools, UINT64_MAX));
	assert_true(pools_window_take(pools, GIB));
	pools_window_release(pools, GIB);
	assert_true(pools_window_take(pools, GIB));
	pools_window_add(pools, GIB);
	assert_false(pools_window_take(pools, 1));
	pools_window_release(pools, UINT64_MAX);
	assert_int_equal(pools->window_bytes, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(quotas_and_contexts_fill_all_gpus),
		TEST(the_limit_is_a_part_of_the_memory_or_more),
		TEST(a_pool_of_unknown_size_refuses_nothing),
		TEST(a_change_that_promises_less_is_never_refused),
		TEST(contexts_are_promised_one_a_vm),
		TEST(a_vm_may_always_have_its_context),
		TEST(windows_are_bounded_on_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
