/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The link comes up by itself, comes back, and backs off; what it says meanwhile. */
#include "tests/device/fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/packet.h"

#define MS VGPU_NS_PER_MS

static uint32_t state_of(struct fixture *fixture)
{
	return guest_read(fixture, VGPU_REG_LINK_STATE);
}

static void it_comes_up_when_a_mediator_appears(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	assert_int_equal(state_of(fixture), VGPU_LINK_DOWN);
	device_sleep(fixture, 60 * VGPU_NS_PER_SECOND);
	mediator_start(fixture);
	device_sleep(fixture, 500 * MS);
	assert_int_equal(state_of(fixture), VGPU_LINK_CONNECTING);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	/* Not before the registers show this VM's values. */
	assert_int_equal(state_of(fixture), VGPU_LINK_CONNECTING);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	mediator_config(fixture, 1);
	assert_int_equal(state_of(fixture), VGPU_LINK_UP);
	assert_int_equal(fixture->deadline, -1);
}

static void it_connects_at_creation(void **state)
{
	struct fixture *fixture = *state;

	vgpu_core_free(&fixture->core);
	mediator_start(fixture);
	fixture_device(fixture, VGPU_MSIX_VECTORS);
	assert_int_equal(state_of(fixture), VGPU_LINK_CONNECTING);
	mediator_accept(fixture);
}

static void hello_carries_the_window(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_hello hello;
	struct stat mine, theirs;
	size_t count;
	int fd;

	mediator_start(fixture);
	device_sleep(fixture, 100 * MS);
	fixture->peer = accept4(fixture->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_int_equal(vgpu_packet_receive(fixture->peer, &hello, sizeof(hello), &fd, 1, &count),
			 sizeof(hello));
	assert_int_equal(count, 1);
	assert_int_equal(hello.vectors, VGPU_MSIX_VECTORS);
	assert_int_equal(fstat(vgpu_core_window_fd(fixture->core), &mine), 0);
	assert_int_equal(fstat(fd, &theirs), 0);
	assert_int_equal(mine.st_ino, theirs.st_ino);
	assert_int_equal(theirs.st_size, hello.window_bytes);
	close(fd);
}

static void it_comes_back_after_a_restart(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	link_up(fixture);
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(state_of(fixture), VGPU_LINK_DOWN);
	/* The values stay as they were reported last. */
	assert_int_equal(guest_read(fixture, VGPU_REG_VM_ID), 7);
	mediator_start(fixture);
	device_sleep(fixture, 100 * MS);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	mediator_config(fixture, 1);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	guest_submit(fixture, "x", 1);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, NULL, 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_DONE);
}

static void retries_back_off_to_half_a_second(void **state)
{
	static const int64_t waits[] = { 100 * MS, 200 * MS, 400 * MS, 500 * MS, 500 * MS };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_int_equal(fixture->deadline - fixture->now, waits[i]);
		device_sleep(fixture, waits[i]);
	}
	/* A link that was up begins anew. */
	link_up(fixture);
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(fixture->deadline - fixture->now, 100 * MS);
}

static void a_timer_that_is_early_waits_on(void **state)
{
	struct fixture *fixture = *state;
	int64_t deadline = fixture->deadline;

	mediator_start(fixture);
	vgpu_core_timer(fixture->core);
	assert_int_equal(fixture->deadline, deadline);
	assert_int_equal(state_of(fixture), VGPU_LINK_DOWN);
	device_sleep(fixture, 100 * MS);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	mediator_config(fixture, 1);
	vgpu_core_timer(fixture->core);
	assert_int_equal(state_of(fixture), VGPU_LINK_UP);
}

static void attempts_that_fail_alike_are_logged_once(void **state)
{
	struct fixture *fixture = *state;

	device_sleep(fixture, 600 * VGPU_NS_PER_SECOND);
	assert_int_equal(fixture->lines, 1);
	assert_non_null(strstr(fixture->last_line, "cannot connect"));
	assert_non_null(strstr(fixture->last_line, fixture->path));
	link_up(fixture);
	assert_int_equal(fixture->lines, 2);
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(fixture->lines, 3);
}

static void a_flapping_link_cannot_fill_the_log(void **state)
{
	struct fixture *fixture = *state;

	mediator_start(fixture);
	for (int i = 0; i < 300; i++) {
		device_sleep(fixture, 100 * MS);
		mediator_accept(fixture);
		mediator_welcome(fixture);
		mediator_config(fixture, 1);
		assert_int_equal(state_of(fixture), VGPU_LINK_UP);
		close(fixture->peer);
		fixture->peer = -1;
		device_run(fixture);
	}
	assert_true(fixture->lines <= 20);
}

static void send_refused(struct fixture *fixture, const char *text)
{
	struct vgpu_link_refused refused = {
		.header = { VGPU_MSG_REFUSED, sizeof(refused) },
		.reason = VGPU_REFUSED_BUSY,
	};

	strncpy(refused.text, text, sizeof(refused.text) - 1);
	mediator_send(fixture, &refused, sizeof(refused));
	device_run(fixture);
}

static void refused_is_shown_and_tried_again_after_2_s(void **state)
{
	struct fixture *fixture = *state;

	mediator_start(fixture);
	device_sleep(fixture, 100 * MS);
	mediator_accept(fixture);
	send_refused(fixture, "another device\nholds the link");
	assert_int_equal(state_of(fixture), VGPU_LINK_REFUSED);
	assert_int_equal(vgpu_core_refused(fixture->core), VGPU_REFUSED_BUSY);
	assert_int_equal(fixture->deadline - fixture->now, 2000 * MS);
	assert_non_null(strstr(fixture->last_line, "another device?holds the link"));
	guest_submit(fixture, "x", 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);

	device_sleep(fixture, 2000 * MS);
	assert_int_equal(state_of(fixture), VGPU_LINK_CONNECTING);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	mediator_config(fixture, 1);
	assert_int_equal(state_of(fixture), VGPU_LINK_UP);
	assert_int_equal(vgpu_core_refused(fixture->core), 0);
	/* A link that is lost later is down, not refused, and tried again soon. */
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(state_of(fixture), VGPU_LINK_DOWN);
	assert_int_equal(fixture->deadline - fixture->now, 100 * MS);
}

static void a_handshake_has_5_s(void **state)
{
	struct fixture *fixture = *state;

	mediator_start(fixture);
	device_sleep(fixture, 100 * MS);
	assert_int_equal(state_of(fixture), VGPU_LINK_CONNECTING);
	device_sleep(fixture, 4999 * MS);
	assert_int_equal(state_of(fixture), VGPU_LINK_CONNECTING);
	device_sleep(fixture, 1 * MS);
	assert_int_equal(state_of(fixture), VGPU_LINK_DOWN);
	assert_non_null(strstr(fixture->last_line, "5 s"));
	/* Being welcomed, but not configured, is not enough. */
	mediator_accept(fixture);
	device_sleep(fixture, 200 * MS);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	device_sleep(fixture, 5000 * MS);
	assert_int_equal(state_of(fixture), VGPU_LINK_DOWN);
}

static void requests_wait_for_nobody_during_the_handshake(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	mediator_start(fixture);
	device_sleep(fixture, 100 * MS);
	guest_submit(fixture, "x", 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	guest_submit(fixture, "x", 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);
	assert_true(mediator_has_nothing(fixture));
}

/* The descriptor is taken out of the embedder's loop before it is closed. */
static void a_lost_link_is_no_longer_watched(void **state)
{
	struct fixture *fixture = *state;

	link_up(fixture);
	assert_true(fixture->watched >= 0);
	assert_true(fixture->watch_read);
	assert_false(fixture->watch_write);
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(fixture->watched, -1);
	/* A late event of the embedder's loop does nothing. */
	vgpu_core_link_ready(fixture->core, true, true);
	assert_int_equal(state_of(fixture), VGPU_LINK_DOWN);
}

static void reconnecting_leaks_no_descriptor(void **state)
{
	struct fixture *fixture = *state;
	int before = dup(0), after;

	close(before);
	mediator_start(fixture);
	for (int i = 0; i < 50; i++) {
		device_sleep(fixture, 500 * MS);
		mediator_accept(fixture);
		close(fixture->peer);
		fixture->peer = -1;
		device_run(fixture);
	}
	mediator_stop(fixture);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void answer_one(struct fixture *fixture)
{
	union vgpu_link_message message;

	guest_submit(fixture, "x", 1);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, NULL, 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_DONE);
}

static void a_lost_context_raises_the_generation(void **state)
{
	struct fixture *fixture = *state;
	uint32_t generation = guest_read(fixture, VGPU_REG_GENERATION);

	link_up(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_GENERATION), generation);
	answer_one(fixture);
	mediator_config(fixture, 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_GENERATION), generation);
	mediator_config(fixture, 2);
	assert_int_equal(guest_read(fixture, VGPU_REG_GENERATION), generation + 1);
	/* Nothing was answered since: there is nothing to lose. */
	mediator_config(fixture, 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_GENERATION), generation + 1);
	answer_one(fixture);
	mediator_config(fixture, 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_GENERATION), generation + 2);
}

static void reconnect(struct fixture *fixture, uint64_t context)
{
	mediator_stop(fixture);
	device_run(fixture);
	mediator_start(fixture);
	device_sleep(fixture, 500 * MS);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	mediator_config(fixture, context);
	assert_int_equal(state_of(fixture), VGPU_LINK_UP);
}

static void a_restarted_mediator_keeps_the_generation_where_it_kept_the_memory(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_resume resume;
	uint32_t generation;

	link_up(fixture);
	answer_one(fixture);
	generation = guest_read(fixture, VGPU_REG_GENERATION);
	reconnect(fixture, 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_GENERATION), generation);
	/* Nothing is reset that the guest still holds. */
	mediator_expect_resume(fixture, 0, &resume);
	assert_true(mediator_has_nothing(fixture));
	reconnect(fixture, 9);
	assert_int_equal(guest_read(fixture, VGPU_REG_GENERATION), generation + 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_comes_up_when_a_mediator_appears),
		TEST(it_connects_at_creation),
		TEST(hello_carries_the_window),
		TEST(it_comes_back_after_a_restart),
		TEST(retries_back_off_to_half_a_second),
		TEST(a_timer_that_is_early_waits_on),
		TEST(attempts_that_fail_alike_are_logged_once),
		TEST(a_flapping_link_cannot_fill_the_log),
		TEST(refused_is_shown_and_tried_again_after_2_s),
		TEST(a_handshake_has_5_s),
		TEST(requests_wait_for_nobody_during_the_handshake),
		TEST(a_lost_link_is_no_longer_watched),
		TEST(reconnecting_leaks_no_descriptor),
		TEST(a_lost_context_raises_the_generation),
		TEST(a_restarted_mediator_keeps_the_generation_where_it_kept_the_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
