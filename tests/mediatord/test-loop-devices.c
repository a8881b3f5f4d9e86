/* SPDX-License-Identifier: Apache-2.0 */
/* A device that resets, goes, floods or does not read: nothing stale, nothing leaked, nobody held
 * up.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/mediatord/loop-client.h"
#include "tests/mediatord/loop-fake-worker.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/wait.h"

static void reset(struct client *client)
{
	struct vgpu_link_reset message = {
		.header = { .type = VGPU_MSG_RESET, .length = sizeof(message) },
	};

	assert_int_equal(client_send(client, &message, sizeof(message), -1), 0);
}

static void a_reset_frees_everything_and_answers_nothing(void **state)
{
	struct harness *harness = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	union vgpu_link_message message;
	struct vm_status status;
	struct client client;
	uint64_t context;
	pid_t pid;

	client_open(&client, harness->link_path);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 100), VGPU_ERR_NONE);
	context = client.config.context;
	pid = harness_status(harness).worker_pid;
	client_submit(&client, bytes, client_kernel(bytes, FAKE_HANG, 0));
	reset(&client);
	harness_wait(harness, status,
		     status.memory_used_bytes == 0 && status.worker_state == VGPU_WORKER_NONE);
	assert_int_equal(client_receive_answer(&client, &message, 100), -1);
	assert_int_equal(status.usage.workers_lost, 0);
	wait_until(kill(pid, 0) < 0);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	assert_true(client.config.context != context);

	/* Reset and request in one breath, with the old worker still there. */
	for (int i = 0; i < 10; i++) {
		reset(&client);
		assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	}
	client_close(&client);
}

static void a_device_that_goes_takes_its_jobs_along(void **state)
{
	struct harness *harness = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	union vgpu_link_message message;
	struct vm_status status;
	struct client client;

	client_open(&client, harness->link_path);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 100), VGPU_ERR_NONE);
	client_submit(&client, bytes, client_kernel(bytes, FAKE_SLOW, 0));
	client_close(&client);
	/* The memory counts until the worker is certain to be gone. */
	harness_wait(harness, status,
		     status.link_state == VGPU_LINK_DOWN && !status.worker_pid &&
			     status.memory_used_bytes == 0);
	client_open(&client, harness->link_path);
	/* The same tag as the one that was lost; what comes back must be the new request's. */
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	assert_int_equal(client_receive_answer(&client, &message, 300), -1);
	client_close(&client);
}

static void check_dropped(struct harness *harness, const void *bytes, size_t length, int fd)
{
	struct client client;

	client_open(&client, harness->link_path);
	assert_int_equal(client_send(&client, bytes, length, fd), 0);
	assert_true(client_sees_end(&client, CLIENT_TIMEOUT_MS));
	client_close(&client);
}

static void a_message_out_of_form_ends_the_link(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_hello hello = client_hello();
	struct vgpu_link_request request = {
		.header = { .type = VGPU_MSG_REQUEST, .length = 24 },
	};
	struct vgpu_link_header header = { .type = VGPU_MSG_RESET, .length = 9 };
	char long_message[4096] = { 0 };
	struct client client;

	check_dropped(harness, &hello, sizeof(hello), -1);
	check_dropped(harness, &request, 24, -1); /* no data */
	request.header.length = 32;
	request.length = 9;
	check_dropped(harness, &request, 32, -1);
	request.length = UINT32_MAX;
	check_dropped(harness, &request, 32, -1);
	check_dropped(harness, &header, sizeof(header), -1);
	check_dropped(harness, &header, 3, -1);
	header = (struct vgpu_link_header){ .type = VGPU_MSG_RESPONSE, .length = sizeof(header) };
	check_dropped(harness, &header, sizeof(header), -1);
	header.type = 77;
	check_dropped(harness, &header, sizeof(header), -1);
	check_dropped(harness, long_message, sizeof(long_message), -1);
	header.type = VGPU_MSG_RESET;
	check_dropped(harness, &header, sizeof(header), STDERR_FILENO);
	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
}

static void a_second_request_before_the_answer_ends_the_link(void **state)
{
	struct harness *harness = *state;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	struct client client;

	client_open(&client, harness->link_path);
	client_submit(&client, bytes, client_kernel(bytes, FAKE_HANG, 0));
	client_submit(&client, bytes, client_kernel(bytes, FAKE_HANG, 0));
	assert_true(client_sees_end(&client, CLIENT_TIMEOUT_MS));
	client_close(&client);
}

/* One VM more, for a device that must be served whatever the first VM's does. */
static void put_other(struct harness *harness, struct vm_config *other, char path[128])
{
	struct vgpu_error *err = NULL;
	size_t length = strlen(harness->link_path);

	*other = harness->vm;
	other->vm_id = 2;
	other->uuid[15]++;
	strcpy(other->name, "other");
	if (control_vm_put(harness->control, other, &err) < 0)
		fail_msg("%s", err->message);
	strcpy(path, harness->link_path);
	/* ...ab.sock -> ...ac.sock */
	path[length - strlen("b.sock")] = 'c';
}

static void a_device_that_never_reads_is_dropped_and_holds_up_nobody(void **state)
{
	struct harness *harness = *state;
	const size_t head = offsetof(struct vgpu_link_request, data);
	struct vgpu_link_request request = { .header = { .type = VGPU_MSG_REQUEST } };
	struct client client, good;
	struct vm_config other;
	char path[128];
	int sent = 0, rc = 0;

	put_other(harness, &other, path);
	client_open(&client, harness->link_path);
	client_open(&good, path);
	/* Malformed: answered at once, so that the next is no second one outstanding. */
	request.header.length = (uint32_t)head + 1;
	request.length = 1;
	while (sent < 100000) {
		request.tag++;
		rc = client_send(&client, &request, request.header.length, -1);
		if (rc < 0 && errno != EAGAIN)
			break;
		sent++;
		if (sent % 100 == 0)
			assert_int_equal(client_nop(&good), VGPU_ERR_NONE);
	}
	assert_int_equal(rc, -1);
	client_close(&client);
	assert_int_equal(client_nop(&good), VGPU_ERR_NONE);
	client_close(&good);
	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
}

/*
 * As client_open(), until there is room. A close is late where a worker is being started meanwhile:
 * this process is the mediator's too, and under valgrind its child holds a copy for a moment.
 */
static void open_soon(struct client *client, const char *path)
{
	struct vgpu_link_hello hello = client_hello();
	int window = client_window(CLIENT_WINDOW_BYTES, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	union vgpu_link_message message;
	int type = VGPU_MSG_REFUSED;

	for (int i = 0; i < WAIT_MS / 10 && type == VGPU_MSG_REFUSED; i++) {
		client_connect(client, path);
		assert_int_equal(client_send(client, &hello, sizeof(hello), window), 0);
		type = client_receive(client, &message, CLIENT_TIMEOUT_MS);
		if (type == VGPU_MSG_REFUSED) {
			assert_int_equal(message.refused.reason, VGPU_REFUSED_BUSY);
			client_close(client);
			usleep(10000);
		}
	}
	assert_int_equal(type, VGPU_MSG_WELCOME);
	client_begin(client);
	close(window);
}

static void devices_that_come_and_go_leak_no_descriptor(void **state)
{
	struct harness *harness = *state;
	unsigned int before = harness_descriptors();
	struct vm_status status;

	for (int i = 0; i < 50; i++) {
		uint8_t bytes[VGPU_MAILBOX_BYTES];
		struct client client;

		open_soon(&client, harness->link_path);
		if (i % 5 == 0)
			assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
		if (i % 5 == 1)
			client_submit(&client, bytes, client_kernel(bytes, FAKE_HANG, 0));
		if (i % 5 == 2)
			reset(&client);
		client_close(&client);
	}
	harness_wait(harness, status, status.link_state == VGPU_LINK_DOWN && !status.worker_pid);
	wait_until(harness_descriptors() == before);
}

static void a_deleted_vm_is_gone_with_link_and_worker(void **state)
{
	struct harness *harness = *state;
	struct vgpu_error *err = NULL;
	struct vm_config other;
	struct vm_status status;
	struct client client;
	char path[128];
	pid_t pid;

	put_other(harness, &other, path);
	client_open(&client, path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	assert_int_equal(control_vm_status(harness->control, other.uuid, &status, &err), 0);
	pid = status.worker_pid;
	assert_int_equal(control_vm_delete(harness->control, other.uuid, &err), 0);
	assert_true(client_sees_end(&client, CLIENT_TIMEOUT_MS));
	client_close(&client);
	assert_int_equal(access(path, F_OK), -1);
	wait_until(kill(pid, 0) < 0);
	assert_int_equal(control_vm_status(harness->control, other.uuid, &status, &err), -1);
	assert_int_equal(err->status, ENOENT);
	vgpu_error_free(&err);
	/* Once more is no failure. */
	assert_int_equal(control_vm_delete(harness->control, other.uuid, &err), 0);
}

static void expect_put(struct harness *harness, const struct vm_config *vm, int status)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	control_vm_put(harness->control, vm, &err);
	assert_int_equal(err ? err->status : 0, status);
}

/* Another id is the same VM: what it was guaranteed is neither lost nor doubled. */
static void a_guarantee_goes_along_with_a_new_id(void **state)
{
	struct harness *harness = *state;
	struct vm_config *vm = &harness->vm;
	struct vm_config other;
	char path[128];

	put_other(harness, &other, path);
	vm->quotas.gpu_time_guaranteed_percent = 60;
	expect_put(harness, vm, 0);
	vm->vm_id = 9;
	expect_put(harness, vm, 0);
	other.quotas.gpu_time_guaranteed_percent = 41;
	expect_put(harness, &other, ERANGE);
	other.quotas.gpu_time_guaranteed_percent = 40;
	expect_put(harness, &other, 0);
	/* Where the change is refused, too. */
	vm->vm_id = 10;
	vm->quotas.gpu_time_guaranteed_percent = 61;
	expect_put(harness, vm, ERANGE);
	other.quotas.gpu_time_guaranteed_percent = 41;
	expect_put(harness, &other, ERANGE);
}

static void a_vm_changes_while_it_runs(void **state)
{
	struct harness *harness = *state;
	union vgpu_link_message message;
	struct vgpu_error *err = NULL;
	struct vm_config other;
	struct client client;
	char path[128];

	put_other(harness, &other, path);
	client_open(&client, harness->link_path);
	assert_int_equal(client_memory(&client, VGPU_OP_MEMORY_ALLOC, 100), VGPU_ERR_NONE);
	harness->vm.priority = VGPU_PRIORITY_HIGH;
	harness->vm.quotas.queue_depth = 5;
	harness_put(harness);
	while (client.config.priority != VGPU_PRIORITY_HIGH)
		assert_true(client_receive(&client, &message, CLIENT_TIMEOUT_MS) > 0);
	assert_int_equal(client.config.quotas.queue_depth, 5);
	assert_int_equal(harness_status(harness).memory_used_bytes, 100);

	/* A new id is a new worker uid: the context goes, the link stays. */
	harness->vm.vm_id = 9;
	harness_put(harness);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	assert_int_equal(client.config.vm_id, 9);
	assert_int_equal(harness_status(harness).memory_used_bytes, 0);

	harness->vm.vm_id = 2;
	assert_int_equal(control_vm_put(harness->control, &harness->vm, &err), -1);
	assert_int_equal(err->status, EEXIST);
	vgpu_error_free(&err);
	strcpy(harness->vm.pool, "nowhere");
	assert_int_equal(control_vm_put(harness->control, &harness->vm, &err), -1);
	vgpu_error_free(&err);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
}

static void hold(int number)
{
	(void)number;
	usleep(200000);
}

/* As a QEMU that is started again at once: what its predecessor left unread hides that it went. */
static void a_device_that_comes_back_is_not_taken_for_a_second_one(void **state)
{
	struct harness *harness = *state;
	const struct sigaction action = { .sa_handler = hold };
	struct client old, new;

	client_open(&old, harness->link_path);
	sigaction(SIGUSR1, &action, NULL);
	pthread_kill(harness->thread, SIGUSR1);
	/* More than the loop takes at once. */
	for (int i = 0; i < 40; i++)
		reset(&old);
	client_close(&old);
	client_open(&new, harness->link_path);
	assert_int_equal(client_nop(&new), VGPU_ERR_NONE);
	client_close(&new);
}

static int64_t lines_of(int file)
{
	char bytes[4096];
	int64_t lines = 0;
	off_t offset = 0;
	ssize_t length;

	while ((length = pread(file, bytes, sizeof(bytes), offset)) > 0) {
		for (ssize_t i = 0; i < length; i++)
			lines += bytes[i] == '\n';
		offset += length;
	}
	return lines;
}

/* Each of its resets ends a worker, and each request after one starts another. */
static void a_device_that_resets_for_ever_does_not_fill_the_log(void **state)
{
	struct harness *harness = *state;
	int log = memfd_create("log", MFD_CLOEXEC);
	int saved = dup(STDERR_FILENO);
	int64_t start_ns, periods;
	struct client client;

	assert_true(log >= 0 && saved >= 0);
	/* The link's being up counts as well, and may begin the first of those periods. */
	start_ns = vgpu_now_ns();
	client_open(&client, harness->link_path);
	vgpu_log_init("test", VGPU_LOG_INFO);
	assert_int_equal(dup2(log, STDERR_FILENO), STDERR_FILENO);
	for (int i = 0; i < 100; i++) {
		reset(&client);
		client_nop(&client);
	}
	periods = 1 + (vgpu_now_ns() - start_ns) / (10 * VGPU_NS_PER_SECOND);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	vgpu_log_init("test", VGPU_LOG_ERROR - 1);
	close(saved);
	/* In each 10 s so many, and one that says that there are more. */
	assert_in_range(lines_of(log), 40, 41 * periods);
	close(log);
	client_close(&client);
}

static void resets_in_a_flood_are_slowed_down_and_all_requests_answered(void **state)
{
	struct harness *harness = *state;
	struct client client;
	union vgpu_link_message message;
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	int64_t start_ns = vgpu_now_ns();

	client_open(&client, harness->link_path);
	for (int i = 0; i < 100; i++) {
		reset(&client);
		assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	}
	/* 64 workers at once, and the other 36 at 50 a second. */
	assert_true(vgpu_now_ns() - start_ns > 600 * VGPU_NS_PER_MS);
	/* One that waits goes with its request; one that ran before its reset has an answer. */
	for (int i = 0; i < 10; i++) {
		client_submit(&client, bytes, client_request(bytes, VGPU_OP_NOP, 0, NULL, 0));
		reset(&client);
	}
	client_submit(&client, bytes, client_request(bytes, VGPU_OP_NOP, 0, NULL, 0));
	do
		assert_int_equal(client_receive_answer(&client, &message, CLIENT_TIMEOUT_MS),
				 VGPU_MSG_RESPONSE);
	while (message.response.tag != client.tag);
	assert_int_equal(message.response.error_code, VGPU_ERR_NONE);
	client_close(&client);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_reset_frees_everything_and_answers_nothing),
		TEST(a_device_that_goes_takes_its_jobs_along),
		TEST(a_message_out_of_form_ends_the_link),
		TEST(a_second_request_before_the_answer_ends_the_link),
		TEST(a_device_that_never_reads_is_dropped_and_holds_up_nobody),
		TEST(devices_that_come_and_go_leak_no_descriptor),
		TEST(a_deleted_vm_is_gone_with_link_and_worker),
		TEST(a_guarantee_goes_along_with_a_new_id),
		TEST(a_vm_changes_while_it_runs),
		TEST(a_device_that_comes_back_is_not_taken_for_a_second_one),
		TEST(a_device_that_resets_for_ever_does_not_fill_the_log),
		TEST(resets_in_a_flood_are_slowed_down_and_all_requests_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
