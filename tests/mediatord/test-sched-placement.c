/* SPDX-License-Identifier: Apache-2.0 */
/* Channels spread over their pool's GPUs and never leave the pool. */
#include "tests/mediatord/sched-check.h"

static void the_gpu_with_the_fewest_channels_gets_the_next(void **state)
{
	struct sched *sched = new_sched();
	unsigned int on[4] = { 0 };
	uint32_t gpu;

	(void)state;
	sched_gpu_add(sched, 0, 5);
	sched_gpu_add(sched, 1, 5);
	sched_gpu_add(sched, 2, 5);
	sched_gpu_add(sched, 3, 6);
	add_tenant(sched, 1, 5, VGPU_PRIORITY_LOW);
	add_tenant(sched, 2, 5, VGPU_PRIORITY_HIGH);
	for (uint32_t channel = 0; channel < 30; channel++)
		on[add_channel(sched, channel, 1 + channel % 2)]++;
	assert_int_equal(on[0], 10);
	assert_int_equal(on[1], 10);
	assert_int_equal(on[2], 10);
	assert_int_equal(on[3], 0);
	/* A channel that goes makes room where it was. */
	submit(sched, 7, 1, 0);
	gpu = expect_run(sched, 1, 0).gpu;
	sched_channel_remove(sched, 7, 0);
	assert_int_equal(add_channel(sched, 100, 1), gpu);
	sched_free(&sched);
}

static void a_full_gpu_is_taken_last(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	for (uint32_t gpu = 0; gpu < 3; gpu++)
		sched_gpu_add(sched, gpu, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_LOW);
	assert_int_equal(sched_gpu_set_full(sched, 0, true), 0);
	assert_int_equal(add_channel(sched, 1, 1), 1);
	assert_int_equal(sched_gpu_set_full(sched, 1, true), 0);
	assert_int_equal(add_channel(sched, 2, 1), 2);
	assert_int_equal(add_channel(sched, 3, 1), 2);
	/* Where all are, the fewest channels decide, as ever. */
	assert_int_equal(sched_gpu_set_full(sched, 2, true), 0);
	assert_int_equal(add_channel(sched, 4, 1), 0);
	assert_int_equal(sched_gpu_set_full(sched, 0, false), 0);
	assert_int_equal(add_channel(sched, 5, 1), 0);
	assert_int_equal(sched_gpu_set_full(sched, 3, true), -1);
	assert_int_equal(errno, ENOENT);
	sched_free(&sched);
}

/* As documented: percent of each GPU where it has a channel. */
static void a_maximum_share_is_of_each_gpu(void **state)
{
	struct sched_tenant_config config = plain_tenant(0, VGPU_PRIORITY_LOW);
	struct sched *sched = new_sched();
	uint64_t jobs[2] = { 0 };
	int64_t now = 0;

	(void)state;
	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 0);
	config.time_max_percent = 25;
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), 0);
	for (uint32_t channel = 0; channel < 2; channel++) {
		assert_int_equal(add_channel(sched, channel, 1), channel);
		submit(sched, channel, channel, 0);
	}
	/* Each always has a job of 1 ms to run. */
	for (uint64_t next = 2; now < VGPU_NS_PER_SECOND; now += VGPU_NS_PER_MS) {
		struct sched_decision decision;
		uint64_t run[2];
		uint32_t on[2];
		size_t count = 0;

		while (sched_next(sched, now, &decision))
			if (decision.kind == SCHED_RUN) {
				assert_true(count < 2);
				run[count] = decision.job;
				on[count++] = decision.gpu;
			}
		for (size_t i = 0; i < count; i++) {
			jobs[on[i]]++;
			submit(sched, on[i], next++, now);
			sched_complete(sched, run[i], VGPU_NS_PER_MS, now + VGPU_NS_PER_MS);
		}
	}
	for (size_t gpu = 0; gpu < 2; gpu++)
		assert_in_range(jobs[gpu], 230, 280);
	sched_free(&sched);
}

static void gpus_of_a_pool_run_side_by_side(void **state)
{
	struct sched *sched = new_sched();

	(void)state;
	sched_gpu_add(sched, 0, 0);
	sched_gpu_add(sched, 1, 0);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_LOW);
	for (uint32_t channel = 0; channel < 4; channel++) {
		add_channel(sched, channel, 1);
		submit(sched, channel, channel, 0);
	}
	assert_int_equal(expect_run(sched, 0, 0).gpu, 0);
	assert_int_equal(expect_run(sched, 1, 0).gpu, 1);
	expect_nothing(sched, 0);
	sched_complete(sched, 1, 0, 0);
	expect_run(sched, 3, 0); /* job 2 waits for the other GPU */
	sched_free(&sched);
}

static void a_gpu_is_in_one_pool_once(void **state)
{
	struct sched *sched = new_sched();
	struct sched_tenant_config config = plain_tenant(1, VGPU_PRIORITY_LOW);
	uint32_t gpu;

	(void)state;
	assert_int_equal(sched_gpu_add(sched, 0, 0), 0);
	assert_int_equal(sched_gpu_add(sched, 0, 0), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(sched_gpu_add(sched, 0, 1), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(sched_tenant_set(sched, 1, &config, 0), -1);
	assert_int_equal(errno, EINVAL);
	add_tenant(sched, 1, 0, VGPU_PRIORITY_LOW);
	add_channel(sched, 1, 1);
	assert_int_equal(sched_channel_add(sched, 1, 1, &gpu), -1);
	assert_int_equal(errno, EEXIST);
	sched_free(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_gpu_with_the_fewest_channels_gets_the_next),
		cmocka_unit_test(a_full_gpu_is_taken_last),
		cmocka_unit_test(a_maximum_share_is_of_each_gpu),
		cmocka_unit_test(gpus_of_a_pool_run_side_by_side),
		cmocka_unit_test(a_gpu_is_in_one_pool_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
