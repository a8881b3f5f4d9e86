/* SPDX-License-Identifier: Apache-2.0 */
/* A device's requests reach a worker and come back, and what the VM holds is accounted for. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/mediatord/loop-client.h"
#include "tests/mediatord/loop-fake-worker.h"
#include "tests/mediatord/loop-harness.h"

static void a_nop_starts_the_worker_and_is_answered(void **state)
{
	struct harness *harness = *state;
	struct vm_status status = harness_status(harness);
	struct client client;

	assert_int_equal(status.worker_state, VGPU_WORKER_NONE);
	assert_int_equal(status.link_state, VGPU_LINK_DOWN);
	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	status = harness_status(harness);
	assert_int_equal(status.worker_state, VGPU_WORKER_READY);
	assert_int_equal(status.link_state, VGPU_LINK_UP);
	assert_int_equal(status.link_pid, getpid());
	assert_int_equal(status.usage.requests, 1);
	assert_int_equal(status.usage.completed, 1);
	assert_int_equal(status.worker_jobs, 1);
	assert_string_equal(status.gpu_name, "Fake GPU");
	assert_string_equal(client.config.gpu_name, "Fake GPU");
	assert_string_equal(client.config.vm_name, "test");
	assert_string_equal(client.config.pool_name, "A");
	assert_int_equal(client.config.pool_id, 'A');
	assert_int_equal(client.config.vm_id, 1);
	assert_int_equal(client.config.worker_state, VGPU_WORKER_READY);
	client_close(&client);
}

static void a_malformed_request_is_answered_without_a_worker(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_response response;
	struct client client;
	struct vm_status status;

	client_open(&client, harness->link_path);
	assert_int_equal(client_call(&client, (const uint8_t *)"x", 1, &response),
			 VGPU_ERR_INVALID_REQUEST);
	assert_true(response.length > sizeof(struct vgpu_response_header));
	status = harness_status(harness);
	assert_int_equal(status.worker_state, VGPU_WORKER_NONE);
	assert_int_equal(status.usage.failed, 1);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
}

static void memory_is_held_to_the_quota_to_the_byte(void **state)
{
	struct harness *harness = *state;
	struct client client;

	harness->vm.quotas.gpu_memory_bytes = 1000;
	harness_put(harness);
	client_open(&client, harness->link_path);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 600), VGPU_ERR_NONE);
	assert_int_equal(harness_status(harness).memory_used_bytes, 600);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 401), VGPU_ERR_CUDA);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, UINT64_MAX - 100),
			 VGPU_ERR_CUDA);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 400), VGPU_ERR_NONE);
	assert_int_equal(harness_status(harness).memory_used_bytes, 1000);

	/* A quota below what is held takes nothing away, and gives nothing more. */
	harness->vm.quotas.gpu_memory_bytes = 500;
	harness_put(harness);
	assert_int_equal(harness_status(harness).memory_used_bytes, 1000);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 1), VGPU_ERR_CUDA);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_FREE, 600), VGPU_ERR_NONE);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 100), VGPU_ERR_NONE);
	assert_int_equal(harness_status(harness).memory_used_bytes, 500);
	client_close(&client);
}

static void an_asynchronous_error_comes_with_the_next_synchronize(void **state)
{
	struct harness *harness = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	struct client client;

	client_open(&client, harness->link_path);
	assert_int_equal(
		client_call(&client, bytes, client_kernel(bytes, FAKE_FAIL, VGPU_FLAG_ASYNC), NULL),
		VGPU_ERR_NONE);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	assert_int_equal(client_call(&client, bytes,
				     client_request(bytes, VGPU_OP_SYNCHRONIZE, 0, NULL, 0), NULL),
			 VGPU_ERR_CUDA);
	assert_int_equal(client_call(&client, bytes,
				     client_request(bytes, VGPU_OP_SYNCHRONIZE, 0, NULL, 0), NULL),
			 VGPU_ERR_NONE);

	/* CONTEXT_RESET forgets it. */
	assert_int_equal(
		client_call(&client, bytes, client_kernel(bytes, FAKE_FAIL, VGPU_FLAG_ASYNC), NULL),
		VGPU_ERR_NONE);
	assert_int_equal(client_call(&client, bytes,
				     client_request(bytes, VGPU_OP_CONTEXT_RESET, 0, NULL, 0),
				     NULL),
			 VGPU_ERR_NONE);
	assert_int_equal(client_call(&client, bytes,
				     client_request(bytes, VGPU_OP_SYNCHRONIZE, 0, NULL, 0), NULL),
			 VGPU_ERR_NONE);
	client_close(&client);
}

static void a_full_queue_and_a_rate_are_refused_by_name(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_response response;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	uint32_t error = VGPU_ERR_NONE;
	struct client client;
	pid_t worker;

	harness->vm.quotas.queue_depth = 2;
	harness_put(harness);
	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	/* So that what is queued stays there. */
	worker = harness_status(harness).worker_pid;
	kill(worker, SIGSTOP);
	for (int i = 0; i < 2; i++)
		assert_int_equal(client_call(&client, bytes,
					     client_kernel(bytes, FAKE_SLOW, VGPU_FLAG_ASYNC),
					     NULL),
				 VGPU_ERR_NONE);
	assert_int_equal(client_call(&client, bytes,
				     client_kernel(bytes, FAKE_SLOW, VGPU_FLAG_ASYNC), &response),
			 VGPU_ERR_QUEUE_FULL);
	kill(worker, SIGCONT);
	assert_non_null(memmem(response.data, response.length, "queue depth: 2", 14));

	harness->vm.quotas.queue_depth = 64;
	harness->vm.quotas.requests_per_second = 1;
	harness->vm.quotas.burst = 1;
	harness_put(harness);
	for (int i = 0; i < 100 && error == VGPU_ERR_NONE; i++)
		error = client_call(&client, bytes, client_request(bytes, VGPU_OP_NOP, 0, NULL, 0),
				    &response);
	assert_int_equal(error, VGPU_ERR_RATE_LIMITED);
	assert_non_null(memmem(response.data, response.length, "limit of 1 a second", 19));
	client_close(&client);
}

static void gpu_time_is_never_more_than_passed(void **state)
{
	struct harness *harness = *state;
	struct client client;

	client_open(&client, harness->link_path);
	assert_int_equal(client_run_kernel(&client, FAKE_TIME), VGPU_ERR_NONE);
	assert_true(harness_status(harness).usage.gpu_time_ns < UINT64_C(60000000000));
	client_close(&client);
}

static void usage_follows(void **state)
{
	struct harness *harness = *state;
	union vgpu_link_message message;
	struct client client;

	client_open(&client, harness->link_path);
	for (uint64_t i = 1; i <= 50; i++)
		assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 16), VGPU_ERR_NONE);
	while (client.usage.memory_bytes != 800 || client.usage.jobs_completed != 50)
		assert_int_equal(client_receive(&client, &message, CLIENT_TIMEOUT_MS),
				 VGPU_MSG_USAGE);
	client_close(&client);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_nop_starts_the_worker_and_is_answered),
		TEST(a_malformed_request_is_answered_without_a_worker),
		TEST(memory_is_held_to_the_quota_to_the_byte),
		TEST(an_asynchronous_error_comes_with_the_next_synchronize),
		TEST(a_full_queue_and_a_rate_are_refused_by_name),
		TEST(gpu_time_is_never_more_than_passed),
		TEST(usage_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
