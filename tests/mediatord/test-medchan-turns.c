/* SPDX-License-Identifier: Apache-2.0 */
/* Channels of two VMs take turns on one GPU; who does not keep to them loses the channel. */
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
#include "mediatord/worker_protocol.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"
#include "tests/wait.h"

#define OTHER_UUID "00000000-0000-4000-8000-0000000000bb"
#define RUN	   VGPU_GRANT_RUN

struct two {
	struct harness *harness;
	struct vm_config other;
	struct device a, b;
};

/* Waits until an order's answer is the one that is expected. */
static void wait_answer(struct device *device, uint32_t kind, uint64_t expected)
{
	wait_until(device_ask(device, 0, kind, 0) == expected);
}

static void put_other(struct two *two)
{
	struct vgpu_error *err = NULL;

	if (control_vm_put(two->harness->control, &two->other, &err) < 0)
		fail_msg("%s", err->message);
}

/* Two VMs, each with channel 0 open. */
static void begin(struct two *two, struct harness *harness)
{
	char path[128];

	two->harness = harness;
	two->other = harness->vm;
	assert_int_equal(vgpu_uuid_parse(OTHER_UUID, two->other.uuid), 0);
	two->other.vm_id = 2;
	strcpy(two->other.name, "other");
	put_other(two);
	snprintf(path, sizeof(path), "%s/" OTHER_UUID ".sock", harness->config->link_dir);
	device_open(&two->a, harness->link_path);
	device_open(&two->b, path);
	device_open_channel(&two->a, 0);
	device_open_channel(&two->b, 0);
}

static void end(struct two *two)
{
	device_close(&two->a);
	device_close(&two->b);
	assert_int_equal(control_vm_delete(two->harness->control, two->other.uuid, NULL), 0);
}

static void want(struct device *device)
{
	device_ask(device, 0, ORDER_WANT, VGPU_WORKER_WANT_GRANT);
}

static void take(struct device *device)
{
	want(device);
	wait_answer(device, ORDER_GRANT, RUN);
	assert_int_equal(device_ask(device, 0, ORDER_HOLD, 1), RUN);
}

static void who_is_alone_has_a_standing_grant(void **state)
{
	struct two two;

	begin(&two, *state);
	assert_int_equal(device_ask(&two.a, 0, ORDER_GRANT, 0), 0);
	take(&two.a);
	/* Giving it up by itself, unasked, it asks again. */
	device_ask(&two.a, 0, ORDER_YIELD, 0);
	wait_answer(&two.a, ORDER_GRANT, 0);
	take(&two.a);
	end(&two);
}

static void who_holds_nothing_is_not_waited_for(void **state)
{
	struct two two;

	begin(&two, *state);
	want(&two.a);
	wait_answer(&two.a, ORDER_GRANT, RUN);
	want(&two.b);
	wait_answer(&two.b, ORDER_GRANT, RUN);
	assert_int_equal(device_ask(&two.a, 0, ORDER_GRANT, 0), 0);
	end(&two);
}

static void who_holds_the_gpu_has_it_until_it_yields(void **state)
{
	struct two two;

	begin(&two, *state);
	take(&two.a);
	want(&two.b);
	/* After its slice it is asked to yield; until it does, the other waits. */
	wait_answer(&two.a, ORDER_GRANT, 0);
	assert_int_equal(device_ask(&two.b, 0, ORDER_GRANT, 0), 0);
	device_ask(&two.a, 0, ORDER_YIELD, 0);
	wait_answer(&two.b, ORDER_GRANT, RUN);
	/* A second YIELDED, of a channel that has nothing, moves nobody. */
	device_ask(&two.a, 0, ORDER_YIELD, 0);
	assert_int_equal(device_ask(&two.b, 0, ORDER_HOLD, 1) & RUN, RUN);
	end(&two);
}

static void who_wants_while_it_still_works_is_heard(void **state)
{
	struct two two;

	begin(&two, *state);
	take(&two.a);
	want(&two.b);
	wait_answer(&two.a, ORDER_GRANT, 0);
	/* Its next submission needs a turn before its last one has ended this. */
	want(&two.a);
	/* Answered after what was sent before: the mediator has heard it. */
	assert_int_equal(device_ask(&two.a, 0, ORDER_RESERVE, 1), 1);
	device_ask(&two.a, 0, ORDER_YIELD, 0);
	/* The other's turn ends with its slice, since it does nothing with it. */
	wait_answer(&two.a, ORDER_GRANT, RUN);
	assert_int_equal(device_ask(&two.b, 0, ORDER_GRANT, 0), 0);
	end(&two);
}

static void who_says_yielded_and_holds_on_is_not_believed(void **state)
{
	struct two two;

	begin(&two, *state);
	take(&two.a);
	want(&two.b);
	wait_answer(&two.a, ORDER_GRANT, 0);
	/* Says one thing in its message, and another in its page. */
	device_ask(&two.a, 0, ORDER_YIELD, 0);
	wait_answer(&two.b, ORDER_GRANT, RUN);
	device_ask(&two.b, 0, ORDER_HOLD, 1);
	want(&two.a);
	wait_answer(&two.b, ORDER_GRANT, 0);
	assert_int_equal(device_ask(&two.a, 0, ORDER_GRANT, 0), 0);
	device_ask(&two.b, 0, ORDER_YIELD, 0);
	wait_answer(&two.a, ORDER_GRANT, RUN);
	end(&two);
}

static void who_does_not_yield_is_killed(void **state)
{
	struct two two;

	begin(&two, *state);
	two.harness->vm.quotas.longest_job_ms = 0;
	harness_put(two.harness);
	take(&two.a);
	want(&two.b);
	assert_int_equal(device_closed(&two.a, 0), VGPU_ERR_TIMEOUT);
	wait_answer(&two.b, ORDER_GRANT, RUN);
	/* Its VM is served again. */
	device_open_channel(&two.a, 0);
	end(&two);
}

static void the_death_of_the_owner_frees_the_gpu(void **state)
{
	struct two two;

	begin(&two, *state);
	take(&two.a);
	want(&two.b);
	device_order(&two.a, 0, ORDER_EXIT, 0);
	assert_int_equal(device_closed(&two.a, 0), VGPU_ERR_CONTEXT_LOST);
	wait_answer(&two.b, ORDER_GRANT, RUN);
	end(&two);
}

/* However long its end takes. */
static void who_ends_without_the_gpu_is_not_waited_for(void **state)
{
	struct two two;

	begin(&two, *state);
	device_ask(&two.a, 0, ORDER_IGNORE_END, 0);
	want(&two.a);
	wait_answer(&two.a, ORDER_GRANT, RUN);
	device_send_close(&two.a, 0);
	wait_answer(&two.a, ORDER_GRANT, 0);
	want(&two.b);
	wait_answer(&two.b, ORDER_GRANT, RUN);
	end(&two);
}

static void who_ends_with_the_gpu_has_it_until_it_yields(void **state)
{
	struct two two;

	begin(&two, *state);
	device_ask(&two.a, 0, ORDER_IGNORE_END, 0);
	take(&two.a);
	device_send_close(&two.a, 0);
	wait_answer(&two.a, ORDER_GRANT, 0);
	want(&two.b);
	assert_int_equal(device_ask(&two.b, 0, ORDER_GRANT, 0), 0);
	device_ask(&two.a, 0, ORDER_YIELD, 0);
	wait_answer(&two.b, ORDER_GRANT, RUN);
	end(&two);
}

/* A closed channel's worker is killed after 2 s in any case, and that is no fault. */
#define CLOSES_MAX 20

/* Who closes a channel does not get around the limits: it is ended for them as an open one. */
static void close_with_the_gpu(struct two *two, uint32_t longest_job_ms,
			       void (*exceed)(struct two *two))
{
	struct vm_status status;
	uint64_t faults = 0;

	two->harness->vm.quotas.longest_job_ms = longest_job_ms;
	harness_put(two->harness);
	for (int i = 0; i < CLOSES_MAX && !faults; i++) {
		if (i > 0)
			device_open_channel(&two->a, 0);
		device_ask(&two->a, 0, ORDER_IGNORE_END, 0);
		take(&two->a);
		device_send_close(&two->a, 0);
		harness_wait(two->harness, status,
			     status.channel_count == 0 ||
				     status.channels[0].state == VGPU_CHANNEL_STATE_CLOSING);
		exceed(two);
		assert_int_equal(device_closed(&two->a, 0), VGPU_ERR_NONE);
		faults = harness_status(two->harness).usage.faults;
	}
	assert_int_equal(faults, 1);
}

static void let_the_other_want(struct two *two)
{
	want(&two->b);
}

static void who_ends_with_the_gpu_has_to_yield(void **state)
{
	struct two two;

	begin(&two, *state);
	close_with_the_gpu(&two, 0, let_the_other_want);
	wait_answer(&two.b, ORDER_GRANT, RUN);
	end(&two);
}

/* It may be killed before it can answer. */
static void let_its_job_last(struct two *two)
{
	device_order(&two->a, 0, ORDER_JOB_SINCE, (uint64_t)vgpu_now_ns());
}

static void a_closed_channels_job_has_its_limit(void **state)
{
	struct two two;

	begin(&two, *state);
	close_with_the_gpu(&two, 60, let_its_job_last);
	end(&two);
}

static void a_job_beyond_the_limit_ends_the_channel(void **state)
{
	struct two two;

	begin(&two, *state);
	two.harness->vm.quotas.longest_job_ms = 60;
	harness_put(two.harness);
	/* It may be killed before it can answer. */
	device_order(&two.a, 0, ORDER_JOB_SINCE, (uint64_t)vgpu_now_ns());
	assert_int_equal(device_closed(&two.a, 0), VGPU_ERR_TIMEOUT);
	end(&two);
}

static void tokens_are_the_vms_rate(void **state)
{
	struct two two;

	begin(&two, *state);
	wait_answer(&two.a, ORDER_TOKENS, VGPU_GRANT_NO_LIMIT);
	two.harness->vm.quotas.requests_per_second = 1;
	two.harness->vm.quotas.burst = 3;
	harness_put(two.harness);
	wait_until(device_ask(&two.a, 0, ORDER_TOKENS, 0) <= 3);
	device_ask(&two.a, 0, ORDER_COUNT, 3);
	device_ask(&two.a, 0, ORDER_WANT, VGPU_WORKER_WANT_TOKENS);
	wait_until(device_ask(&two.a, 0, ORDER_TOKENS, 0) >= 4);
	two.harness->vm.quotas.requests_per_second = 0;
	two.harness->vm.quotas.burst = 0;
	harness_put(two.harness);
	wait_answer(&two.a, ORDER_TOKENS, VGPU_GRANT_NO_LIMIT);
	end(&two);
}

static void a_gpu_that_fails_takes_its_channels_along(void **state)
{
	struct gpu_report *report = calloc(1, sizeof(*report));
	struct two two;

	begin(&two, *state);
	assert_non_null(report);
	report->count = 1;
	report->gpus[0].state = GPU_HUNG;
	take(&two.a);
	assert_int_equal(client_nop(&two.a.client), VGPU_ERR_NONE);
	assert_int_equal(control_gpus(two.harness->control, report, NULL), 0);
	assert_int_equal(device_closed(&two.a, 0), VGPU_ERR_CONTEXT_LOST);
	assert_int_equal(device_closed(&two.b, 0), VGPU_ERR_CONTEXT_LOST);
	device_send_open(&two.a, 0, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&two.a, 0), VGPU_ERR_UNAVAILABLE);
	report->gpus[0].state = GPU_OK;
	assert_int_equal(control_gpus(two.harness->control, report, NULL), 0);
	/* Failed starts are waited for with patience. */
	for (int i = 0; i < WAIT_MS / 10; i++) {
		device_send_open(&two.a, 0, DEVICE_ENTRIES, DEVICE_WINDOW);
		if (device_opened(&two.a, 0) == VGPU_ERR_NONE)
			break;
		usleep(10000);
	}
	take(&two.a);
	free(report);
	end(&two);
}

static void faults_end_in_quarantine(void **state)
{
	struct vm_status status;
	struct two two;

	begin(&two, *state);
	two.harness->config->quarantine.faults = 3;
	device_open_channel(&two.a, 1);
	for (int i = 0; i < 3; i++) {
		if (i > 0)
			device_open_channel(&two.a, 0);
		device_ask(&two.a, 0, ORDER_COUNT, 1);
		device_order(&two.a, 0, ORDER_EXIT, 0);
		if (i < 2)
			assert_int_equal(device_closed(&two.a, 0), VGPU_ERR_CONTEXT_LOST);
	}
	/* What it has besides ends, too; whose worker is reaped first is told first. */
	for (int i = 0; i < 2; i++) {
		uint32_t number, error = device_closed_any(&two.a, &number);

		assert_int_equal(error, number ? VGPU_ERR_QUARANTINED : VGPU_ERR_CONTEXT_LOST);
	}
	device_send_open(&two.a, 0, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&two.a, 0), VGPU_ERR_QUARANTINED);
	assert_int_equal(client_nop(&two.a.client), VGPU_ERR_QUARANTINED);
	status = harness_status(two.harness);
	assert_int_equal(status.usage.faults, 3);
	assert_int_equal(status.usage.quarantines, 1);
	assert_int_equal(status.usage.refused[USAGE_REFUSED_QUARANTINED], 2);
	/* The other VM has nothing to do with it. */
	take(&two.b);
	two.harness->config->quarantine.faults = 0;
	end(&two);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_is_alone_has_a_standing_grant),
		TEST(who_holds_nothing_is_not_waited_for),
		TEST(who_holds_the_gpu_has_it_until_it_yields),
		TEST(who_wants_while_it_still_works_is_heard),
		TEST(who_says_yielded_and_holds_on_is_not_believed),
		TEST(who_does_not_yield_is_killed),
		TEST(the_death_of_the_owner_frees_the_gpu),
		TEST(who_ends_without_the_gpu_is_not_waited_for),
		TEST(who_ends_with_the_gpu_has_it_until_it_yields),
		TEST(who_ends_with_the_gpu_has_to_yield),
		TEST(a_closed_channels_job_has_its_limit),
		TEST(a_job_beyond_the_limit_ends_the_channel),
		TEST(tokens_are_the_vms_rate),
		TEST(a_gpu_that_fails_takes_its_channels_along),
		TEST(faults_end_in_quarantine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
