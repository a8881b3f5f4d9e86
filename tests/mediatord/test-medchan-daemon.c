/* SPDX-License-Identifier: Apache-2.0 */
/* Channels between a device, the daemon and its real workers: served, shown, lost and reaped. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/clock.h"
#include "tests/mediatord/guest-ring.h"
#include "tests/mediatord/loop-daemon.h"
#include "tests/mediatord/medchan-device.h"
#include "tests/wait.h"

/* The VM as REST shows it; json_decref() it. */
static json_t *get_vm(struct daemon *daemon)
{
	static char answer[65536];
	const char *body;
	json_t *json;

	assert_int_equal(
		daemon_http(daemon, "GET", "/v1/vms/" DAEMON_UUID, "", answer, sizeof(answer)),
		200);
	body = strstr(answer, "\r\n\r\n");
	assert_non_null(body);
	json = json_loads(body + 4, 0, NULL);
	assert_non_null(json);
	return json;
}

/* The process that serves a channel. */
static pid_t worker_of(struct daemon *daemon, uint32_t number)
{
	json_t *vm = get_vm(daemon), *channel;
	pid_t pid = 0;
	size_t i;

	json_array_foreach (json_object_get(vm, "channels"), i, channel)
		if (json_integer_value(json_object_get(channel, "channel")) == number)
			pid = (pid_t)json_integer_value(json_object_get(channel, "worker_pid"));
	json_decref(vm);
	assert_true(pid > 0);
	return pid;
}

static long long usage(struct daemon *daemon, const char *name)
{
	json_t *vm = get_vm(daemon);
	long long value = json_integer_value(json_object_get(json_object_get(vm, "usage"), name));

	json_decref(vm);
	return value;
}

static bool link_is_down(struct daemon *daemon)
{
	json_t *vm = get_vm(daemon);
	const json_t *state = json_object_get(json_object_get(vm, "link"), "state");
	bool down = strcmp(json_string_value(state), "down") == 0;

	json_decref(vm);
	return down;
}

static struct guest_ring ring_of(struct device *device, uint32_t number)
{
	struct guest_ring ring;

	guest_ring_init(&ring, device->memory + device->channels[number].region, DEVICE_ENTRIES,
			device->channels[number].doorbell, device->channels[number].completion);
	return ring;
}

/* One submission with up to two arguments, and its completion. */
static struct vgpu_completion call(struct guest_ring *ring, uint16_t opcode, uint64_t first,
				   uint64_t second)
{
	struct vgpu_submission submission = {
		.opcode = opcode,
		.tag = 4711,
		.argument = { first, second },
	};
	struct vgpu_completion completion;

	guest_ring_submit(ring, &submission);
	assert_true(guest_ring_sleep(ring, CLIENT_TIMEOUT_MS));
	assert_true(guest_ring_poll(ring, &completion));
	assert_int_equal(completion.tag, 4711);
	return completion;
}

static void rest_shows_every_channel_as_its_description_says(void **state)
{
	static const char *const numbers[] = { "channel",	    "worker_pid", "region_bytes",
					       "submissions",	    "errors",	  "gpu_time_ns",
					       "memory_used_bytes", "gpu_index" };
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;
	json_t *vm, *channel, *value;
	char path[4096], *text;
	const char *name;
	FILE *file;

	device_open(&device, daemon->link);
	vm = get_vm(daemon);
	assert_int_equal(json_array_size(json_object_get(vm, "channels")), 0);
	json_decref(vm);
	device_open_channel(&device, 3);
	ring = ring_of(&device, 3);
	assert_int_equal(call(&ring, VGPU_RING_NOP, 0, 0).status, 0);
	assert_int_equal(call(&ring, VGPU_RING_MEM_ALLOC, 1 << 20, 0).status, 0);
	assert_int_not_equal(call(&ring, VGPU_RING_MEM_FREE, 1, 0).status, 0);

	vm = get_vm(daemon);
	assert_int_equal(json_array_size(json_object_get(vm, "channels")), 1);
	channel = json_array_get(json_object_get(vm, "channels"), 0);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_true(json_is_integer(json_object_get(channel, numbers[i])));
	assert_int_equal(json_integer_value(json_object_get(channel, "channel")), 3);
	assert_string_equal(json_string_value(json_object_get(channel, "state")), "open");
	assert_int_equal(json_integer_value(json_object_get(channel, "region_bytes")), 3 * 4096);
	assert_int_equal(json_integer_value(json_object_get(channel, "submissions")), 3);
	assert_int_equal(json_integer_value(json_object_get(channel, "errors")), 1);
	assert_true(json_integer_value(json_object_get(channel, "memory_used_bytes")) >= 1 << 20);
	assert_true(json_is_true(json_object_get(channel, "context")));
	assert_true(json_is_string(json_object_get(channel, "gpu")));

	/* Every name that is shown is in the document. */
	assert_true(snprintf(path, sizeof(path), "%s/data/openapi.yaml",
			     getenv("top_srcdir") ? getenv("top_srcdir") : "..") > 0);
	file = fopen(path, "r");
	assert_non_null(file);
	text = calloc(1, 1 << 20);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	json_object_foreach (channel, name, value) {
		char line[64];

		snprintf(line, sizeof(line), "\n        %s:", name);
		if (!strstr(strstr(text, "\n    Channel:\n"), line))
			fail_msg("openapi.yaml does not describe a channel's %s", name);
	}
	free(text);
	json_decref(vm);
	device_close_channel(&device, 3);
	wait_until(usage(daemon, "gpu_memory_bytes") == 0);
	device_close(&device);
}

static void one_that_is_killed_takes_no_other_along(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring rings[2];
	struct device device;

	device_open(&device, daemon->link);
	for (uint32_t i = 0; i < 2; i++) {
		device_open_channel(&device, i);
		rings[i] = ring_of(&device, i);
		assert_int_equal(call(&rings[i], VGPU_RING_MEM_ALLOC, 4096, 0).status, 0);
	}
	kill(worker_of(daemon, 0), SIGKILL);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	wait_until(usage(daemon, "gpu_memory_bytes") == 4096);
	wait_until(usage(daemon, "window_bytes") == 3 * 4096);
	assert_int_equal(call(&rings[1], VGPU_RING_NOP, 0, 0).status, 0);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	device_open_channel(&device, 0);
	rings[0] = ring_of(&device, 0);
	assert_int_equal(call(&rings[0], VGPU_RING_NOP, 0, 0).status, 0);
	device_close(&device);
}

/* It need not wait for a mediator that knows the VM again, which there may never be. */
static void who_has_channels_hears_that_the_vm_was_deleted(void **state)
{
	struct daemon *daemon = *state;
	struct device device;
	char answer[8192];

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	device_open_channel(&device, 5);
	/* Refused in any case, and perhaps unread when the link goes. */
	device_send_open(&device, 7, DEVICE_ENTRIES, DEVICE_WINDOW_BYTES);
	assert_int_equal(
		daemon_http(daemon, "DELETE", "/v1/vms/" DAEMON_UUID, "", answer, sizeof(answer)),
		204);
	assert_int_not_equal(device_opened(&device, 7), VGPU_ERR_NONE);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	assert_int_equal(device_closed(&device, 5), VGPU_ERR_CONTEXT_LOST);
	assert_true(client_sees_end(&device.client, CLIENT_TIMEOUT_MS));
	device_close(&device);
}

static int setup_two_pools(void **state)
{
	return daemon_setup_with(state, "software-gpus = 2\n"
					"[pool A]\ngpus = 0\n[pool B]\ngpus = 1\n");
}

static int put(struct daemon *daemon, const char *uuid, uint32_t vm_id, const char *quotas)
{
	char path[64], body[256], answer[8192];

	snprintf(path, sizeof(path), "/v1/vms/%s", uuid);
	snprintf(body, sizeof(body),
		 "{\"link_uid\": %u, \"vm_id\": %u, \"pool\": \"B\", \"quotas\": {%s}}",
		 (unsigned int)geteuid(), vm_id, quotas);
	return daemon_http(daemon, "PUT", path, body, answer, sizeof(answer));
}

static void a_move_that_is_refused_costs_no_channel(void **state)
{
	static const char other[] = "6f1d6c1e-0f5e-4c55-9d3a-0123456789ac";
	static const char most[] = "\"gpu_time_guaranteed_percent\": 60";
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	ring = ring_of(&device, 0);
	assert_int_equal(put(daemon, other, DAEMON_VM_ID + 1, most), 201);
	assert_in_range(put(daemon, DAEMON_UUID, DAEMON_VM_ID, most), 400, 499);
	assert_int_equal(call(&ring, VGPU_RING_NOP, 0, 0).status, 0);
	/* One that is not does: a channel stays on its GPU. */
	assert_int_equal(put(daemon, DAEMON_UUID, DAEMON_VM_ID, ""), 200);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
	device_close(&device);
}

static void the_next_owner_of_a_region_sees_nothing_of_the_last(void **state)
{
	struct daemon *daemon = *state;
	struct device device;
	struct guest_ring ring;

	device_open(&device, daemon->link);
	for (int killed = 0; killed < 2; killed++) {
		device_open_channel(&device, 0);
		ring = ring_of(&device, 0);
		assert_int_equal(call(&ring, VGPU_RING_NOP, 0, 0).status, 0);
		memset(ring.window, 0xa5, DEVICE_WINDOW);
		if (killed) {
			kill(worker_of(daemon, 0), SIGKILL);
			assert_int_equal(device_closed(&device, 0), VGPU_ERR_CONTEXT_LOST);
		} else {
			device_close_channel(&device, 0);
		}
		device_open_channel(&device, 1);
		assert_int_equal(device.channels[1].region, device.channels[0].region);
		ring = ring_of(&device, 1);
		for (size_t i = 0; i < DEVICE_WINDOW; i++)
			assert_int_equal(ring.window[i], 0);
		for (size_t i = 0; i < DEVICE_ENTRIES; i++)
			assert_int_equal(ring.submissions[i].sequence, 0);
		device_close_channel(&device, 1);
	}
	device_close(&device);
}

static void a_guest_that_breaks_its_ring_loses_that_channel(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring rings[2];
	struct device device;

	device_open(&device, daemon->link);
	for (uint32_t i = 0; i < 2; i++) {
		device_open_channel(&device, i);
		rings[i] = ring_of(&device, i);
		assert_int_equal(call(&rings[i], VGPU_RING_NOP, 0, 0).status, 0);
	}
	rings[0].submissions[1].sequence = 4000000000u;
	guest_ring_doorbell(&rings[0]);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_INVALID_REQUEST);
	assert_int_equal(call(&rings[1], VGPU_RING_NOP, 0, 0).status, 0);
	device_close(&device);
}

/* One program does it again and again; the VM's others open their channels as ever. */
static void broken_rings_do_not_keep_others_from_opening(void **state)
{
	struct daemon *daemon = *state;
	struct device device;

	device_open(&device, daemon->link);
	for (int i = 0; i < 6; i++) {
		struct guest_ring ring;

		device_open_channel(&device, 0);
		ring = ring_of(&device, 0);
		ring.submissions[0].sequence = 4000000000u;
		guest_ring_doorbell(&ring);
		assert_int_equal(device_closed(&device, 0), VGPU_ERR_INVALID_REQUEST);
	}
	device_open_channel(&device, 1);
	device_close(&device);
}

static void a_lost_link_leaves_no_process_and_no_descriptor(void **state)
{
	struct daemon *daemon = *state;
	unsigned int before;
	pid_t pids[VGPU_CHANNELS_MAX];
	struct device device;

	/* What the daemon keeps open for good is open by then. */
	device_open(&device, daemon->link);
	device_close(&device);
	wait_until(link_is_down(daemon));
	before = daemon_descriptors_of(daemon->pid);

	device_open(&device, daemon->link);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++)
		device_send_open(&device, i, DEVICE_ENTRIES, DEVICE_WINDOW);
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++) {
		union vgpu_link_message message;

		/* In the order in which their workers became ready. */
		assert_int_equal(client_receive_answer(&device.client, &message, CLIENT_TIMEOUT_MS),
				 VGPU_MSG_OPENED);
		assert_int_equal(message.opened.error_code, VGPU_ERR_NONE);
		device.channels[message.opened.channel].region = message.opened.region;
	}
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++) {
		struct guest_ring ring = ring_of(&device, i);

		assert_int_equal(call(&ring, VGPU_RING_MEM_ALLOC, 65536, 0).status, 0);
		pids[i] = worker_of(daemon, i);
	}
	/* Who asks so often is told what was so a moment ago. */
	wait_until(usage(daemon, "gpu_memory_bytes") == 32 * 65536);
	device_close(&device);
	wait_until(!usage(daemon, "gpu_memory_bytes") && !usage(daemon, "window_bytes"));
	for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++)
		assert_int_equal(kill(pids[i], 0), -1);
	wait_until(daemon_descriptors_of(daemon->pid) <= before);
}

/* Whether this user may make them, as the worker would. */
static bool namespaces_possible(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			      CLONE_NEWNS) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_workers_process_is_apart_from_the_host(void **state)
{
	static const char *const namespaces[] = { "pid", "net", "ipc", "uts", "mnt" };
	const size_t count = sizeof(namespaces) / sizeof(namespaces[0]);
	struct daemon *daemon = *state;
	char path[64], ours[64], theirs[64], expected[64], text[4096];
	struct device device;
	ssize_t length;
	FILE *file;
	pid_t pid;

	if (geteuid() != 0)
		skip(); /* nobody else may look at what a worker has */
	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	pid = worker_of(daemon, 0);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	length = (ssize_t)fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	assert_true(length > 0);
	text[length] = '\0';
	snprintf(expected, sizeof(expected), "Uid:\t%u\t%u\t%u\t%u\n",
		 DAEMON_UID_BASE + DAEMON_VM_ID, DAEMON_UID_BASE + DAEMON_VM_ID,
		 DAEMON_UID_BASE + DAEMON_VM_ID, DAEMON_UID_BASE + DAEMON_VM_ID);
	assert_non_null(strstr(text, expected));
	assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
	/* Standard streams, the mediator's socket, doorbell and completion. */
	assert_true(daemon_descriptors_of(pid) <= 6);
	for (size_t i = 0; namespaces_possible() && i < count; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[i]);
		length = readlink(path, ours, sizeof(ours) - 1);
		assert_true(length > 0);
		ours[length] = '\0';
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, namespaces[i]);
		length = readlink(path, theirs, sizeof(theirs) - 1);
		assert_true(length > 0);
		theirs[length] = '\0';
		assert_string_not_equal(ours, theirs);
	}
	device_close(&device);
}

static void a_clean_end_leaves_no_worker(void **state)
{
	struct daemon *daemon = *state;
	struct device device;
	pid_t pids[4];
	int status;

	device_open(&device, daemon->link);
	for (uint32_t i = 0; i < 4; i++) {
		device_open_channel(&device, i);
		pids[i] = worker_of(daemon, i);
	}
	status = daemon_end(daemon, SIGTERM);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(kill(pids[i], 0), -1);
	device_close(&device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(rest_shows_every_channel_as_its_description_says),
		TEST(one_that_is_killed_takes_no_other_along),
		TEST(who_has_channels_hears_that_the_vm_was_deleted),
		cmocka_unit_test_setup_teardown(a_move_that_is_refused_costs_no_channel,
						setup_two_pools, daemon_teardown),
		TEST(the_next_owner_of_a_region_sees_nothing_of_the_last),
		TEST(a_guest_that_breaks_its_ring_loses_that_channel),
		TEST(broken_rings_do_not_keep_others_from_opening),
		TEST(a_lost_link_leaves_no_process_and_no_descriptor),
		TEST(a_workers_process_is_apart_from_the_host),
		TEST(a_clean_end_leaves_no_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
