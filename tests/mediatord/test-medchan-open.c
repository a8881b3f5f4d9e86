/* SPDX-License-Identifier: Apache-2.0 */
/* Channels are opened, placed, counted against the quotas, and closed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/ring.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"

#define SMALL_REGION (3 * 4096u) /* of device_open_channel() */

static void a_channel_opens_serves_and_closes(void **state)
{
	struct harness *harness = *state;
	struct vm_status status;
	struct device device;
	pid_t pid;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 7);
	assert_int_equal(device_ask(&device, 7, ORDER_ECHO, 42), 42);
	assert_int_equal(device_ask(&device, 7, ORDER_DESCRIPTORS, 0), 4);
	assert_int_equal(device_ask(&device, 7, ORDER_SHRINK, 0), 0);
	status = harness_status(harness);
	assert_int_equal(status.channel_count, 1);
	assert_int_equal(status.channels[0].number, 7);
	assert_int_equal(status.channels[0].state, VGPU_CHANNEL_STATE_OPEN);
	assert_int_equal(status.channels[0].region_bytes, SMALL_REGION);
	assert_string_equal(status.channels[0].gpu_name, "Fake GPU");
	assert_int_equal(status.window_used_bytes, SMALL_REGION);
	/* It is not the mailbox's worker. */
	assert_int_equal(status.worker_state, VGPU_WORKER_NONE);
	pid = status.channels[0].worker_pid;
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);

	device_close_channel(&device, 7);
	assert_int_equal(kill(pid, 0), -1);
	status = harness_status(harness);
	assert_int_equal(status.channel_count, 0);
	assert_int_equal(status.window_used_bytes, 0);
	assert_int_equal(status.usage.workers_lost, 0);
	device_close(&device);
}

static void the_window_in_use_is_reported_to_the_device(void **state)
{
	struct harness *harness = *state;
	union vgpu_link_message message;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	while (device.client.usage.window_bytes != SMALL_REGION)
		assert_true(client_receive(&device.client, &message, CLIENT_TIMEOUT_MS) > 0);
	device_close_channel(&device, 0);
	while (device.client.usage.window_bytes != 0)
		assert_true(client_receive(&device.client, &message, CLIENT_TIMEOUT_MS) > 0);
	device_close(&device);
}

static void thirty_two_channels_are_open_at_once(void **state)
{
	struct harness *harness = *state;
	struct vm_status status;
	struct device device;

	harness->vm.quotas.channels = 0; /* no limit but the device's */
	harness_put(harness);
	device_open(&device, harness->link_path);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++)
		device_open_channel(&device, i);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++) {
		assert_int_equal(device_ask(&device, i, ORDER_ECHO, 1000 + i), 1000 + i);
		for (uint32_t j = 0; j < i; j++)
			assert_true(device.channels[i].region >=
					    device.channels[j].region + SMALL_REGION ||
				    device.channels[j].region >=
					    device.channels[i].region + SMALL_REGION);
	}
	status = harness_status(harness);
	assert_int_equal(status.channel_count, VGPU_CHANNELS_MAX);
	assert_int_equal(status.window_used_bytes, VGPU_CHANNELS_MAX * SMALL_REGION);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++)
		device_close_channel(&device, i);
	assert_int_equal(harness_status(harness).window_used_bytes, 0);
	device_close(&device);
}

static void a_region_comes_back_clean_and_at_its_place(void **state)
{
	struct harness *harness = *state;
	struct device device;
	uint64_t region;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_open_channel(&device, 1);
	region = device.channels[0].region;
	device_close_channel(&device, 0);
	device_open_channel(&device, 2);
	assert_int_equal(device.channels[2].region, region);
	assert_int_equal(device_ask(&device, 1, ORDER_ECHO, 5), 5);
	device_close(&device);
}

static void a_large_window_begins_at_a_large_page(void **state)
{
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_send_open(&device, 1, VGPU_RING_ENTRIES, 4 << 20);
	assert_int_equal(device_opened(&device, 1), VGPU_ERR_NONE);
	assert_int_equal(device.channels[1].region, 2 << 20);
	assert_int_equal(device.channels[1].region_bytes,
			 vgpu_ring_window_offset(VGPU_RING_ENTRIES) + (4 << 20));
	device_close(&device);
}

static void sizes_that_cannot_be_are_refused(void **state)
{
	static const struct {
		uint32_t entries;
		uint64_t window;
		uint32_t error;
	} cases[] = {
		{ 0, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 8, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 17, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 8192, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 0x80000000u, 4096, VGPU_ERR_INVALID_REQUEST },
		{ 16, 0, VGPU_ERR_INVALID_REQUEST },
		{ 16, 4095, VGPU_ERR_INVALID_REQUEST },
		{ 16, 4097, VGPU_ERR_INVALID_REQUEST },
		{ 16, UINT64_MAX, VGPU_ERR_INVALID_REQUEST },
		{ 16, UINT64_MAX - 4095, VGPU_ERR_WINDOW_LIMIT },
		{ 16, UINT64_MAX - 8191, VGPU_ERR_WINDOW_LIMIT },
		{ 16, DEVICE_WINDOW_BYTES, VGPU_ERR_WINDOW_LIMIT },
		{ 16, DEVICE_WINDOW_BYTES + 4096, VGPU_ERR_WINDOW_LIMIT },
		{ 16, DEVICE_WINDOW_BYTES - 2 * 4096, VGPU_ERR_NONE },
		{ 4096, 4096, VGPU_ERR_NONE },
	};
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		device_send_open(&device, 3, cases[i].entries, cases[i].window);
		if (device_opened(&device, 3) != cases[i].error)
			fail_msg("case %zu got another answer", i);
		if (!cases[i].error)
			device_close_channel(&device, 3);
	}
	assert_int_equal(harness_status(harness).window_used_bytes, 0);
	device_close(&device);
}

static void the_quota_of_channels_holds(void **state)
{
	struct harness *harness = *state;
	struct device device;

	harness->vm.quotas.channels = 2;
	harness_put(harness);
	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_open_channel(&device, 1);
	device_send_open(&device, 2, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&device, 2), VGPU_ERR_CHANNEL_LIMIT);
	device_close_channel(&device, 0);
	device_open_channel(&device, 2);
	/* At run time: what is open stays, and nothing more comes. */
	harness->vm.quotas.channels = 1;
	harness_put(harness);
	device_close_channel(&device, 2);
	device_send_open(&device, 3, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&device, 3), VGPU_ERR_CHANNEL_LIMIT);
	assert_int_equal(device_ask(&device, 1, ORDER_ECHO, 9), 9);
	device_close(&device);
}

static void the_quota_of_window_memory_holds_to_the_byte(void **state)
{
	struct harness *harness = *state;
	struct device device;

	harness->vm.quotas.window_bytes = 2 * SMALL_REGION;
	harness_put(harness);
	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_send_open(&device, 1, DEVICE_ENTRIES, DEVICE_WINDOW + 4096);
	assert_int_equal(device_opened(&device, 1), VGPU_ERR_WINDOW_LIMIT);
	device_open_channel(&device, 1);
	device_send_open(&device, 2, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&device, 2), VGPU_ERR_WINDOW_LIMIT);
	assert_int_equal(harness_status(harness).window_used_bytes, 2 * SMALL_REGION);
	device_close_channel(&device, 1);
	device_open_channel(&device, 2);
	device_close(&device);
}

static void a_full_bar_is_refused(void **state)
{
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	device_send_open(&device, 0, DEVICE_ENTRIES, DEVICE_WINDOW_BYTES / 2);
	assert_int_equal(device_opened(&device, 0), VGPU_ERR_NONE);
	device_send_open(&device, 1, DEVICE_ENTRIES, DEVICE_WINDOW_BYTES / 2);
	assert_int_equal(device_opened(&device, 1), VGPU_ERR_WINDOW_LIMIT);
	device_open_channel(&device, 1);
	device_close(&device);
}

static void an_open_waits_for_what_is_about_to_be_free(void **state)
{
	struct harness *harness = *state;
	struct device device;

	harness->vm.quotas.channels = 1;
	harness_put(harness);
	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_ask(&device, 0, ORDER_IGNORE_END, 0);
	/* The first holds the only place until it was killed. */
	device_send_close(&device, 0);
	device_send_open(&device, 1, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_NONE);
	assert_int_equal(device_opened(&device, 1), VGPU_ERR_NONE);
	/* And one that waits can be closed. */
	device_ask(&device, 1, ORDER_IGNORE_END, 0);
	device_send_close(&device, 1);
	device_send_open(&device, 2, DEVICE_ENTRIES, DEVICE_WINDOW);
	device_close_channel(&device, 2);
	assert_int_equal(device_closed(&device, 1), VGPU_ERR_NONE);
	device_close(&device);
}

static void a_reset_forgets_all_and_never_hands_out_a_region_twice(void **state)
{
	struct harness *harness = *state;
	struct device device;
	struct vm_status status;

	harness->vm.quotas.channels = 4;
	harness_put(harness);
	device_open(&device, harness->link_path);
	for (int round = 0; round < 10; round++) {
		for (uint32_t i = 0; i < 4; i++)
			device_send_open(&device, i, DEVICE_ENTRIES, 6 << 20);
		for (uint32_t i = 0; i < 4; i++) {
			union vgpu_link_message message;
			uint32_t n;

			/* Serials tell these from what the reset cut off. */
			assert_int_equal(
				client_receive_answer(&device.client, &message, CLIENT_TIMEOUT_MS),
				VGPU_MSG_OPENED);
			n = message.opened.channel;
			assert_int_equal(message.opened.serial, device.channels[n].serial);
			assert_int_equal(message.opened.error_code, VGPU_ERR_NONE);
			device.channels[n].region = message.opened.region;
		}
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(device_ask(&device, i, ORDER_ECHO, i), i);
		device_reset(&device);
	}
	harness_wait(harness, status, status.window_used_bytes == 0);
	assert_int_equal(status.channel_count, 0);
	device_close(&device);
}

static void opens_in_a_flood_are_slowed_down_and_all_answered(void **state)
{
	struct harness *harness = *state;
	struct device device;
	int64_t start = vgpu_now_ns();

	device_open(&device, harness->link_path);
	for (int i = 0; i < 100; i++) {
		device_open_channel(&device, 0);
		device_close_channel(&device, 0);
	}
	/* 64 at once, and the other 36 at 50 a second. */
	assert_true(vgpu_now_ns() - start > 600 * VGPU_NS_PER_MS);
	device_close(&device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_channel_opens_serves_and_closes),
		TEST(the_window_in_use_is_reported_to_the_device),
		TEST(thirty_two_channels_are_open_at_once),
		TEST(a_region_comes_back_clean_and_at_its_place),
		TEST(a_large_window_begins_at_a_large_page),
		TEST(sizes_that_cannot_be_are_refused),
		TEST(the_quota_of_channels_holds),
		TEST(the_quota_of_window_memory_holds_to_the_byte),
		TEST(a_full_bar_is_refused),
		TEST(an_open_waits_for_what_is_about_to_be_free),
		TEST(a_reset_forgets_all_and_never_hands_out_a_region_twice),
		TEST(opens_in_a_flood_are_slowed_down_and_all_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
