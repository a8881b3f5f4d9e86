/* SPDX-License-Identifier: Apache-2.0 */
/* A grant stands until its worker could begin, however soon others want the GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/uuid.h"
#include "mediatord/worker_protocol.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"

#define OTHER_UUID "00000000-0000-4000-8000-0000000000bb"
#define RUN	   VGPU_GRANT_RUN
#define CONTENDED  (VGPU_GRANT_RUN | VGPU_GRANT_CONTENDED)

struct two {
	struct harness *harness;
	struct vm_config other;
	struct device a, b;
};

/* No slice ends while this test looks. */
static int setup(void **state)
{
	return harness_setup_with(state, "", "slice = 600s\n");
}

static void wait_grant(struct device *device, uint64_t expected)
{
	uint64_t grant = device_ask(device, 0, ORDER_GRANT, 0);

	for (int i = 0; grant != expected && i < 12000; i++) {
		usleep(5000);
		grant = device_ask(device, 0, ORDER_GRANT, 0);
	}
	assert_int_equal(grant, expected);
}

static void want(struct device *device)
{
	device_ask(device, 0, ORDER_WANT, VGPU_WORKER_WANT_GRANT);
}

/* Two VMs with a channel each; the first was granted the GPU, and does not know yet. */
static void begin(struct two *two, struct harness *harness)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char path[128];

	two->harness = harness;
	two->other = harness->vm;
	assert_int_equal(vgpu_uuid_parse(OTHER_UUID, two->other.uuid), 0);
	two->other.vm_id = 2;
	if (control_vm_put(harness->control, &two->other, &err) < 0)
		fail_msg("%s", err->message);
	snprintf(path, sizeof(path), "%s/" OTHER_UUID ".sock", harness->config->link_dir);
	device_open(&two->a, harness->link_path);
	device_open(&two->b, path);
	device_open_channel(&two->a, 0);
	device_open_channel(&two->b, 0);
	want(&two->a);
	wait_grant(&two->a, RUN);
}

static void end(struct two *two)
{
	device_close(&two->a);
	device_close(&two->b);
	assert_int_equal(control_vm_delete(two->harness->control, two->other.uuid, NULL), 0);
}

static void who_has_not_begun_keeps_its_grant(void **state)
{
	struct two two;

	begin(&two, *state);
	want(&two.b);
	wait_grant(&two.a, CONTENDED);
	assert_int_equal(device_ask(&two.a, 0, ORDER_HOLD, 1), CONTENDED);
	assert_int_equal(device_ask(&two.b, 0, ORDER_GRANT, 0), 0);
	device_ask(&two.a, 0, ORDER_YIELD, 0);
	wait_grant(&two.b, RUN);
	end(&two);
}

/* It says that it has used the GPU. */
static void who_had_begun_and_rests_gives_the_gpu_up(void **state)
{
	struct two two;

	begin(&two, *state);
	device_ask(&two.a, 0, ORDER_COUNT, 1);
	want(&two.b);
	wait_grant(&two.b, RUN);
	assert_int_equal(device_ask(&two.a, 0, ORDER_GRANT, 0), 0);
	end(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_has_not_begun_keeps_its_grant, setup,
						harness_teardown),
		cmocka_unit_test_setup_teardown(who_had_begun_and_rests_gives_the_gpu_up, setup,
						harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
