/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's worker that dies, hangs or lies costs that channel, and nobody anything else. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/ring.h"
#include "tests/mediatord/loop-fake-worker.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"
#include "tests/wait.h"

static struct vm_channel_status channel_status(struct harness *harness, uint32_t number)
{
	struct vm_status status = harness_status(harness);

	for (uint32_t i = 0; i < status.channel_count; i++)
		if (status.channels[i].number == number)
			return status.channels[i];
	fail_msg("there is no channel %u", number);
	return status.channels[0];
}

static void the_death_of_one_leaves_the_others_alone(void **state)
{
	struct harness *harness = *state;
	struct device device;
	pid_t other;

	device_open(&device, harness->link_path);
	for (uint32_t i = 0; i < 3; i++)
		device_open_channel(&device, i);
	assert_int_equal(device_ask(&device, 0, ORDER_RESERVE, 1000), 1);
	assert_int_equal(device_ask(&device, 1, ORDER_RESERVE, 200), 1);
	assert_int_equal(client_memory(&device.client, VGPU_OP_MEMORY_ALLOC, 30), VGPU_ERR_NONE);
	assert_int_equal(harness_status(harness).memory_used_bytes, 1230);
	other = channel_status(harness, 1).worker_pid;

	kill(channel_status(harness, 0).worker_pid, SIGKILL);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	/* Its memory is free, that of the others is not. */
	assert_int_equal(harness_status(harness).memory_used_bytes, 230);
	assert_int_equal(harness_status(harness).usage.workers_lost, 1);
	assert_int_equal(device_ask(&device, 1, ORDER_USED, 0), 230);
	assert_int_equal(channel_status(harness, 1).worker_pid, other);
	assert_int_equal(device_ask(&device, 2, ORDER_ECHO, 3), 3);
	assert_int_equal(client_memory(&device.client, VGPU_OP_MEMORY_FREE, 30), VGPU_ERR_NONE);
	/* And it can be had again. */
	device_open_channel(&device, 0);
	assert_int_equal(device_ask(&device, 0, ORDER_ECHO, 4), 4);
	device_close(&device);
}

static void the_memory_quota_is_one_over_all_workers(void **state)
{
	struct harness *harness = *state;
	struct device device;

	harness->vm.quotas.gpu_memory_bytes = 1000;
	harness_put(harness);
	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_open_channel(&device, 1);
	assert_int_equal(device_ask(&device, 0, ORDER_QUOTA, 0), 1000);
	assert_int_equal(device_ask(&device, 0, ORDER_RESERVE, 600), 1);
	assert_int_equal(device_ask(&device, 1, ORDER_RESERVE, 401), 0);
	assert_int_equal(device_ask(&device, 1, ORDER_RESERVE, 400), 1);
	assert_int_equal(device_ask(&device, 0, ORDER_USED, 0), 1000);
	assert_int_equal(client_memory(&device.client, VGPU_OP_MEMORY_ALLOC, 1), VGPU_ERR_CUDA);
	assert_int_equal(channel_status(harness, 0).memory_used_bytes, 600);
	assert_int_equal(channel_status(harness, 1).memory_used_bytes, 400);
	device_ask(&device, 0, ORDER_RELEASE, 100);
	assert_int_equal(client_memory(&device.client, VGPU_OP_MEMORY_ALLOC, 100), VGPU_ERR_NONE);
	assert_int_equal(device_ask(&device, 1, ORDER_USED, 0), 1000);
	device_close_channel(&device, 0);
	assert_int_equal(device_ask(&device, 1, ORDER_RESERVE, 500), 1);
	assert_int_equal(device_ask(&device, 1, ORDER_RESERVE, 1), 0);
	/* The quota changes under them. */
	harness->vm.quotas.gpu_memory_bytes = 1001;
	harness_put(harness);
	assert_int_equal(device_ask(&device, 1, ORDER_QUOTA, 0), 1001);
	assert_int_equal(device_ask(&device, 1, ORDER_RESERVE, 1), 1);
	assert_int_equal(device_ask(&device, 1, ORDER_RESERVE, UINT64_MAX), 0);
	device_close(&device);
}

static void a_worker_that_breaks_its_protocol_is_killed(void **state)
{
	static const struct {
		uint32_t order;
		uint64_t argument;
	} cases[] = { { ORDER_EXIT, 0 }, { ORDER_DONE, 0 }, { ORDER_RELEASE, 1 } };
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_open_channel(&device, 31);
	/* Another one holds what this one is to give back. */
	assert_int_equal(device_ask(&device, 31, ORDER_RESERVE, 4096), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* A loss of one that did something starts no pause. */
		device_ask(&device, 0, ORDER_COUNT, 1);
		device_order(&device, 0, cases[i].order, cases[i].argument);
		assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
		device_open_channel(&device, 0);
	}
	assert_int_equal(harness_status(harness).memory_used_bytes, 4096);
	assert_int_equal(device_ask(&device, 31, ORDER_ECHO, 8), 8);
	device_close(&device);
}

static void one_that_ignores_the_end_is_killed_after_2_s(void **state)
{
	struct harness *harness = *state;
	struct vm_status status;
	struct device device;
	int64_t start;
	pid_t pid;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 4);
	device_ask(&device, 4, ORDER_IGNORE_END, 0);
	assert_int_equal(device_ask(&device, 4, ORDER_RESERVE, 77), 1);
	pid = channel_status(harness, 4).worker_pid;
	start = vgpu_now_ns();
	device_send_close(&device, 4);
	/* Until then it is there, with its region and its memory. */
	harness_wait(harness, status,
		     status.channel_count == 1 &&
			     status.channels[0].state == VGPU_CHANNEL_STATE_CLOSING);
	assert_int_equal(status.memory_used_bytes, 77);
	assert_true(status.window_used_bytes > 0);
	assert_int_equal(device_closed(&device, 4), VGPU_ERR_NONE);
	assert_true(vgpu_now_ns() - start >= 1900 * VGPU_NS_PER_MS);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(harness_status(harness).memory_used_bytes, 0);
	assert_int_equal(harness_status(harness).usage.workers_lost, 0);
	device_close(&device);
}

/* A guest breaks its ring and closes the channel: the worker's FAILED and our END cross. */
static void one_that_fails_as_it_is_told_to_end_may_end(void **state)
{
	struct harness *harness = *state;
	const struct order *order;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_ask(&device, 0, ORDER_FAIL_AT_END, 0);
	order = (const struct order *)(const void *)(device.memory + device.channels[0].region);
	device_close_channel(&device, 0);
	assert_int_equal(order->answer, ORDER_FAIL_AT_END);
	assert_int_equal(harness_status(harness).usage.workers_lost, 0);
	device_close(&device);
}

static void what_workers_did_is_summed_and_kept(void **state)
{
	struct harness *harness = *state;
	union vgpu_link_message message;
	struct vm_status status;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_open_channel(&device, 1);
	device_ask(&device, 0, ORDER_COUNT, 10);
	device_ask(&device, 1, ORDER_COUNT, 5);
	assert_int_equal(channel_status(harness, 0).submissions, 10);
	assert_int_equal(channel_status(harness, 0).errors, 10);
	assert_int_equal(channel_status(harness, 1).gpu_time_ns, 5);
	status = harness_status(harness);
	assert_int_equal(status.usage.gpu_time_ns, 15);
	assert_int_equal(status.usage.requests, 15);
	assert_int_equal(status.usage.failed, 15);
	device_ask(&device, 0, ORDER_COUNT, 1);
	device_close_channel(&device, 0);
	kill(channel_status(harness, 1).worker_pid, SIGKILL);
	assert_int_equal(device_closed(&device, 1), VGPU_ERR_CONTEXT_LOST);
	assert_int_equal(harness_status(harness).usage.gpu_time_ns, 16);
	/* The device hears of it without asking. */
	device_open_channel(&device, 2);
	device_ask(&device, 2, ORDER_COUNT, 4);
	while (device.client.usage.time_ns != 20)
		assert_true(client_receive(&device.client, &message, CLIENT_TIMEOUT_MS) > 0);
	assert_int_equal(device.client.usage.jobs_failed, 20);
	device_close(&device);
}

static void a_worker_cannot_claim_more_time_than_has_passed(void **state)
{
	struct harness *harness = *state;
	int64_t start = vgpu_now_ns();
	struct vm_status status;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_ask(&device, 0, ORDER_LIE, 0);
	status = harness_status(harness);
	assert_true(status.usage.gpu_time_ns <= (uint64_t)(vgpu_now_ns() - start));
	assert_true(status.usage.requests <= (uint64_t)(vgpu_now_ns() - start));
	assert_true(status.usage.failed <= status.usage.requests);
	device_close(&device);
}

static void workers_that_cannot_start_are_an_answer_and_not_a_loop(void **state)
{
	static const uint64_t how[] = { FAKE_START_FAILED, FAKE_START_EXIT };
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	for (int i = 0; i < 2; i++) {
		harness->vm.quotas.gpu_memory_bytes = how[i];
		harness_put(harness);
		for (int j = 0; j < 4; j++) {
			device_send_open(&device, 0, DEVICE_ENTRIES, DEVICE_WINDOW);
			assert_int_equal(device_opened(&device, 0), VGPU_ERR_UNAVAILABLE);
		}
		assert_int_equal(harness_status(harness).window_used_bytes, 0);
		harness->vm.quotas.gpu_memory_bytes = 0;
		harness_put(harness);
		usleep(1000000);
		device_open_channel(&device, 0);
		device_ask(&device, 0, ORDER_COUNT, 1);
		device_order(&device, 0, ORDER_EXIT, 0);
		assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
		assert_int_equal(harness_status(harness).window_used_bytes, 0);
	}
	device_close(&device);
}

static void a_lost_link_reaps_all_of_its_workers(void **state)
{
	struct harness *harness = *state;
	pid_t pids[VGPU_CHANNELS_MAX];
	struct vm_status status;
	struct device device;

	device_open(&device, harness->link_path);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++) {
		device_open_channel(&device, i);
		device_ask(&device, i, ORDER_IGNORE_END, 0);
		assert_int_equal(device_ask(&device, i, ORDER_RESERVE, 4096), 1);
		pids[i] = channel_status(harness, i).worker_pid;
	}
	client_close(&device.client);
	harness_wait(harness, status, status.memory_used_bytes == 0);
	assert_int_equal(status.window_used_bytes, 0);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++)
		assert_int_equal(kill(pids[i], 0), -1);
	/* It comes back with the same BAR2. */
	device_connect(&device, harness->link_path);
	device_open_channel(&device, 0);
	assert_int_equal(device_ask(&device, 0, ORDER_ECHO, 6), 6);
	device_close(&device);
}

static void another_vm_id_ends_all_workers(void **state)
{
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	harness->vm.vm_id = 2;
	harness_put(harness);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	device_open_channel(&device, 0);
	device_close(&device);
}

/* A context counts from the start on, and not while it is given back. */
static void a_context_counts_while_it_is_there(void **state)
{
	struct harness *harness = *state;
	struct vm_status status;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	assert_true(channel_status(harness, 0).context);
	device_ask(&device, 0, ORDER_CONTEXT, 0);
	harness_wait(harness, status, !status.channels[0].context);
	assert_int_equal(device_ask(&device, 0, ORDER_CONTEXT, 1), 1);
	assert_true(channel_status(harness, 0).context);
	assert_int_equal(harness_status(harness).memory_used_bytes, 0);
	device_close(&device);
}

static void one_context_is_all_that_a_worker_has(void **state)
{
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_open_channel(&device, 1);
	device_order(&device, 0, ORDER_CONTEXT, 1);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	device_ask(&device, 1, ORDER_CONTEXT, 0);
	device_order(&device, 1, ORDER_CONTEXT, 0);
	assert_int_equal(device_closed(&device, 1), VGPU_ERR_CONTEXT_LOST);
	device_close(&device);
}

static void a_deleted_vm_leaves_no_worker(void **state)
{
	struct harness *harness = *state;
	struct vgpu_error *err = NULL;
	struct device device;
	pid_t pid;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_send_open(&device, 1, DEVICE_ENTRIES, DEVICE_WINDOW);
	pid = channel_status(harness, 0).worker_pid;
	assert_int_equal(control_vm_delete(harness->control, harness->vm.uuid, &err), 0);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	wait_until(kill(pid, 0) < 0);
	harness_put(harness);
	device_close(&device);
}

static void a_rings_queue_depth_changes_under_it(void **state)
{
	struct harness *harness = *state;
	struct device device;

	harness->vm.quotas.queue_depth = 7;
	harness_put(harness);
	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	assert_int_equal(device_ask(&device, 0, ORDER_DEPTH, 0), 7);
	harness->vm.quotas.queue_depth = 2;
	harness_put(harness);
	assert_int_equal(device_ask(&device, 0, ORDER_DEPTH, 0), 2);
	device_close(&device);
}

/* The host has room for one window: the next has it when the worker of the last is gone. */
static void room_on_the_host_comes_back(void **state)
{
	struct harness *harness = *state;
	struct vgpu_error *err = NULL;
	struct device device;

	harness->config->window_commitment_bytes =
		vgpu_ring_window_offset(DEVICE_ENTRIES) + DEVICE_WINDOW;
	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_send_open(&device, 1, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&device, 1), VGPU_ERR_WINDOW_LIMIT);
	device_reset(&device);
	device_open_channel(&device, 0);
	assert_int_equal(control_vm_delete(harness->control, harness->vm.uuid, &err), 0);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	client_close(&device.client);
	harness_put(harness);
	device_connect(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_close(&device);
}

/* Three contexts fit the only GPU beside this VM's quota of memory. */
static void bound_contexts(struct harness *harness, uint64_t quota_bytes)
{
	const uint64_t context_bytes = UINT64_C(100) << 20;
	struct gpu_report *report = calloc(1, sizeof(*report));

	assert_non_null(report);
	harness->vm.quotas.gpu_memory_bytes = quota_bytes;
	harness_put(harness);
	harness->config->context_memory_bytes = context_bytes;
	harness->config->pools[0].memory_commitment = 100;
	report->count = 1;
	report->gpus[0].memory_bytes = 3 * context_bytes + 2 * quota_bytes;
	assert_int_equal(control_gpus(harness->control, report, NULL), 0);
	free(report);
}

static void contexts_that_are_being_made_count(void **state)
{
	struct harness *harness = *state;
	struct device device;

	bound_contexts(harness, FAKE_START_SILENT);
	device_open(&device, harness->link_path);
	for (uint32_t i = 0; i < 3; i++)
		device_send_open(&device, i, DEVICE_ENTRIES, DEVICE_WINDOW);
	device_send_open(&device, 3, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&device, 3), VGPU_ERR_UNAVAILABLE);
	device_close(&device);
}

static void contexts_that_are_gone_are_room_for_another_vm(void **state)
{
	const uint64_t quota_bytes = UINT64_C(60) << 20;
	struct harness *harness = *state;
	struct vgpu_error *err = NULL;
	struct vm_config other;
	struct device device;

	bound_contexts(harness, quota_bytes);
	device_open(&device, harness->link_path);
	for (uint32_t i = 0; i < 3; i++)
		device_open_channel(&device, i);
	other = harness->vm;
	other.uuid[15]++;
	other.vm_id = 2;
	other.quotas.gpu_memory_bytes = 2 * quota_bytes;
	assert_int_equal(control_vm_put(harness->control, &other, &err), -1);
	assert_int_equal(err->status, EDQUOT);
	vgpu_error_free(&err);
	for (uint32_t i = 0; i < 3; i++)
		device_close_channel(&device, i);
	if (control_vm_put(harness->control, &other, &err) < 0)
		fail_msg("%s", err->message);
	assert_int_equal(control_vm_delete(harness->control, other.uuid, &err), 0);
	device_close(&device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_death_of_one_leaves_the_others_alone),
		TEST(the_memory_quota_is_one_over_all_workers),
		TEST(a_worker_that_breaks_its_protocol_is_killed),
		TEST(one_that_ignores_the_end_is_killed_after_2_s),
		TEST(one_that_fails_as_it_is_told_to_end_may_end),
		TEST(what_workers_did_is_summed_and_kept),
		TEST(a_worker_cannot_claim_more_time_than_has_passed),
		TEST(workers_that_cannot_start_are_an_answer_and_not_a_loop),
		TEST(a_lost_link_reaps_all_of_its_workers),
		TEST(another_vm_id_ends_all_workers),
		TEST(a_context_counts_while_it_is_there),
		TEST(one_context_is_all_that_a_worker_has),
		TEST(a_deleted_vm_leaves_no_worker),
		TEST(a_rings_queue_depth_changes_under_it),
		TEST(room_on_the_host_comes_back),
		TEST(contexts_that_are_being_made_count),
		TEST(contexts_that_are_gone_are_room_for_another_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
