/* SPDX-License-Identifier: Apache-2.0 */
/* What a device may say when it comes back to another mediator, and what becomes of its channels.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/mediatord/adopt-driver.h"
#include "tests/wait.h"

static const uint64_t none[4];

/* A device with three channels, whose mediator was replaced; it has said HELLO to the next. */
static void begin(struct daemon *daemon, struct device *device, struct guest_ring rings[3])
{
	device_open(device, daemon->link);
	for (uint32_t i = 0; i < 3; i++) {
		device_open_channel(device, i);
		rings[i] = adopt_ring(device, i);
		adopt_allocate(&rings[i], 4096);
	}
	adopt_kill(daemon, device);
	daemon_start(daemon);
	device_greet(device, daemon->link);
}

static void end(struct daemon *daemon, struct device *device)
{
	device_close(device);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	adopt_wait_usage(daemon, "window_bytes", 0);
}

static void send_resume(struct device *device, struct vgpu_link_resume *resume)
{
	resume->header.type = VGPU_MSG_RESUME;
	resume->header.length = (uint32_t)(offsetof(struct vgpu_link_resume, channels) +
					   resume->count * sizeof(resume->channels[0]));
	assert_int_equal(client_send(&device->client, resume, resume->header.length, -1), 0);
}

static void what_is_not_named_ends(void **state)
{
	struct daemon *daemon = *state;
	struct vgpu_link_resume resume = { .count = 1 };
	struct guest_ring rings[3];
	struct device device;

	begin(daemon, &device, rings);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 3 * 4096);
	resume.channels[0].channel = 1;
	resume.channels[0].serial = device.channels[1].serial;
	send_resume(&device, &resume);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 4096);
	assert_int_equal(adopt_call(&rings[1], VGPU_RING_NOP, none).status, 0);
	/* The numbers of the others are free, and so are their regions. */
	device_open_channel(&device, 0);
	device_close_channel(&device, 1);
	end(daemon, &device);
}

static void what_is_not_there_is_lost(void **state)
{
	struct daemon *daemon = *state;
	struct vgpu_link_resume resume = { .count = 4 };
	struct guest_ring rings[3];
	struct device device;

	begin(daemon, &device, rings);
	for (uint32_t i = 0; i < 3; i++) {
		resume.channels[i].channel = i;
		resume.channels[i].serial = device.channels[i].serial;
	}
	/* Another life of channel 2, and a channel that nobody opened. */
	device.channels[2].serial += 100;
	resume.channels[2].serial = device.channels[2].serial;
	resume.channels[3].channel = 31;
	resume.channels[3].serial = 77;
	device.channels[31].serial = 77;
	send_resume(&device, &resume);
	assert_int_equal(device_closed(&device, 2), VGPU_ERR_CONTEXT_LOST);
	assert_int_equal(device_closed(&device, 31), VGPU_ERR_CONTEXT_LOST);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 2 * 4096);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(adopt_call(&rings[i], VGPU_RING_NOP, none).status, 0);
	/* Both can be opened again. */
	device_open_channel(&device, 2);
	device_open_channel(&device, 31);
	end(daemon, &device);
}

static void one_that_ended_meanwhile_is_lost(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;

	device_open(&device, daemon->link);
	device_open_channel(&device, 4);
	ring = adopt_ring(&device, 4);
	adopt_allocate(&ring, 4096);
	adopt_kill(daemon, &device);
	/* The guest breaks its ring, which ends the worker. */
	ring.submissions[ring.submitted % ring.entries].sequence = 4000000000u;
	guest_ring_doorbell(&ring);
	wait_until(__atomic_load_n(&ring.control->failed, __ATOMIC_ACQUIRE));
	adopt_start(daemon, &device);
	assert_int_not_equal(device_closed(&device, 4), VGPU_ERR_NONE);
	device_open_channel(&device, 4);
	end(daemon, &device);
}

static void another_bar_resumes_nothing(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring rings[3];
	struct device device, other;

	begin(daemon, &device, rings);
	client_close(&device.client);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	device_close(&device);

	begin(daemon, &device, rings);
	client_close(&device.client);
	daemon_end(daemon, SIGKILL);
	daemon_start(daemon);
	other = device;
	other.window =
		client_window(DEVICE_WINDOW_BYTES, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	device_greet(&other, daemon->link);
	device_resume(&other);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(device_closed(&other, i), VGPU_ERR_CONTEXT_LOST);
	close(other.window);
	device.client = other.client;
	end(daemon, &device);
}

static void malformed_resumes_cost_the_link_and_all_channels(void **state)
{
	static const struct vgpu_link_resume faults[] = {
		{ .count = 2, .channels = { { 1, 1 }, { 1, 1 } } }, /* one twice */
		{ .count = 1, .channels = { { 32, 1 } } },
		{ .count = 1, .channels = { { UINT32_MAX, 1 } } },
		{ .count = 1, .channels = { { 0, 0 } } },
		{ .header.length = 8 },
		{ .header.length = 15 },
		{ .count = 2, .header.length = 24, .channels = { { 0, 1 } } },
		{ .count = 33, .header.length = sizeof(struct vgpu_link_resume) },
		{ .count = UINT32_MAX, .header.length = 8 },
	};
	struct daemon *daemon = *state;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct vgpu_link_resume resume = faults[i];
		struct guest_ring rings[3];
		struct device device;

		begin(daemon, &device, rings);
		resume.header.type = VGPU_MSG_RESUME;
		if (!resume.header.length)
			resume.header.length =
				(uint32_t)(offsetof(struct vgpu_link_resume, channels) +
					   resume.count * sizeof(resume.channels[0]));
		assert_int_equal(client_send(&device.client, &resume, resume.header.length, -1), 0);
		assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
		adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
		end(daemon, &device);
	}
}

static void resume_is_the_first_message_or_none(void **state)
{
	const struct vgpu_link_reset reset = {
		.header = { .type = VGPU_MSG_RESET, .length = sizeof(reset) },
	};
	struct daemon *daemon = *state;
	struct guest_ring rings[3];
	struct device device;

	/* Twice; after a RESET; and not at all. */
	begin(daemon, &device, rings);
	device_resume(&device);
	device_resume(&device);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	end(daemon, &device);

	begin(daemon, &device, rings);
	assert_int_equal(client_send(&device.client, &reset, sizeof(reset), -1), 0);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	device_resume(&device);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	end(daemon, &device);

	begin(daemon, &device, rings);
	device_send_open(&device, 9, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	end(daemon, &device);
}

static void a_device_of_version_1_gets_nothing_of_before(void **state)
{
	struct vgpu_link_hello hello = client_hello();
	struct daemon *daemon = *state;
	union vgpu_link_message message;
	struct device device;
	uint64_t context;

	hello.version = 1;
	hello.window_bytes = DEVICE_WINDOW_BYTES;
	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	assert_int_equal(client_memory(&device.client, VGPU_OP_MEMORY_ALLOC, 4096), VGPU_ERR_NONE);
	context = device.client.config.context;
	adopt_kill(daemon, &device);
	daemon_start(daemon);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 4096);
	client_connect(&device.client, daemon->link);
	assert_int_equal(client_send(&device.client, &hello, sizeof(hello), device.window), 0);
	assert_int_equal(client_receive(&device.client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_WELCOME);
	assert_int_equal(message.welcome.version, 1);
	assert_int_equal(client_receive(&device.client, &message, CLIENT_TIMEOUT_MS),
			 VGPU_MSG_CONFIG);
	assert_true(device.client.config.context != context);
	/* It goes on at once, as it always did. */
	device_open_channel(&device, 0);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	end(daemon, &device);
}

/* Opens a channel with memory in another process, which then waits to be killed. */
static pid_t device_process(const char *path)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct device device;
		struct guest_ring ring;

		device_open(&device, path);
		device_open_channel(&device, 0);
		ring = adopt_ring(&device, 0);
		adopt_allocate(&ring, 4096);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void kill_device(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_device_that_died_leaves_nothing(void **state)
{
	struct daemon *daemon = *state;
	pid_t pid = device_process(daemon->link);

	/* While there is no mediator, and while the next waits for it. */
	daemon_end(daemon, SIGKILL);
	kill_device(pid);
	daemon_start(daemon);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	assert_true(adopt_logged(daemon, "its device is gone"));

	pid = device_process(daemon->link);
	daemon_end(daemon, SIGKILL);
	daemon_start(daemon);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 4096);
	kill_device(pid);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	adopt_wait_usage(daemon, "window_bytes", 0);
}

/* Before it could say what it resumes: nobody will ask it for that again. */
static void a_vm_that_is_deleted_first_is_lost(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring rings[3];
	struct device device;
	char answer[8192];

	begin(daemon, &device, rings);
	assert_int_equal(
		daemon_http(daemon, "DELETE", "/v1/vms/" DAEMON_UUID, "", answer, sizeof(answer)),
		204);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(device_closed(&device, i), VGPU_ERR_CONTEXT_LOST);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	device_close(&device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_named_ends),
		TEST(what_is_not_there_is_lost),
		TEST(one_that_ended_meanwhile_is_lost),
		TEST(another_bar_resumes_nothing),
		TEST(malformed_resumes_cost_the_link_and_all_channels),
		TEST(resume_is_the_first_message_or_none),
		TEST(a_device_of_version_1_gets_nothing_of_before),
		TEST(a_device_that_died_leaves_nothing),
		TEST(a_vm_that_is_deleted_first_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
