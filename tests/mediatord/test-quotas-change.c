/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator changes over REST holds for channels that are open and at work: each quota, the
 * priority, the weight and the pool, with the real mediator and the real worker. Each change is in
 * force when it is answered.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/mediatord/adopt-driver.h"

#define OTHER_UUID  "6f1d6c1e-0f5e-4c55-9d3a-0123456789ac"
#define OTHER_VM_ID (DAEMON_VM_ID + 1)

#define BLOCK	      65536u
#define OUT_OF_MEMORY 2u
#define LIMIT_NS      (60 * VGPU_NS_PER_SECOND)

/* What one job sets: about a millisecond of a software GPU. */
#define JOB_BYTES (UINT64_C(4) << 20)

/* How long jobs are counted before it is asked who had more. */
#define ROUND_NS (200 * VGPU_NS_PER_MS)

static void patch(struct daemon *daemon, const char *body)
{
	char answer[8192];

	assert_int_equal(
		daemon_http(daemon, "PATCH", "/v1/vms/" DAEMON_UUID, body, answer, sizeof(answer)),
		200);
}

/* The VM's program, which keeps its channel busy. */
struct program {
	struct device device;
	struct guest_ring ring;
	uint64_t pointer;
	unsigned int jobs;
};

static void begin(struct program *program, const char *link)
{
	device_open(&program->device, link);
	device_open_channel(&program->device, 0);
	program->ring = adopt_ring(&program->device, 0);
	program->pointer = adopt_allocate(&program->ring, JOB_BYTES);
}

/* Keeps the ring full, and counts what ended. */
static void go_on(struct program *program)
{
	struct vgpu_completion completion;

	while (guest_ring_poll(&program->ring, &completion)) {
		assert_int_equal(completion.status, 0);
		program->jobs++;
	}
	while (program->ring.submitted - program->ring.taken < program->ring.entries)
		adopt_submit(&program->ring, VGPU_RING_MEM_SET,
			     (uint64_t[4]){ program->pointer, 1, JOB_BYTES, 1 });
}

/* Waits until this one gets more than twice as much of the GPU as the other. */
static void wait_until_ahead(struct program programs[2], int ahead, const char *change)
{
	int64_t limit_ns = vgpu_now_ns() + LIMIT_NS;

	do {
		int64_t end_ns = vgpu_now_ns() + ROUND_NS;

		programs[0].jobs = programs[1].jobs = 0;
		while (vgpu_now_ns() < end_ns) {
			go_on(&programs[0]);
			go_on(&programs[1]);
			guest_ring_sleep(&programs[ahead].ring, 1);
		}
		if (vgpu_now_ns() > limit_ns)
			fail_msg("%s: %u jobs beside %u", change, programs[0].jobs,
				 programs[1].jobs);
	} while (programs[ahead].jobs <= 2 * programs[!ahead].jobs);
}

static void its_part_of_a_gpu_follows_its_values(void **state)
{
	static const struct {
		const char *change;
		int ahead; /* 0: this VM */
	} rows[] = {
		{ "{\"weight\": 10}", 1 },
		{ "{\"weight\": 1000}", 0 },
		{ "{\"weight\": 100, \"priority\": \"low\"}", 1 },
		{ "{\"priority\": \"high\"}", 0 },
		{ "{\"quotas\": {\"gpu_time_max_percent\": 20}}", 1 },
		{ "{\"quotas\": {\"gpu_time_max_percent\": 0}}", 0 },
		{ "{\"priority\": \"low\"}", 1 },
		{ "{\"quotas\": {\"gpu_time_guaranteed_percent\": 80}}", 0 },
		{ "{\"quotas\": {\"gpu_time_guaranteed_percent\": 0}}", 1 },
	};
	struct daemon *daemon = *state;
	struct program programs[2];
	char body[64], link[128], answer[8192];

	snprintf(body, sizeof(body), "{\"link_uid\": %u, \"vm_id\": %u}", (unsigned int)geteuid(),
		 OTHER_VM_ID);
	assert_int_equal(
		daemon_http(daemon, "PUT", "/v1/vms/" OTHER_UUID, body, answer, sizeof(answer)),
		201);
	snprintf(link, sizeof(link), "%s/run/link/" OTHER_UUID ".sock", daemon->dir);
	begin(&programs[0], daemon->link);
	begin(&programs[1], link);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		patch(daemon, rows[i].change);
		wait_until_ahead(programs, rows[i].ahead, rows[i].change);
	}
	device_close(&programs[0].device);
	device_close(&programs[1].device);
}

static uint32_t allocate(struct guest_ring *ring, uint64_t bytes, uint64_t *pointer)
{
	struct vgpu_completion completion =
		adopt_call(ring, VGPU_RING_MEM_ALLOC, (uint64_t[4]){ bytes });

	*pointer = completion.result[0];
	return completion.status;
}

static void memory_is_refused_above_the_quota_of_now(void **state)
{
	struct daemon *daemon = *state;
	uint64_t first, second, none;
	struct guest_ring ring;
	struct device device;

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	ring = adopt_ring(&device, 0);
	assert_int_equal(allocate(&ring, BLOCK, &first), 0);
	assert_int_equal(allocate(&ring, BLOCK, &second), 0);
	/* Below what is in use: nothing is taken back, and nothing more is given. */
	patch(daemon, "{\"quotas\": {\"gpu_memory_bytes\": 65536}}");
	assert_int_equal(allocate(&ring, 1, &none), OUT_OF_MEMORY);
	adopt_fill(&ring, first, 1);
	adopt_fill(&ring, second, 2);
	adopt_check(&ring, first, 1);
	assert_int_equal(adopt_call(&ring, VGPU_RING_MEM_FREE, (uint64_t[4]){ second }).status, 0);
	assert_int_equal(allocate(&ring, 1, &none), OUT_OF_MEMORY);
	patch(daemon, "{\"quotas\": {\"gpu_memory_bytes\": 131072}}");
	assert_int_equal(allocate(&ring, BLOCK, &second), 0);
	assert_int_equal(allocate(&ring, 1, &none), OUT_OF_MEMORY);
	device_close(&device);
}

static uint32_t try_open(struct device *device, uint32_t number)
{
	device_send_open(device, number, DEVICE_ENTRIES, DEVICE_WINDOW);
	return device_opened(device, number);
}

static void channels_and_windows_are_refused_above_the_quota_of_now(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;
	char body[128];

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	device_open_channel(&device, 1);
	ring = adopt_ring(&device, 0);
	patch(daemon, "{\"quotas\": {\"channels\": 1}}");
	assert_int_equal(try_open(&device, 2), VGPU_ERR_CHANNEL_LIMIT);
	/* What is open stays. */
	adopt_call(&ring, VGPU_RING_NOP, (uint64_t[4]){ 0 });
	patch(daemon, "{\"quotas\": {\"channels\": 3}}");
	assert_int_equal(try_open(&device, 2), VGPU_ERR_NONE);
	device_close_channel(&device, 2);

	snprintf(body, sizeof(body), "{\"quotas\": {\"window_bytes\": %llu}}",
		 3 * (unsigned long long)device.channels[0].region_bytes - 1);
	patch(daemon, body);
	assert_int_equal(try_open(&device, 2), VGPU_ERR_WINDOW_LIMIT);
	adopt_call(&ring, VGPU_RING_NOP, (uint64_t[4]){ 0 });
	patch(daemon, "{\"quotas\": {\"window_bytes\": 0}}");
	assert_int_equal(try_open(&device, 2), VGPU_ERR_NONE);
	device_close(&device);
}

/* A ring's submissions wait; what passes is never more than the burst and what the rate adds. */
static void a_ring_keeps_to_the_rate_of_now(void **state)
{
	const int waiting = (int)DEVICE_ENTRIES;
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;
	int64_t start_ns;

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	ring = adopt_ring(&device, 0);
	adopt_call(&ring, VGPU_RING_NOP, (uint64_t[4]){ 0 });
	/* Before: the rate is in force, and adds, before its answer is here. */
	start_ns = vgpu_now_ns();
	patch(daemon, "{\"quotas\": {\"requests_per_second\": 4, \"burst\": 2}}");
	for (int i = 0; i < 2 + 4; i++)
		adopt_call(&ring, VGPU_RING_NOP, (uint64_t[4]){ 0 });
	/* However slow this host is: the fourth after the burst cannot come before its second. */
	assert_true(vgpu_now_ns() - start_ns >= 99 * VGPU_NS_PER_SECOND / 100);

	/* Who waits already is let through by a change; so are more than the rate would let. */
	patch(daemon, "{\"quotas\": {\"requests_per_second\": 1, \"burst\": 1}}");
	for (int i = 0; i < waiting; i++)
		adopt_submit(&ring, VGPU_RING_NOP, (uint64_t[4]){ 0 });
	patch(daemon, "{\"quotas\": {\"requests_per_second\": 0}}");
	start_ns = vgpu_now_ns();
	for (int i = 0; i < waiting; i++)
		adopt_completion(&ring);
	for (int i = 0; i < 100; i++)
		adopt_call(&ring, VGPU_RING_NOP, (uint64_t[4]){ 0 });
	assert_true(vgpu_now_ns() - start_ns < LIMIT_NS);
	device_close(&device);
}

static void the_mailbox_keeps_to_the_rate_of_now(void **state)
{
	struct daemon *daemon = *state;
	struct client client;
	uint32_t error = VGPU_ERR_NONE;

	client_open(&client, daemon->link);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	patch(daemon, "{\"quotas\": {\"requests_per_second\": 1, \"burst\": 1}}");
	for (int i = 0; i < 100 && error == VGPU_ERR_NONE; i++)
		error = client_nop(&client);
	assert_int_equal(error, VGPU_ERR_RATE_LIMITED);
	patch(daemon, "{\"quotas\": {\"requests_per_second\": 0}}");
	for (int i = 0; i < 10; i++)
		assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
}

/* An asynchronous request, which is answered when it is in the queue. */
static uint32_t queue_one(struct client *client)
{
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	uint32_t length = client_request(bytes, VGPU_OP_NOP, VGPU_FLAG_ASYNC, NULL, 0);

	return client_call(client, bytes, length, NULL);
}

static void the_mailboxs_queue_is_as_deep_as_it_is_now(void **state)
{
	struct daemon *daemon = *state;
	struct client client;
	char answer[8192];

	client_open(&client, daemon->link);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	/* So that what is queued stays there. */
	assert_int_equal(daemon_http(daemon, "POST", "/v1/vms/" DAEMON_UUID "/pause", "", answer,
				     sizeof(answer)),
			 200);
	for (int i = 0; i < 3; i++)
		assert_int_equal(queue_one(&client), VGPU_ERR_NONE);
	patch(daemon, "{\"quotas\": {\"queue_depth\": 2}}");
	assert_int_equal(queue_one(&client), VGPU_ERR_QUEUE_FULL);
	patch(daemon, "{\"quotas\": {\"queue_depth\": 4}}");
	assert_int_equal(queue_one(&client), VGPU_ERR_NONE);
	assert_int_equal(queue_one(&client), VGPU_ERR_QUEUE_FULL);
	client_close(&client);
}

/* A product of matrices that takes this host for ever. */
static void start_long_job(struct guest_ring *ring)
{
	static const char name[] = "matmul_f32";
	struct {
		uint64_t a, b, c;
		uint32_t m, n, k;
	} product = { .m = 4096, .n = 4096, .k = 4096 };
	struct vgpu_launch launch = { .grid = { 256, 256, 1 },
				      .block = { 16, 16, 1 },
				      .parameter_bytes = 36 };
	uint64_t module = adopt_call(ring, VGPU_RING_MODULE_BUILTIN, (uint64_t[4]){ 0 }).result[0];
	struct vgpu_submission submission = { .opcode = VGPU_RING_LAUNCH };
	uint64_t bytes = UINT64_C(4096) * 4096 * sizeof(float);

	product.a = adopt_allocate(ring, bytes);
	product.b = adopt_allocate(ring, bytes);
	product.c = adopt_allocate(ring, bytes);
	memcpy(ring->window, name, sizeof(name));
	launch.function = (uint32_t)adopt_call(ring, VGPU_RING_MODULE_FUNCTION,
					       (uint64_t[4]){ module, 0, sizeof(name) - 1 })
				  .result[0];
	memcpy(ring->window, &product, launch.parameter_bytes);
	memcpy(submission.argument, &launch, sizeof(launch));
	guest_ring_submit(ring, &submission);
}

static void a_job_that_runs_is_ended_by_the_limit_of_now(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	ring = adopt_ring(&device, 0);
	start_long_job(&ring);
	patch(daemon, "{\"quotas\": {\"longest_job_ms\": 50}}");
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_TIMEOUT);
	assert_true(adopt_logged(daemon, "a job of it is longer than the VM's limit"));
	device_close(&device);
}

static int setup_two_pools(void **state)
{
	return daemon_setup_with(state, "software-gpus = 2\n"
					"[pool A]\ngpus = 0\n[pool B]\ngpus = 1\n");
}

/* A channel stays on its GPU: it ends, and the next is in the other pool. */
static void another_pool_ends_its_channels(void **state)
{
	struct daemon *daemon = *state;
	struct device device;
	char answer[65536];

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	patch(daemon, "{\"pool\": \"B\"}");
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	device_open_channel(&device, 0);
	assert_true(adopt_logged(daemon, "for GPU 1"));
	/* One that there is not changes nothing. */
	assert_int_equal(daemon_http(daemon, "PATCH", "/v1/vms/" DAEMON_UUID, "{\"pool\": \"C\"}",
				     answer, sizeof(answer)),
			 422);
	adopt_wait_usage(daemon, "window_bytes", device.channels[0].region_bytes);
	device_close(&device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(its_part_of_a_gpu_follows_its_values),
		TEST(memory_is_refused_above_the_quota_of_now),
		TEST(channels_and_windows_are_refused_above_the_quota_of_now),
		TEST(a_ring_keeps_to_the_rate_of_now),
		TEST(the_mailbox_keeps_to_the_rate_of_now),
		TEST(the_mailboxs_queue_is_as_deep_as_it_is_now),
		TEST(a_job_that_runs_is_ended_by_the_limit_of_now),
		cmocka_unit_test_setup_teardown(another_pool_ends_its_channels, setup_two_pools,
						daemon_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
