/* SPDX-License-Identifier: Apache-2.0 */
/* Real workers go on while the mediator is killed, and serve under the next as if nothing was. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/mediatord/adopt-driver.h"
#include "tests/wait.h"

static const uint64_t none[4];

static void what_a_channel_has_is_there_after_kill_9(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;
	uint64_t pointer;

	device_open(&device, daemon->link);
	device_open_channel(&device, 3);
	ring = adopt_ring(&device, 3);
	pointer = adopt_allocate(&ring, 65536);
	adopt_fill(&ring, pointer, 5);

	adopt_kill(daemon, &device);
	for (int i = 0; i < 100; i++)
		assert_int_equal(adopt_call(&ring, VGPU_RING_NOP, none).status, 0);
	adopt_check(&ring, pointer, 5);

	adopt_start(daemon, &device);
	adopt_check(&ring, pointer, 5);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 65536);
	adopt_wait_usage(daemon, "window_bytes", device.channels[3].region_bytes);
	adopt_allocate(&ring, 4096);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 65536 + 4096);
	assert_int_equal(adopt_call(&ring, VGPU_RING_MEM_FREE, (uint64_t[4]){ pointer }).status, 0);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 4096);

	device_close_channel(&device, 3);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	adopt_wait_usage(daemon, "window_bytes", 0);
	device_close(&device);
}

static void the_mailboxes_memory_and_context_stay(void **state)
{
	struct daemon *daemon = *state;
	struct vgpu_link_response response;
	uint32_t pointer[2], request[4];
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	struct device device;
	uint64_t context;
	pid_t worker;

	device_open(&device, daemon->link);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	request[0] = 4096;
	request[1] = 0;
	assert_int_equal(client_call(&device.client, bytes,
				     client_request(bytes, VGPU_OP_MEMORY_ALLOC, 0, request, 2),
				     &response),
			 VGPU_ERR_NONE);
	memcpy(pointer, response.data + sizeof(struct vgpu_response_header), sizeof(pointer));
	worker = daemon_worker_pid(daemon);
	context = device.client.config.context;

	for (int i = 0; i < 2; i++) {
		adopt_kill(daemon, &device);
		adopt_start(daemon, &device);
		assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
		assert_int_equal(daemon_worker_pid(daemon), worker);
		assert_int_equal(device.client.config.context, context);
		adopt_wait_usage(daemon, "gpu_memory_bytes", 4096);
	}
	/* Its pointer is the worker's still. */
	assert_int_equal(client_call(&device.client, bytes,
				     client_request(bytes, VGPU_OP_MEMORY_FREE, 0, pointer, 2),
				     NULL),
			 VGPU_ERR_NONE);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	device_close(&device);
}

/* It waits for an answer that the mediator had not given when it was killed. */
static void memory_that_was_asked_for_is_given_by_the_next(void **state)
{
	struct daemon *daemon = *state;
	struct vgpu_completion completion;
	struct guest_ring ring;
	struct device device;

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	ring = adopt_ring(&device, 0);
	kill(daemon->pid, SIGSTOP);
	adopt_submit(&ring, VGPU_RING_MEM_ALLOC, (uint64_t[4]){ 8192 });
	assert_false(guest_ring_sleep(&ring, 200));
	adopt_kill(daemon, &device);
	assert_false(guest_ring_sleep(&ring, 200));
	adopt_start(daemon, &device);
	completion = adopt_completion(&ring);
	assert_int_equal(completion.status, 0);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 8192);
	adopt_fill(&ring, completion.result[0], 1);
	device_close(&device);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
}

/* Killed at once, so that its ADOPT may be all that it did. */
static void many_mediators_in_a_row_lose_nothing(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring rings[4];
	uint64_t pointers[4];
	struct device device;

	device_open(&device, daemon->link);
	for (uint32_t i = 0; i < 4; i++) {
		device_open_channel(&device, i);
		rings[i] = adopt_ring(&device, i);
		pointers[i] = adopt_allocate(&rings[i], 4096 * (i + 1));
		adopt_fill(&rings[i], pointers[i], (uint8_t)i);
	}
	adopt_kill(daemon, &device);
	for (int round = 0; round < 5; round++) {
		daemon_start(daemon);
		daemon_end(daemon, SIGKILL);
	}
	adopt_start(daemon, &device);
	for (uint32_t i = 0; i < 4; i++) {
		adopt_check(&rings[i], pointers[i], (uint8_t)i);
		adopt_allocate(&rings[i], 4096);
	}
	adopt_wait_usage(daemon, "gpu_memory_bytes", 4096 * (1 + 2 + 3 + 4 + 4));
	device_close(&device);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
}

/* New channels lie beside those that were there. */
static void no_region_is_handed_out_twice(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring rings[8];
	uint64_t pointers[8];
	struct device device;

	device_open(&device, daemon->link);
	for (uint32_t i = 0; i < 8; i++) {
		if (i == 4) {
			device_close_channel(&device, 1);
			adopt_kill(daemon, &device);
			adopt_start(daemon, &device);
		}
		device_open_channel(&device, i);
		rings[i] = adopt_ring(&device, i);
		pointers[i] = adopt_allocate(&rings[i], 4096);
		adopt_fill(&rings[i], pointers[i], (uint8_t)i);
	}
	for (uint32_t i = 0; i < 8; i++) {
		if (i == 1)
			continue;
		adopt_check(&rings[i], pointers[i], (uint8_t)i);
		for (uint32_t j = 0; j < i; j++)
			assert_true(j == 1 ||
				    device.channels[i].region >=
					    device.channels[j].region +
						    device.channels[j].region_bytes ||
				    device.channels[j].region >=
					    device.channels[i].region +
						    device.channels[i].region_bytes);
	}
	device_close(&device);
	adopt_wait_usage(daemon, "window_bytes", 0);
}

static void a_keeper_that_is_killed_costs_nothing(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;
	uint64_t pointer;
	pid_t keeper, next = 0;

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	ring = adopt_ring(&device, 0);
	pointer = adopt_allocate(&ring, 4096);
	adopt_fill(&ring, pointer, 9);
	keeper = adopt_keeper_pid(daemon);
	kill(keeper, SIGKILL);
	adopt_check(&ring, pointer, 9);
	wait_until((next = adopt_keeper_pid(daemon)) && next != keeper);
	device_open_channel(&device, 1);
	/* It has the worker of the first, too. */
	adopt_kill(daemon, &device);
	adopt_start(daemon, &device);
	adopt_check(&ring, pointer, 9);
	device_close_channel(&device, 0);
	device_close(&device);
	adopt_wait_usage(daemon, "window_bytes", 0);
}

static void without_keeper_and_mediator_workers_end(void **state)
{
	struct daemon *daemon = *state;
	struct device device;
	pid_t worker, keeper;

	device_open(&device, daemon->link);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	worker = daemon_worker_pid(daemon);
	device_open_channel(&device, 0);
	keeper = adopt_keeper_pid(daemon);
	/* So that it does not start another, and hand its workers over. */
	kill(daemon->pid, SIGSTOP);
	kill(keeper, SIGKILL);
	adopt_kill(daemon, &device);
	daemon_wait_until_gone(worker);
	adopt_start(daemon, &device);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	adopt_wait_usage(daemon, "window_bytes", 0);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	device_close(&device);
}

/* They were accepted: what became of them is not known, and the next SYNCHRONIZE says so. */
static void asynchronous_requests_that_were_lost_are_an_error_once(void **state)
{
	struct daemon *daemon = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	struct device device;
	uint32_t length;
	pid_t worker;

	device_open(&device, daemon->link);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	worker = daemon_worker_pid(daemon);
	kill(worker, SIGSTOP);
	length = client_request(bytes, VGPU_OP_NOP, VGPU_FLAG_ASYNC, NULL, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(client_call(&device.client, bytes, length, NULL), VGPU_ERR_NONE);
	adopt_kill(daemon, &device);
	kill(worker, SIGCONT);
	adopt_start(daemon, &device);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	length = client_request(bytes, VGPU_OP_SYNCHRONIZE, 0, NULL, 0);
	assert_int_equal(client_call(&device.client, bytes, length, NULL), VGPU_ERR_UNAVAILABLE);
	assert_int_equal(client_call(&device.client, bytes, length, NULL), VGPU_ERR_NONE);
	assert_int_equal(daemon_worker_pid(daemon), worker);
	device_close(&device);
}

static pid_t start_keeper(const struct daemon *daemon)
{
	const char *builddir = getenv("top_builddir") ? getenv("top_builddir") : ".";
	char program[256], worker[256], path[128];
	pid_t pid;

	snprintf(program, sizeof(program), "%s/vgpu-keeper", builddir);
	snprintf(worker, sizeof(worker), "%s/vgpu-worker", builddir);
	snprintf(path, sizeof(path), "%s/run/keeper.sock", daemon->dir);
	pid = fork();
	if (pid == 0) {
		execl(program, "vgpu-keeper", "--socket", path, "--worker", worker, (char *)NULL);
		_exit(127);
	}
	wait_until(adopt_keeper_pid(daemon) == pid);
	return pid;
}

/* As an upgrade does it, where a service manager runs the keeper. */
static void sigterm_leaves_the_workers_to_a_keeper_that_stays(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;
	uint64_t pointer;
	pid_t keeper;
	int status;

	daemon_end(daemon, SIGTERM);
	wait_until(!adopt_keeper_pid(daemon));
	keeper = start_keeper(daemon);
	daemon_start(daemon);
	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	ring = adopt_ring(&device, 0);
	pointer = adopt_allocate(&ring, 4096);
	adopt_fill(&ring, pointer, 3);
	/* One that nobody can resume: its OPEN is still to be answered. */
	device_send_open(&device, 1, DEVICE_ENTRIES, DEVICE_WINDOW);

	status = daemon_end(daemon, SIGTERM);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	client_close(&device.client);
	adopt_check(&ring, pointer, 3);
	daemon_start(daemon);
	close(device.channels[1].doorbell);
	close(device.channels[1].completion);
	device.channels[1].doorbell = device.channels[1].completion = -1;
	device_greet(&device, daemon->link);
	device_resume(&device);
	adopt_check(&ring, pointer, 3);
	adopt_wait_usage(daemon, "window_bytes", device.channels[0].region_bytes);
	device_close(&device);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	daemon_end(daemon, SIGTERM);
	kill(keeper, SIGTERM);
	assert_int_equal(waitpid(keeper, &status, 0), keeper);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_a_channel_has_is_there_after_kill_9),
		TEST(the_mailboxes_memory_and_context_stay),
		TEST(memory_that_was_asked_for_is_given_by_the_next),
		TEST(many_mediators_in_a_row_lose_nothing),
		TEST(no_region_is_handed_out_twice),
		TEST(a_keeper_that_is_killed_costs_nothing),
		TEST(without_keeper_and_mediator_workers_end),
		TEST(asynchronous_requests_that_were_lost_are_an_error_once),
		TEST(sigterm_leaves_the_workers_to_a_keeper_that_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
