/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The mailbox: IDLE, BUSY, DONE and ERROR, and what a completion leaves in the registers. */
#include "tests/device/fixture.h"

#include <string.h>

static void assert_failed_at_once(struct fixture *fixture, uint32_t error)
{
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_ERROR);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), error);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_LEN), 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 1);
}

static void a_request_is_answered(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	const char answer[40] = "the answer";
	const char request[6] = "hello";

	link_up(fixture);
	guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, 1);
	guest_submit(fixture, request, sizeof(request));
	assert_int_equal(guest_read(fixture, VGPU_REG_DOORBELL), 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_BUSY);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 0);

	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	assert_int_equal(message.request.length, sizeof(request));
	assert_memory_equal(message.request.data, request, sizeof(request));
	device_sleep(fixture, 5000000123);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, answer, sizeof(answer));

	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_DONE);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_NONE);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_LEN), sizeof(answer));
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 1);
	assert_int_equal(fixture->interrupts, 1);
	/* link_up() slept one second since the device was made. */
	assert_int_equal(guest_read64(fixture, VGPU_REG_TIMESTAMP_LO), 6000000123);
	for (uint32_t i = 0; i < sizeof(answer); i += 4) {
		uint32_t word = guest_read(fixture, VGPU_REG_RESPONSE_BUF + i);

		assert_memory_equal(&word, answer + i, 4);
	}
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_BUF + sizeof(answer)), 0);
}

static void an_error_of_the_mediator_is_shown(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	link_up(fixture);
	guest_submit(fixture, "x", 1);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_CUDA, "why", 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_ERROR);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_CUDA);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_LEN), 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_BUF), 'w' | 'h' << 8 | 'y' << 16);
}

static void the_largest_request_and_response_fit(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;
	uint8_t bytes[VGPU_MAILBOX_BYTES];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	link_up(fixture);
	guest_submit(fixture, bytes, sizeof(bytes));
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	assert_int_equal(message.request.length, sizeof(bytes));
	assert_memory_equal(message.request.data, bytes, sizeof(bytes));
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, bytes, sizeof(bytes));
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_LEN), sizeof(bytes));
	for (uint32_t i = 0; i < sizeof(bytes); i += 4) {
		uint32_t word = guest_read(fixture, VGPU_REG_RESPONSE_BUF + i);

		assert_memory_equal(&word, bytes + i, 4);
	}
}

static void an_empty_request_is_error_9(void **state)
{
	struct fixture *fixture = *state;

	link_up(fixture);
	guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, 1);
	guest_submit(fixture, "", 0);
	assert_failed_at_once(fixture, VGPU_ERR_ZERO_LENGTH);
	assert_int_equal(fixture->interrupts, 1);
	assert_true(mediator_has_nothing(fixture));
}

static void a_request_beyond_the_buffer_is_error_2(void **state)
{
	static const uint32_t lengths[] = { VGPU_MAILBOX_BYTES + 1, 0x7fffffff, 0xffffffff };
	struct fixture *fixture = *state;

	link_up(fixture);
	for (size_t i = 0; i < 3; i++) {
		guest_write(fixture, VGPU_REG_INTERRUPT_STATUS, 1);
		guest_write(fixture, VGPU_REG_REQUEST_LEN, lengths[i]);
		guest_write(fixture, VGPU_REG_DOORBELL, 1);
		assert_failed_at_once(fixture, VGPU_ERR_TOO_LARGE);
	}
	assert_true(mediator_has_nothing(fixture));
}

static void without_a_mediator_it_is_error_3(void **state)
{
	struct fixture *fixture = *state;

	device_sleep(fixture, 42);
	guest_submit(fixture, "x", 1);
	assert_failed_at_once(fixture, VGPU_ERR_UNAVAILABLE);
	assert_int_equal(guest_read64(fixture, VGPU_REG_TIMESTAMP_LO), 42);
	/* What is wrong with the request itself comes first. */
	guest_submit(fixture, "", 0);
	assert_failed_at_once(fixture, VGPU_ERR_ZERO_LENGTH);
}

static void a_link_lost_while_busy_is_error_3(void **state)
{
	struct fixture *fixture = *state;

	link_up(fixture);
	guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, 1);
	guest_submit(fixture, "x", 1);
	mediator_stop(fixture);
	device_run(fixture);
	assert_failed_at_once(fixture, VGPU_ERR_UNAVAILABLE);
	assert_int_equal(fixture->interrupts, 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
}

static void a_request_fails_only_once(void **state)
{
	struct fixture *fixture = *state;

	link_up(fixture);
	guest_submit(fixture, "x", 1);
	mediator_stop(fixture);
	device_run(fixture);
	guest_write(fixture, VGPU_REG_DOORBELL, 0);
	guest_write(fixture, VGPU_REG_INTERRUPT_STATUS, 1);
	link_up(fixture);
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 0);
}

/* The device has not yet seen that the mediator is gone: sending says so. */
static void a_doorbell_into_a_closed_link_is_error_3(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	link_up(fixture);
	mediator_stop(fixture);
	guest_submit(fixture, "x", 1);
	assert_failed_at_once(fixture, VGPU_ERR_UNAVAILABLE);

	/* The next mediator does not get the request that was reported as failed. */
	mediator_start(fixture);
	device_sleep(fixture, VGPU_NS_PER_SECOND);
	mediator_accept(fixture);
	mediator_welcome(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	mediator_config(fixture, 1);
	assert_true(mediator_has_nothing(fixture));
}

static void a_busy_doorbell_is_ignored(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	link_up(fixture);
	guest_submit(fixture, "one", 3);
	guest_submit(fixture, "two", 3);
	guest_write(fixture, VGPU_REG_DOORBELL, 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_BUSY);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	assert_memory_equal(message.request.data, "one", 3);
	assert_true(mediator_has_nothing(fixture));

	/* The buffer now holds the second request, which the next doorbell submits. */
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, NULL, 0);
	guest_write(fixture, VGPU_REG_DOORBELL, 1);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	assert_memory_equal(message.request.data, "two", 3);
}

static void the_doorbell_acts_on_bit_0(void **state)
{
	struct fixture *fixture = *state;

	guest_write(fixture, VGPU_REG_REQUEST_LEN, 4);
	guest_write(fixture, VGPU_REG_DOORBELL, 0xfffffffe);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 0);
	guest_write(fixture, VGPU_REG_DOORBELL, 0xffffffff);
	assert_failed_at_once(fixture, VGPU_ERR_UNAVAILABLE);
	guest_write(fixture, VGPU_REG_DOORBELL, 2);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
}

static void idle_keeps_the_response(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	link_up(fixture);
	guest_submit(fixture, "x", 1);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_TIMEOUT, "late", 4);
	guest_write(fixture, VGPU_REG_DOORBELL, 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_TIMEOUT);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_LEN), 4);
	assert_int_not_equal(guest_read(fixture, VGPU_REG_RESPONSE_BUF), 0);

	/* The next doorbell clears it. */
	guest_submit(fixture, "y", 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_ERROR_CODE), VGPU_ERR_NONE);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_LEN), 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_BUF), 0);
}

static void a_second_answer_is_ignored(void **state)
{
	struct fixture *fixture = *state;
	union vgpu_link_message message;

	link_up(fixture);
	guest_submit(fixture, "x", 1);
	mediator_expect(fixture, VGPU_MSG_REQUEST, &message);
	mediator_respond(fixture, message.request.tag + 1, VGPU_ERR_NONE, "bad", 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_BUSY);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_NONE, "one", 3);
	mediator_respond(fixture, message.request.tag, VGPU_ERR_CUDA, "two", 3);
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_DONE);
	assert_int_equal(guest_read(fixture, VGPU_REG_RESPONSE_BUF), 'o' | 'n' << 8 | 'e' << 16);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

static void interrupts_only_when_asked_for(void **state)
{
	struct fixture *fixture = *state;

	guest_submit(fixture, "x", 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 1);
	assert_int_equal(fixture->interrupts, 0);
	/* Asking afterwards brings none for what has completed. */
	guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, 1);
	assert_int_equal(fixture->interrupts, 0);
	guest_submit(fixture, "x", 1);
	guest_submit(fixture, "x", 1);
	assert_int_equal(fixture->interrupts, 2);
}

static void a_device_without_vectors_never_interrupts(void **state)
{
	struct fixture *fixture = *state;

	vgpu_core_free(&fixture->core);
	fixture_device(fixture, 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_CAPABILITIES),
			 VGPU_CAP_MAILBOX | VGPU_CAP_WINDOW | VGPU_CAP_CHANNELS);
	guest_write(fixture, VGPU_REG_INTERRUPT_CTRL, 1);
	guest_submit(fixture, "x", 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 1);
	assert_int_equal(fixture->interrupts, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered),
		TEST(an_error_of_the_mediator_is_shown),
		TEST(the_largest_request_and_response_fit),
		TEST(an_empty_request_is_error_9),
		TEST(a_request_beyond_the_buffer_is_error_2),
		TEST(without_a_mediator_it_is_error_3),
		TEST(a_link_lost_while_busy_is_error_3),
		TEST(a_request_fails_only_once),
		TEST(a_doorbell_into_a_closed_link_is_error_3),
		TEST(a_busy_doorbell_is_ignored),
		TEST(the_doorbell_acts_on_bit_0),
		TEST(idle_keeps_the_response),
		TEST(a_second_answer_is_ignored),
		TEST(interrupts_only_when_asked_for),
		TEST(a_device_without_vectors_never_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
