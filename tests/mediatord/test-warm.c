/* SPDX-License-Identifier: Apache-2.0 */
/* Warm workers of the real daemon: made, taken, refilled, replaced, ended. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/clock.h"
#include "tests/mediatord/loop-daemon.h"
#include "tests/mediatord/medchan-device.h"
#include "tests/wait.h"

#define PIDS_MAX 64

/* Those of whose start the log tells, in that order. */
static size_t warm_pids(const struct daemon *daemon, pid_t pids[PIDS_MAX])
{
	static const char begin[] = "warm: started worker ";
	FILE *log = fopen(daemon->log, "r");
	char line[1024];
	size_t count = 0;

	assert_non_null(log);
	while (count < PIDS_MAX && fgets(line, sizeof(line), log)) {
		const char *found = strstr(line, begin);

		if (found)
			pids[count++] = (pid_t)strtol(found + sizeof(begin) - 1, NULL, 10);
	}
	fclose(log);
	return count;
}

/* Waits until so many were started; returns the last of them. */
static pid_t wait_for_warm(const struct daemon *daemon, size_t count)
{
	pid_t pids[PIDS_MAX];

	wait_until(warm_pids(daemon, pids) >= count);
	return pids[count - 1];
}

static bool was_warm(const struct daemon *daemon, pid_t pid)
{
	pid_t pids[PIDS_MAX];
	size_t count = warm_pids(daemon, pids);

	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static bool log_has(const struct daemon *daemon, const char *text)
{
	static char log[1 << 20];
	FILE *file = fopen(daemon->log, "r");

	assert_non_null(file);
	log[fread(log, 1, sizeof(log) - 1, file)] = '\0';
	fclose(file);
	return strstr(log, text) != NULL;
}

/* The process that serves the only channel. */
static pid_t channel_pid(struct daemon *daemon)
{
	static char answer[65536];
	const char *body;
	json_t *vm, *channels;
	pid_t pid;

	assert_int_equal(
		daemon_http(daemon, "GET", "/v1/vms/" DAEMON_UUID, "", answer, sizeof(answer)),
		200);
	body = strstr(answer, "\r\n\r\n");
	assert_non_null(body);
	vm = json_loads(body + 4, 0, NULL);
	channels = json_object_get(vm, "channels");
	assert_int_equal(json_array_size(channels), 1);
	pid = (pid_t)json_integer_value(json_object_get(json_array_get(channels, 0), "worker_pid"));
	json_decref(vm);
	return pid;
}

static void assert_uid(pid_t pid)
{
	char path[64], line[256], expected[64];
	FILE *file;

	if (geteuid() != 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	snprintf(expected, sizeof(expected), "Uid:\t%u\t", DAEMON_UID_BASE + DAEMON_VM_ID);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "Uid:", 4) == 0)
			assert_memory_equal(line, expected, strlen(expected));
	fclose(file);
}

static void delete_vm(struct daemon *daemon)
{
	char answer[8192];

	assert_int_equal(
		daemon_http(daemon, "DELETE", "/v1/vms/" DAEMON_UUID, "", answer, sizeof(answer)),
		204);
}

static void put_vm(struct daemon *daemon)
{
	char body[64], answer[8192];

	snprintf(body, sizeof(body), "{\"link_uid\": %u, \"vm_id\": %u}", (unsigned int)geteuid(),
		 DAEMON_VM_ID);
	assert_int_equal(
		daemon_http(daemon, "PUT", "/v1/vms/" DAEMON_UUID, body, answer, sizeof(answer)),
		201);
}

/* Whether the contexts that the first pool has promised memory for are so many. */
static bool pool_counts(struct daemon *daemon, json_int_t contexts)
{
	static char answer[65536];
	json_t *json, *pool;
	bool counts;

	assert_int_equal(daemon_http(daemon, "GET", "/v1/pools", "", answer, sizeof(answer)), 200);
	json = json_loads(strstr(answer, "\r\n\r\n") + 4, 0, NULL);
	pool = json_array_get(json_object_get(json, "pools"), 0);
	assert_string_equal(json_string_value(json_object_get(pool, "name")), "A");
	counts = json_integer_value(json_object_get(pool, "contexts")) == contexts;
	assert_true(json_integer_value(json_object_get(pool, "committed_bytes")) >=
		    json_integer_value(json_object_get(pool, "context_bytes")));
	json_decref(json);
	return counts;
}

static int setup_two(void **state)
{
	return daemon_setup_with(state, "warm-workers = 2\nsoftware-gpus = 2\n"
					"[pool A]\ngpus = 0\n[pool B]\ngpus = 1\n");
}

static int setup_one(void **state)
{
	return daemon_setup_with(state, "warm-workers = 1\n");
}

static int64_t failing_since_ns;

/* There is no such GPU. */
static int setup_failing(void **state)
{
	failing_since_ns = vgpu_now_ns();
	return daemon_setup_with(state, "warm-workers = 1\n[pool A]\ngpus = 300\n");
}

static void channel_and_mailbox_take_warm_ones(void **state)
{
	struct daemon *daemon = *state;
	struct device device;
	pid_t pid;

	wait_for_warm(daemon, 2);
	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	pid = channel_pid(daemon);
	assert_true(was_warm(daemon, pid));
	assert_uid(pid);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	assert_int_not_equal(daemon_worker_pid(daemon), pid);
	pid = daemon_worker_pid(daemon);
	assert_true(was_warm(daemon, pid));
	assert_uid(pid);
	/* Two that are there for the next. */
	wait_for_warm(daemon, 4);
	device_close_channel(&device, 0);
	device_close(&device);
	/* No VM is in that pool. */
	assert_false(log_has(daemon, "for GPU 1"));
}

/* As those of channels and mailboxes do, and no longer than they are there. */
static void they_count_in_their_pool(void **state)
{
	struct daemon *daemon = *state;
	struct device device;

	wait_until(pool_counts(daemon, 2));
	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	wait_until(pool_counts(daemon, 4));
	device_close_channel(&device, 0);
	wait_until(pool_counts(daemon, 3));
	delete_vm(daemon);
	wait_until(pool_counts(daemon, 0));
	device_close(&device);
}

static void one_that_dies_is_replaced(void **state)
{
	struct daemon *daemon = *state;
	struct device device;
	pid_t first = wait_for_warm(daemon, 1), second;

	assert_int_equal(kill(first, SIGKILL), 0);
	second = wait_for_warm(daemon, 2);
	assert_int_not_equal(second, first);
	daemon_wait_until_gone(first);
	device_open(&device, daemon->link);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	assert_int_equal(daemon_worker_pid(daemon), second);
	device_close(&device);
}

static void they_go_with_the_last_vm(void **state)
{
	struct daemon *daemon = *state;
	pid_t pid = wait_for_warm(daemon, 1);

	delete_vm(daemon);
	daemon_wait_until_gone(pid);
	put_vm(daemon);
	pid = wait_for_warm(daemon, 2);
	daemon_end(daemon, SIGTERM);
	daemon_wait_until_gone(pid);
}

/* The next mediator's are of its own installation. */
static void they_are_not_handed_on(void **state)
{
	struct daemon *daemon = *state;
	pid_t pid = wait_for_warm(daemon, 1);

	daemon_end(daemon, SIGKILL);
	daemon_start(daemon); /* with a new log */
	assert_int_not_equal(wait_for_warm(daemon, 1), pid);
	daemon_wait_until_gone(pid);
}

static void what_cannot_be_prepared_is_tried_less_and_less(void **state)
{
	struct daemon *daemon = *state;

	wait_for_warm(daemon, 6);
	/* 0.1, 0.1, 0.2, 0.4 and 0.8 s */
	assert_true(vgpu_now_ns() - failing_since_ns > VGPU_NS_PER_SECOND);
	assert_true(log_has(daemon, "no GPU 300"));
}

static void taking_them_leaks_no_descriptor(void **state)
{
	struct daemon *daemon = *state;
	struct device device;
	unsigned int before;

	wait_for_warm(daemon, 1);
	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	device_close_channel(&device, 0);
	wait_for_warm(daemon, 2);
	before = daemon_descriptors_of(daemon->pid);
	for (int i = 0; i < 20; i++) {
		device_open_channel(&device, 0);
		device_close_channel(&device, 0);
	}
	/* Until the last was reaped, and another one is warm. There may be fewer: a channel is told
	 * to be closed before what the daemon had for it is, and that was counted above. */
	wait_until(daemon_descriptors_of(daemon->pid) <= before);
	device_close(&device);
}

static void without_the_setting_there_are_none(void **state)
{
	struct daemon *daemon = *state;
	struct device device;

	device_open(&device, daemon->link);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	device_close(&device);
	assert_false(log_has(daemon, "warm"));
}

int main(void)
{
#define TEST(function, setup) cmocka_unit_test_setup_teardown(function, setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(channel_and_mailbox_take_warm_ones, setup_two),
		TEST(they_count_in_their_pool, setup_two),
		TEST(one_that_dies_is_replaced, setup_one),
		TEST(they_go_with_the_last_vm, setup_one),
		TEST(they_are_not_handed_on, setup_one),
		TEST(what_cannot_be_prepared_is_tried_less_and_less, setup_failing),
		TEST(taking_them_leaks_no_descriptor, setup_one),
		TEST(without_the_setting_there_are_none, daemon_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
