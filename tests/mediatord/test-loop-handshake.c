/* SPDX-License-Identifier: Apache-2.0 */
/* What a device must say and be before it is welcomed; the one that is there is never disturbed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/mediatord/loop-client.h"
#include "tests/mediatord/loop-harness.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Sends what is given as the first message; must be refused for that reason and cut off. */
static void check_refused(struct harness *harness, const void *bytes, size_t length, int fd,
			  uint32_t reason)
{
	uint64_t refused = harness_status(harness).usage.links_refused;
	union vgpu_link_message message;
	struct client client;

	client_connect(&client, harness->link_path);
	assert_int_equal(client_send(&client, bytes, length, fd), 0);
	assert_int_equal(client_receive(&client, &message, CLIENT_TIMEOUT_MS), VGPU_MSG_REFUSED);
	assert_int_equal(message.refused.reason, reason);
	assert_non_null(memchr(message.refused.text, '\0', sizeof(message.refused.text)));
	assert_true(message.refused.text[0] != '\0');
	assert_true(client_sees_end(&client, CLIENT_TIMEOUT_MS));
	assert_int_equal(harness_status(harness).usage.links_refused, refused + 1);
	client_close(&client);
}

static void each_fault_of_a_hello_is_refused(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_hello hello = client_hello();
	int window = client_window(CLIENT_WINDOW_BYTES, SEALS);
	unsigned int descriptors = harness_descriptors();
	char long_message[4096] = { 0 };
	struct client client;

	hello.version = 0;
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_VERSION);
	hello = client_hello();
	hello.header.type = VGPU_MSG_REQUEST;
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_MALFORMED);
	hello = client_hello();
	hello.header.length--;
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_MALFORMED);
	hello = client_hello();
	hello.header.length = sizeof(hello) - 8;
	check_refused(harness, &hello, sizeof(hello) - 8, window, VGPU_REFUSED_MALFORMED);
	check_refused(harness, &hello, 1, -1, VGPU_REFUSED_MALFORMED);
	check_refused(harness, long_message, sizeof(long_message), -1, VGPU_REFUSED_MALFORMED);
	hello = client_hello();
	hello.vectors = VGPU_MSIX_VECTORS + 1;
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_MALFORMED);

	/* A newer device is welcome: it is told what both speak. */
	hello = client_hello();
	hello.version = 7;
	client_connect(&client, harness->link_path);
	assert_int_equal(client_send(&client, &hello, sizeof(hello), window), 0);
	union vgpu_link_message message;
	assert_int_equal(client_receive(&client, &message, CLIENT_TIMEOUT_MS), VGPU_MSG_WELCOME);
	assert_int_equal(message.welcome.version, VGPU_LINK_VERSION);
	client_close(&client);

	struct vm_status status;
	harness_wait(harness, status, status.link_state == VGPU_LINK_DOWN);
	assert_int_equal(harness_descriptors(), descriptors);
	close(window);
}

static void each_fault_of_a_window_is_refused(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_hello hello = client_hello();
	unsigned int descriptors = harness_descriptors();
	int fds[2];
	int window;

	check_refused(harness, &hello, sizeof(hello), -1, VGPU_REFUSED_WINDOW);

	/* Two descriptors: what they are does not matter any more. */
	struct client client;
	union vgpu_link_message message;
	client_connect(&client, harness->link_path);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(vgpu_packet_send(client.fd, &hello, sizeof(hello), fds, 2), 0);
	assert_int_equal(client_receive(&client, &message, CLIENT_TIMEOUT_MS), VGPU_MSG_REFUSED);
	client_close(&client);
	/* No memfd. */
	check_refused(harness, &hello, sizeof(hello), fds[0], VGPU_REFUSED_WINDOW);
	close(fds[0]);
	close(fds[1]);

	window = client_window(CLIENT_WINDOW_BYTES, 0);
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_WINDOW);
	assert_int_equal(fcntl(window, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_WINDOW);
	assert_int_equal(fcntl(window, F_ADD_SEALS, F_SEAL_GROW), 0);
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_WINDOW);
	close(window);

	window = client_window(CLIENT_WINDOW_BYTES, SEALS);
	for (int i = 0; i < 5; i++) {
		static const uint64_t sizes[] = { 0, CLIENT_WINDOW_BYTES * 2,
						  CLIENT_WINDOW_BYTES + 1, UINT64_C(128) << 30,
						  UINT64_MAX };

		hello.window_bytes = sizes[i];
		check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_WINDOW);
	}
	close(window);
	assert_int_equal(harness_descriptors(), descriptors);
}

static void a_second_device_is_refused_and_the_first_undisturbed(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_hello hello = client_hello();
	int window = client_window(CLIENT_WINDOW_BYTES, SEALS);
	struct client first;

	client_open(&first, harness->link_path);
	assert_int_equal(client_memory(&first, VGPU_OP_MEMORY_ALLOC, 100), VGPU_ERR_NONE);
	for (int i = 0; i < 3; i++) {
		check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_BUSY);
		assert_int_equal(client_nop(&first), VGPU_ERR_NONE);
	}
	assert_int_equal(harness_status(harness).memory_used_bytes, 100);

	/* Gone and there again at once: the mediator must not take the old one for the holder. */
	client_close(&first);
	client_open(&first, harness->link_path);
	assert_int_equal(client_nop(&first), VGPU_ERR_NONE);
	client_close(&first);
	close(window);
}

static void a_peer_that_is_not_the_vm_is_refused(void **state)
{
	struct harness *harness = *state;
	struct vgpu_link_hello hello = client_hello();
	int window = client_window(CLIENT_WINDOW_BYTES, SEALS);
	char path[128];
	FILE *file;
	struct client client;

	harness->vm.link_uid = geteuid() + 1;
	harness_put(harness);
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_IDENTITY);

	/* Without a uid, libvirt's pid file decides. */
	harness->vm.has_link_uid = false;
	harness_put(harness);
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_IDENTITY);
	snprintf(path, sizeof(path), "%s/test.pid", harness->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%d\n", (int)getpid() + 1);
	fclose(file);
	check_refused(harness, &hello, sizeof(hello), window, VGPU_REFUSED_IDENTITY);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%d\n", (int)getpid());
	fclose(file);
	client_open(&client, harness->link_path);
	assert_int_equal(client_nop(&client), VGPU_ERR_NONE);
	client_close(&client);
	close(window);
}

static void who_says_nothing_is_dropped_after_5_s(void **state)
{
	struct harness *harness = *state;
	struct client silent[6], device;

	/* More than may be half-open: the rest is cut off at once. */
	for (int i = 0; i < 6; i++)
		client_connect(&silent[i], harness->link_path);
	for (int i = 4; i < 6; i++)
		assert_true(client_sees_end(&silent[i], CLIENT_TIMEOUT_MS));
	for (int i = 0; i < 4; i++)
		assert_false(client_sees_end(&silent[i], 0));
	for (int i = 0; i < 4; i++)
		if (!client_sees_end(&silent[i], CLIENT_TIMEOUT_MS))
			fail_msg("connection %d is still there", i);
	for (int i = 0; i < 6; i++)
		client_close(&silent[i]);
	client_open(&device, harness->link_path);
	assert_int_equal(client_nop(&device), VGPU_ERR_NONE);
	client_close(&device);
}

static void strangers_cannot_use_up_the_places_of_the_device(void **state)
{
	struct harness *harness = *state;
	struct client strangers[8], device;

	harness->vm.link_uid = geteuid() + 1;
	harness_put(harness);
	for (int i = 0; i < 8; i++)
		client_connect(&strangers[i], harness->link_path);
	harness_status(harness);
	harness->vm.link_uid = geteuid();
	harness_put(harness);
	client_open(&device, harness->link_path);
	assert_int_equal(client_nop(&device), VGPU_ERR_NONE);
	client_close(&device);
	for (int i = 0; i < 8; i++)
		client_close(&strangers[i]);
}

static void the_socket_is_for_others_to_reach(void **state)
{
	struct harness *harness = *state;
	struct stat status;

	assert_int_equal(stat(harness->link_path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	/* No link-group: who connects is what decides. */
	assert_int_equal(status.st_mode & 0777, 0666);
}

static void with_a_link_group_it_is_for_that_group_alone(void **state)
{
	struct harness *harness = *state;
	struct vgpu_error *err = NULL;
	struct stat status;

	assert_int_equal(control_vm_delete(harness->control, harness->vm.uuid, &err), 0);
	/* The loop reads it while it carries out a command, and only then. */
	harness->config->has_link_group = true;
	harness->config->link_gid = geteuid() == 0 ? 12345 : getegid();
	harness_put(harness);
	assert_int_equal(stat(harness->link_path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);
	assert_int_equal(status.st_gid, harness->config->link_gid);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_fault_of_a_hello_is_refused),
		TEST(each_fault_of_a_window_is_refused),
		TEST(a_second_device_is_refused_and_the_first_undisturbed),
		TEST(a_peer_that_is_not_the_vm_is_refused),
		TEST(who_says_nothing_is_dropped_after_5_s),
		TEST(strangers_cannot_use_up_the_places_of_the_device),
		TEST(the_socket_is_for_others_to_reach),
		TEST(with_a_link_group_it_is_for_that_group_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
