/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that send without end cost the mediator a bounded part of its time, and others nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "mediatord/pace.h"
#include "mediatord/worker_protocol.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"

#define OTHER_UUID "00000000-0000-4000-8000-0000000000bb"

/* Of workers, all of one VM. */
#define FLOODS 4u

/* What a worker's socket holds beside what was read, at most: a message takes 256 bytes or more. */
#define SOCKET_MESSAGES 512u

/* Messages that they have sent. */
static uint64_t flooded(const struct device *device)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < FLOODS; i++) {
		const struct order *order =
			(struct order *)(device->memory + device->channels[i].region);

		sum += __atomic_load_n(&order->flooded, __ATOMIC_RELAXED);
	}
	return sum;
}

/* Another VM's worker, an honest one, gets the GPU as often as it wants it. */
static void get_turns(struct device *device)
{
	for (int turn = 0; turn < 20; turn++) {
		for (int i = 0; device_ask(device, 0, ORDER_HOLD, 1) == 0; i++) {
			assert_true(i < 12000);
			device_ask(device, 0, ORDER_YIELD, 0);
			device_ask(device, 0, ORDER_WANT, VGPU_WORKER_WANT_GRANT);
			usleep(500);
		}
		device_ask(device, 0, ORDER_YIELD, 0);
	}
}

static void put_other(struct harness *harness, struct vm_config *other)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	*other = harness->vm;
	assert_int_equal(vgpu_uuid_parse(OTHER_UUID, other->uuid), 0);
	other->vm_id = 2;
	if (control_vm_put(harness->control, other, &err) < 0)
		fail_msg("%s", err->message);
}

static void flood_and_look(struct harness *harness, uint32_t what)
{
	struct device device, victim;
	struct vm_config other;
	char path[128];
	int64_t start_ns;
	uint64_t sent, most;

	put_other(harness, &other);
	snprintf(path, sizeof(path), "%s/" OTHER_UUID ".sock", harness->config->link_dir);
	device_open(&victim, path);
	device_open_channel(&victim, 0);
	device_open(&device, harness->link_path);
	for (uint32_t i = 0; i < FLOODS; i++)
		device_open_channel(&device, i);
	start_ns = vgpu_now_ns();
	for (uint32_t i = 0; i < FLOODS; i++)
		device_order(&device, i, ORDER_FLOOD, what);
	get_turns(&victim);
	for (int i = 0; flooded(&device) < (uint64_t)(20 * pace_messages.at_once); i++) {
		assert_true(i < 60000);
		usleep(1000);
	}
	get_turns(&victim);
	/* Before the time that it took: they go on. */
	sent = flooded(&device);
	most = (uint64_t)((vgpu_now_ns() - start_ns) / pace_messages.interval_ns +
			  pace_messages.at_once) +
	       FLOODS * SOCKET_MESSAGES;
	assert_in_range(sent, 0, most);
	device_close(&device);
	device_close(&victim);
	assert_int_equal(control_vm_delete(harness->control, other.uuid, NULL), 0);
}

static void who_wants_without_end_is_heard_so_often_at_most(void **state)
{
	flood_and_look(*state, VGPU_WORKER_WANT_GRANT | VGPU_WORKER_WANT_TOKENS);
}

static void who_yields_without_end_is_heard_so_often_at_most(void **state)
{
	flood_and_look(*state, 0);
}

/* It is still heard that it ends, and that it has room for another. */
static void who_floods_can_be_closed_and_opened_again(void **state)
{
	struct harness *harness = *state;
	struct device device;

	device_open(&device, harness->link_path);
	device_open_channel(&device, 0);
	device_order(&device, 0, ORDER_FLOOD, VGPU_WORKER_WANT_GRANT);
	device_close_channel(&device, 0);
	device_open_channel(&device, 0);
	device_ask(&device, 0, ORDER_ECHO, 1);
	device_close(&device);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_wants_without_end_is_heard_so_often_at_most),
		TEST(who_yields_without_end_is_heard_so_often_at_most),
		TEST(who_floods_can_be_closed_and_opened_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
