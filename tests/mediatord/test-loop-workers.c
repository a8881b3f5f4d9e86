/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that dies, hangs or lies costs its own VM its context, and nobody anything else. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/mediatord/loop-client.h"
#include "tests/mediatord/loop-fake-worker.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/wait.h"

static bool exists(pid_t pid)
{
	return kill(pid, 0) == 0;
}

static void wait_until_gone(pid_t pid)
{
	/* Neither running nor a zombie. */
	wait_until(!exists(pid));
}

static void a_worker_that_misbehaves_is_replaced(void **state)
{
	static const char *const faults[] = { FAKE_EXIT,       FAKE_OVER_RELEASE, FAKE_OTHER_JOB,
					      FAKE_BAD_LENGTH, FAKE_LONG,	  FAKE_UNKNOWN,
					      FAKE_READY,      FAKE_RESERVE,	  FAKE_ERROR };
	struct harness *harness = *state;
	struct client client;

	client_open(&client, harness->link_path);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct vm_status status;
		uint64_t context;
		pid_t pid;

		assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 100), VGPU_ERR_NONE);
		context = client.config.context;
		pid = harness_status(harness).worker_pid;
		if (client_run_kernel(&client, faults[i]) != VGPU_ERR_CONTEXT_LOST)
			fail_msg("%s went through", faults[i]);
		wait_until_gone(pid);
		/* The mediator hears of it from the keeper, a little later. */
		harness_wait(harness, status, status.memory_used_bytes == 0);
		assert_int_equal(status.usage.workers_lost, i + 1);
		assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
		assert_true(client.config.context != context);
	}
	client_close(&client);
}

static void a_worker_that_is_killed_under_a_request_is_replaced(void **state)
{
	struct harness *harness = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	union vgpu_link_message message;
	struct vm_status status;
	struct client client;

	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_submit(&client, bytes, client_kernel(bytes, FAKE_HANG, 0));
	/* One that the mediator had not read yet would go to the next worker. */
	harness_wait(harness, status, status.usage.requests == 2);
	kill(status.worker_pid, SIGKILL);
	assert_int_equal(client_receive_answer(&client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_RESPONSE);
	assert_int_equal(message.response.error_code, VGPU_ERR_CONTEXT_LOST);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
}

static void a_job_over_its_time_is_ended(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_response response;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	struct client client;
	struct vm_status status;
	int64_t start;
	pid_t pid;

	harness->vm.quotas.longest_job_ms = 300;
	harness_put(harness);
	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	pid = harness_status(harness).worker_pid;
	start = vgpu_now_ns();
	assert_int_equal(client_call(&client, bytes, client_kernel(bytes, FAKE_HANG, 0), &response),
			 VGPU_ERR_TIMEOUT);
	assert_true(vgpu_now_ns() - start >= 300 * VGPU_NS_PER_MS);
	wait_until_gone(pid);
	/* It is the keeper's child: the mediator hears of its end a little later. */
	harness_wait(harness, status, status.usage.gpu_time_ns >= 300 * VGPU_NS_PER_MS);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
}

static void what_was_queued_behind_a_lost_job_fails_too(void **state)
{
	struct harness *harness = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	union vgpu_link_message message;
	struct vm_status status;
	struct client client;
	pid_t worker;

	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	/* Until all of them are queued. */
	worker = harness_status(harness).worker_pid;
	kill(worker, SIGSTOP);
	for (int i = 0; i < 3; i++)
		assert_int_equal(client_call(&client, bytes,
					     client_kernel(bytes, i == 1 ? FAKE_EXIT : FAKE_SLOW,
							   VGPU_FLAG_ASYNC),
					     NULL),
				 VGPU_ERR_NONE);
	/* It waits behind them, and is lost with them. */
	client_submit(&client, bytes, client_request(bytes, VGPU_OP_NOP, 0, NULL, 0));
	harness_wait(harness, status, status.usage.requests == 5);
	kill(worker, SIGCONT);
	assert_int_equal(client_receive_answer(&client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_RESPONSE);
	assert_int_equal(message.response.error_code, VGPU_ERR_CONTEXT_LOST);
	assert_int_equal(client_call(&client, bytes,
				     client_request(bytes, VGPU_OP_SYNCHRONIZE, 0, NULL, 0), NULL),
			 VGPU_ERR_CONTEXT_LOST);
	assert_int_equal(client_call(&client, bytes,
				     client_request(bytes, VGPU_OP_SYNCHRONIZE, 0, NULL, 0), NULL),
			 VGPU_ERR_NONE);
	assert_int_equal(harness_status(harness).usage.failed, 4);
	client_close(&client);
}

static void a_worker_that_cannot_start_is_an_answer_and_not_a_loop(void **state)
{
	static const uint64_t how[] = { FAKE_START_FAILED, FAKE_START_EXIT };
	struct vgpu_link_reset reset = { .header = { VGPU_MSG_RESET, sizeof(reset) } };
	struct harness *harness = *state;
	struct client client;

	client_open(&client, harness->link_path);
	for (int i = 0; i < 2; i++) {
		struct vm_status status;

		harness->vm.quotas.gpu_memory_bytes = how[i];
		harness_put(harness);
		/* Ends a worker that is there. */
		assert_int_equal(client_send(&client, &reset, sizeof(reset), -1), 0);
		/* Tried at once, and then again only after a pause. */
		for (int j = 0; j < 4; j++)
			assert_int_equal(client_nop(&client), VGPU_ERR_UNAVAILABLE);
		harness_wait(harness, status, status.worker_state == VGPU_WORKER_FAILED);
		assert_int_equal(status.worker_pid, 0);
		harness->vm.quotas.gpu_memory_bytes = 1 << 20;
		harness_put(harness);
		usleep(1000000);
		assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	}
	client_close(&client);
}

static void a_name_that_a_worker_gives_is_made_harmless(void **state)
{
	struct harness *harness = *state;
	struct client client;

	harness->vm.quotas.gpu_memory_bytes = FAKE_START_NAME;
	harness_put(harness);
	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	assert_string_equal(harness_status(harness).gpu_name, "Evil?\"? GPU");
	client_close(&client);
}

/* CUDA's errors that stay: what a reset asks for, another worker gives. */
static void a_context_that_cannot_be_reset_is_replaced(void **state)
{
	struct harness *harness = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	struct client client;
	struct vm_status status;
	uint64_t context;
	pid_t pid;

	client_open(&client, harness->link_path);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 4096), VGPU_ERR_NONE);
	assert_int_equal(client_run_kernel(&client, FAKE_POISON), VGPU_ERR_CUDA);
	assert_int_equal(client_run_kernel(&client, "vector_add"), VGPU_ERR_CUDA);
	context = client.config.context;
	pid = harness_status(harness).worker_pid;
	assert_int_equal(client_call(&client, bytes,
				     client_request(bytes, VGPU_OP_CONTEXT_RESET, 0, NULL, 0),
				     NULL),
			 VGPU_ERR_NONE);
	assert_true(client.config.context != context);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	status = harness_status(harness);
	assert_int_equal(status.memory_used_bytes, 0);
	assert_int_equal(status.usage.workers_lost, 0);
	assert_int_not_equal(status.worker_pid, pid);
	wait_until_gone(pid);
	client_close(&client);
}

static void a_silent_worker_is_given_up_after_10_s(void **state)
{
	struct harness *harness = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	union vgpu_link_message message;
	struct client client;
	struct vm_status status;
	pid_t pid;

	harness->vm.quotas.gpu_memory_bytes = FAKE_START_SILENT;
	harness_put(harness);
	client_open(&client, harness->link_path);
	client_submit(&client, bytes, client_request(bytes, VGPU_OP_NOP, 0, NULL, 0));
	harness_wait(harness, status, status.worker_pid != 0);
	assert_int_equal(status.worker_state, VGPU_WORKER_STARTING);
	pid = status.worker_pid;
	assert_int_equal(client_receive_answer(&client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_RESPONSE);
	assert_int_equal(message.response.error_code, VGPU_ERR_UNAVAILABLE);
	wait_until_gone(pid);
	client_close(&client);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_worker_that_misbehaves_is_replaced),
		TEST(a_worker_that_is_killed_under_a_request_is_replaced),
		TEST(a_job_over_its_time_is_ended),
		TEST(what_was_queued_behind_a_lost_job_fails_too),
		TEST(a_worker_that_cannot_start_is_an_answer_and_not_a_loop),
		TEST(a_name_that_a_worker_gives_is_made_harmless),
		TEST(a_context_that_cannot_be_reset_is_replaced),
		TEST(a_silent_worker_is_given_up_after_10_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
