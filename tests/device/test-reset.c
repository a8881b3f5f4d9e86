/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* A reset leaves no stale completion, and reaches the mediator before any later request. */
#include "tests/device/fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void assert_reset_values(struct fixture *fixture)
{
	for (uint32_t offset = 0; offset < VGPU_REG_EXT_VERSION; offset += 4) {
		uint32_t want = 0;

		switch (offset) {
		case VGPU_REG_POOL_ID:
		case VGPU_REG_PRIORITY:
		case VGPU_REG_VM_ID:
			continue; /* the mediator's */
		case VGPU_REG_PROTOCOL_VER:
			want = VGPU_PROTOCOL_VERSION;
			break;
		case VGPU_REG_CAPABILITIES:
			want = VGPU_CAP_MAILBOX | VGPU_CAP_INTERRUPT | VGPU_CAP_WINDOW |
			       VGPU_CAP_CHANNELS;
			break;
		}
		if (guest_read(fixture, offset) != want)
			fail_msg("0x%03x: reads 0x%x after reset, not 0x%x", offset,
				 guest_read(fixture, offset), want);
	}
}

static void registers_go_to_their_reset_values(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	uint32_t generation;

	link_up(fixture);
	guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, 1);
	guest_write(fixture, VGPU_REG_REQUEST_ID, 5);
	guest_write(fixture, VGPU_REG_SCRATCH, 6);
	guest_submit(fixture, "hello", 5);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_CUDA, "no", 2);
	generation = guest_read(fixture, VGPU_REG_GENERATION);

	vgpu_core_reset(fixture->core);
	assert_reset_values(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_GENERATION), generation + 1);
	/* The mediator's values and the link stay. */
	assert_int_equal(guest_read(fixture, VGPU_REG_POOL_ID), 'B');
	assert_int_equal(guest_read(fixture, VGPU_REG_PRIORITY), VGPU_PRIORITY_HIGH);
	assert_int_equal(guest_read(fixture, VGPU_REG_VM_ID), 7);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	assert_true(mediator_has_nothing(fixture));
}

static void a_late_response_is_not_seen(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	uint64_t stale;

	link_up(fixture);
	guest_submit(fixture, "one", 3);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	stale = message.request.tag;
	vgpu_core_reset(fixture->core);
	guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, 1);
	mediator_respond(fixture, stale, VGPU_ERR_NONE, "old", 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_BUF), 0);
	assert_int_equal(fixture->interrupts, 0);

	/* Nor is it taken for the answer to the next request. */
	guest_submit(fixture, "two", 3);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	assert_int_not_equal(message.request.tag, stale);
	mediator_respond(fixture, stale, VGPU_ERR_NONE, "old", 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_BUSY);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, "new", 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_DONE);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_BUF), 'n' | 'e' << 8 | 'w' << 16);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

static void a_link_lost_after_a_reset_completes_nothing(void **state)
{
	struct fixture *fixture = *state;

	link_up(fixture);
	guest_submit(fixture, "one", 3);
	vgpu_core_reset(fixture->core);
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 0);
}

static void reconnect(struct fixture *fixture)
{
	mediator_start(fixture);
	device_sleep(fixture, 500 * VGPU_NS_PER_MS);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	mediator_config(fixture, 1);
}

static void use_and_lose(struct fixture *fixture)
{
	union vgpu_link_message message;

	link_up(fixture);
	guest_submit(fixture, "one", 3);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, NULL, 0);
	mediator_stop(fixture);
	device_run(fixture);
}

static void a_reset_without_a_mediator_is_told_later(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	use_and_lose(fixture);
	vgpu_core_reset(fixture->core);
	vgpu_core_reset(fixture->core);
	reconnect(fixture);
	guest_submit(fixture, "two", 3);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	assert_true(mediator_has_nothing(fixture));
}

/* The mediator may have died with the RESET unread: only an answer proves that it was taken. */
static void a_reset_is_repeated_until_a_response_came(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	use_and_lose(fixture);
	vgpu_core_reset(fixture->core);
	reconnect(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	mediator_stop(fixture);
	device_run(fixture);
	reconnect(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	guest_submit(fixture, "two", 3);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, NULL, 0);
	mediator_stop(fixture);
	device_run(fixture);
	reconnect(fixture);
	mediator_expect(fixture, VGPU_MSG_RESUME, &message);
	assert_true(mediator_has_nothing(fixture));
}

static void a_full_socket_keeps_one_reset_and_one_request(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	unsigned int held;

	link_up(fixture);
	held = fill_socket(fixture);
	guest_submit(fixture, "one", 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_BUSY);
	vgpu_core_reset(fixture->core);
	guest_submit(fixture, "two", 3);
	device_run(fixture);
	assert_true(fixture->watch_write);

	for (unsigned int i = 0; i < held; i++)
		mediator_expect(fixture, VGPU_MSG_RESET, &message);
	assert_true(mediator_has_nothing(fixture));
	device_run(fixture);
	assert_false(fixture->watch_write);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	assert_memory_equal(message.request.data, "two", 3);
	assert_true(mediator_has_nothing(fixture));
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, NULL, 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_DONE);
}

static void a_request_that_never_left_is_forgotten(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	unsigned int held;

	link_up(fixture);
	held = fill_socket(fixture);
	guest_submit(fixture, "one", 3);
	vgpu_core_reset(fixture->core);
	for (unsigned int i = 0; i < held; i++)
		mediator_expect(fixture, VGPU_MSG_RESET, &message);
	device_run(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	assert_true(mediator_has_nothing(fixture));
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
}

/* An answer to a request that has not left the device can only be a guess. */
static void a_guessed_tag_is_not_believed(void **state)
{
	struct fixture *fixture = *state;

	link_up(fixture);
	fill_socket(fixture);
	guest_submit(fixture, "one", 3);
	for (uint64_t tag = 0; tag < 10; tag++)
		mediator_respond(fixture, tag, VGPU_ERR_NONE, NULL, 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_BUSY);
}

static void a_full_socket_that_closes_fails_the_request_once(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	link_up(fixture);
	fill_socket(fixture);
	guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, 1);
	guest_submit(fixture, "one", 3);
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);
	assert_int_equal(fixture->interrupts, 1);
	reconnect(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	assert_true(mediator_has_nothing(fixture));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_go_to_their_reset_values),
		TEST(a_late_response_is_not_seen),
		TEST(a_link_lost_after_a_reset_completes_nothing),
		TEST(a_reset_without_a_mediator_is_told_later),
		TEST(a_reset_is_repeated_until_a_response_came),
		TEST(a_full_socket_keeps_one_reset_and_one_request),
		TEST(a_request_that_never_left_is_forgotten),
		TEST(a_guessed_tag_is_not_believed),
		TEST(a_full_socket_that_closes_fails_the_request_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
