/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of several GPUs: where channels are placed, and what happens when one of them fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/uuid.h"
#include "mediatord/gpus/report.h"
#include "mediatord/worker_protocol.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"
#include "tests/wait.h"

#define MIB	    (UINT64_C(1) << 20)
#define CONTEXT_MIB 64

static int setup_two(void **state)
{
	return harness_setup_with(state,
				  "software-gpus = 2\ncontext-memory = 64MiB\n"
				  "[pool A]\ngpus = all\n",
				  "");
}

static int setup_pools(void **state)
{
	return harness_setup_with(
		state, "software-gpus = 2\n[pool A]\ngpus = 0\n[pool B]\ngpus = 1\n", "");
}

static int setup_three(void **state)
{
	return harness_setup_with(state, "software-gpus = 3\n[pool A]\ngpus = all\n", "");
}

/* Another VM, whose device is connected; harness->vm is that one from now on. */
static void open_other(struct harness *harness, uint32_t number, struct device *device)
{
	char uuid[VGPU_UUID_TEXT], path[256];

	harness->vm.vm_id = number;
	harness->vm.uuid[15] = (uint8_t)number;
	harness_put(harness);
	vgpu_uuid_format(harness->vm.uuid, uuid);
	snprintf(path, sizeof(path), "%s/link/%s.sock", harness->dir, uuid);
	device_open(device, path);
}

/* Of the channel that was opened last. */
static uint32_t last_gpu(struct harness *harness)
{
	struct vm_status status = harness_status(harness);

	assert_true(status.channel_count > 0);
	return status.channels[status.channel_count - 1].gpu;
}

static uint32_t open_channel(struct harness *harness, struct device *device, uint32_t number)
{
	device_open_channel(device, number);
	return last_gpu(harness);
}

/* What the driver says of the first two GPUs, as the thread that looks at them would tell it. */
static void report(struct harness *harness, enum gpu_state first, enum gpu_state second)
{
	static struct gpu_report gpus;

	gpus.count = 2;
	for (uint32_t i = 0; i < 2; i++)
		gpus.gpus[i] = (struct gpu){ .index = i,
					     .state = i ? second : first,
					     .memory_bytes = 1024 * MIB };
	assert_int_equal(control_gpus(harness->control, &gpus, NULL), 0);
}

static void channels_of_all_vms_spread_over_the_gpus_and_stay(void **state)
{
	struct harness *harness = *state;
	unsigned int on[3] = { 0 };
	struct vm_status before, after;
	struct device devices[3];

	device_open(&devices[0], harness->link_path);
	for (uint32_t vm = 0; vm < 3; vm++) {
		if (vm)
			open_other(harness, vm + 1, &devices[vm]);
		for (uint32_t i = 0; i < 4; i++)
			on[open_channel(harness, &devices[vm], i)]++;
	}
	for (uint32_t gpu = 0; gpu < 3; gpu++)
		assert_int_equal(on[gpu], 4);
	before = harness_status(harness);
	device_close(&devices[0]);
	device_close(&devices[1]);
	harness->vm.weight = 300;
	harness_put(harness);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(device_ask(&devices[2], i, ORDER_ECHO, i), i);
	after = harness_status(harness);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(after.channels[i].gpu, before.channels[i].gpu);
		assert_int_equal(after.channels[i].worker_pid, before.channels[i].worker_pid);
	}
	device_close(&devices[2]);
}

static void a_gpu_without_room_is_passed_over(void **state)
{
	struct harness *harness = *state;
	const struct vm_config first_vm = harness->vm;
	struct device first, second;
	struct vm_config second_vm;
	struct vm_status status;
	uint32_t full;

	report(harness, GPU_OK, GPU_OK);
	harness->vm.quotas.gpu_memory_bytes = 512 * MIB;
	harness_put(harness);
	device_open(&first, harness->link_path);
	full = open_channel(harness, &first, 0);
	/* So that its context and the whole quota of another VM are just too much there. */
	assert_int_equal(device_ask(&first, 0, ORDER_RESERVE, (512 - 2 * CONTEXT_MIB) * MIB + 4096),
			 1);
	open_other(harness, 2, &second);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_not_equal(open_channel(harness, &second, i), full);
	second_vm = harness->vm;
	harness->vm = first_vm;
	device_ask(&first, 0, ORDER_RELEASE, 4096);
	harness_wait(harness, status, status.memory_used_bytes == (512 - 2 * CONTEXT_MIB) * MIB);
	harness->vm = second_vm;
	assert_int_equal(open_channel(harness, &second, 3), full);
	device_close(&first);
	device_close(&second);
}

static void where_none_has_room_the_fewest_channels_decide(void **state)
{
	struct harness *harness = *state;
	struct device device;
	uint32_t first;

	report(harness, GPU_OK, GPU_OK);
	harness->vm.quotas.gpu_memory_bytes = 1500 * MIB; /* of 2048 that the pool has */
	harness_put(harness);
	device_open(&device, harness->link_path);
	first = open_channel(harness, &device, 0);
	assert_int_equal(open_channel(harness, &device, 1), !first);
	device_close(&device);
}

static void a_gpu_that_fails_ends_its_channels_alone(void **state)
{
	static const enum gpu_state failures[] = { GPU_LOST, GPU_HUNG };
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		report(harness, GPU_OK, GPU_OK);
		assert_int_equal(open_channel(harness, &device, 0), 0);
		assert_int_equal(open_channel(harness, &device, 1), 1);
		report(harness, failures[i], GPU_OK);
		assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
		assert_int_equal(device_ask(&device, 1, ORDER_ECHO, 9), 9);
		for (uint32_t other = 2; other < 5; other++)
			assert_int_equal(open_channel(harness, &device, other), 1);
		/* That nobody can say how it is does not mean that it works. */
		report(harness, GPU_UNKNOWN, GPU_UNKNOWN);
		assert_int_equal(open_channel(harness, &device, 5), 1);
		assert_int_equal(device_ask(&device, 1, ORDER_ECHO, 8), 8);
		report(harness, GPU_OK, GPU_OK);
		assert_int_equal(open_channel(harness, &device, 6), 0);
		assert_int_equal(device_ask(&device, 6, ORDER_ECHO, 7), 7);
		for (uint32_t number = 1; number < 7; number++)
			device_close_channel(&device, number);
	}
	/* A failed GPU is no fault of the VM's. */
	assert_int_equal(harness_status(harness).usage.faults, 0);
	device_close(&device);
}

static void a_pool_whose_gpus_all_failed_opens_nothing(void **state)
{
	struct harness *harness = *state;
	struct device device;

	report(harness, GPU_HUNG, GPU_LOST);
	device_open(&device, harness->link_path);
	device_send_open(&device, 0, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&device, 0), VGPU_ERR_UNAVAILABLE);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_UNAVAILABLE);
	report(harness, GPU_OK, GPU_LOST);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	device_close(&device);
}

static void a_mailbox_goes_on_on_another_gpu(void **state)
{
	struct harness *harness = *state;
	struct vm_status status;
	struct device device;
	pid_t pid;

	device_open(&device, harness->link_path);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	pid = harness_status(harness).worker_pid;
	report(harness, GPU_LOST, GPU_OK);
	harness_wait(harness, status, status.worker_pid != pid);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	assert_int_not_equal(harness_status(harness).worker_pid, 0);
	assert_int_equal(open_channel(harness, &device, 0), 1);
	device_close(&device);
}

/* A change that ends channels is not refused for one that ends already. */
static void a_vm_moves_while_a_channel_of_it_ends(void **state)
{
	struct harness *harness = *state;
	struct vm_status status;
	struct device device;

	device_open(&device, harness->link_path);
	assert_int_equal(open_channel(harness, &device, 0), 0);
	device_ask(&device, 0, ORDER_IGNORE_END, 0);
	device_ask(&device, 0, ORDER_WANT, VGPU_WORKER_WANT_GRANT);
	wait_until(device_ask(&device, 0, ORDER_GRANT, 0) == VGPU_GRANT_RUN);
	device_ask(&device, 0, ORDER_HOLD, 1);
	device_send_close(&device, 0);
	harness_wait(harness, status,
		     status.channel_count == 0 ||
			     status.channels[0].state == VGPU_CHANNEL_STATE_CLOSING);
	strcpy(harness->vm.pool, "B");
	harness_put(harness);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_NONE);
	assert_int_equal(open_channel(harness, &device, 0), 1);
	device_close(&device);
}

int main(void)
{
#define TEST(function, setup) cmocka_unit_test_setup_teardown(function, setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(channels_of_all_vms_spread_over_the_gpus_and_stay, setup_three),
		TEST(a_gpu_without_room_is_passed_over, setup_two),
		TEST(where_none_has_room_the_fewest_channels_decide, setup_two),
		TEST(a_gpu_that_fails_ends_its_channels_alone, setup_two),
		TEST(a_pool_whose_gpus_all_failed_opens_nothing, setup_two),
		TEST(a_mailbox_goes_on_on_another_gpu, setup_two),
		TEST(a_vm_moves_while_a_channel_of_it_ends, setup_pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
