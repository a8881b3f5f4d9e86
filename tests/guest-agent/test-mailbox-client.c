/* SPDX-License-Identifier: Apache-2.0 */
/* One request over the mailbox, against a device that this test plays: a hostile one, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "guest-agent/mailbox.h"
#include "tests/wait.h"

/* The device: what it answers, and what it was asked. */
static struct device {
	struct transport transport;
	uint8_t registers[VGPU_BAR0_SIZE];
	uint32_t answer_status;	 /* VGPU_STATUS_*; BUSY: never answers */
	unsigned int busy_reads; /* STATUS still says BUSY that often */
	unsigned int doorbells;
	unsigned int waits;
	int locked;
	int64_t patience_ns; /* of the client */
} device;

static uint32_t device_read(struct transport *transport, uint32_t offset)
{
	(void)transport;
	assert_int_equal(offset % 4, 0);
	assert_true(offset < VGPU_REG_EXT_END);
	assert_int_equal(device.locked, 1);
	if (offset == VGPU_REG_STATUS && device.busy_reads) {
		device.busy_reads--;
		return VGPU_STATUS_BUSY;
	}
	return vgpu_load32(device.registers + offset);
}

static void device_write(struct transport *transport, uint32_t offset, uint32_t value)
{
	(void)transport;
	assert_int_equal(offset % 4, 0);
	assert_int_equal(device.locked, 1);
	vgpu_store32(device.registers + offset, value);
	if (offset != VGPU_REG_DOORBELL)
		return;
	/* A request under way must never be disturbed. */
	assert_int_not_equal(vgpu_load32(device.registers + VGPU_REG_STATUS), VGPU_STATUS_BUSY);
	device.doorbells++;
	vgpu_store32(device.registers + VGPU_REG_STATUS, device.answer_status);
}

static enum vgpu_result device_lock(struct transport *transport, int64_t deadline)
{
	(void)transport;
	(void)deadline;
	device.locked++;
	return VGPU_OK;
}

static void device_unlock(struct transport *transport)
{
	(void)transport;
	device.locked--;
}

static void device_wait(struct transport *transport, int64_t since, int64_t deadline)
{
	(void)transport;
	(void)since;
	(void)deadline;
	device.waits++;
}

static const struct transport_ops device_ops = {
	.read = device_read,
	.write = device_write,
	.lock = device_lock,
	.unlock = device_unlock,
	.wait = device_wait,
};

static int set_up(void **state)
{
	(void)state;
	memset(&device, 0, sizeof(device));
	device.transport.ops = &device_ops;
	device.answer_status = VGPU_STATUS_DONE;
	device.patience_ns = WAIT_MS * VGPU_NS_PER_MS;
	vgpu_store32(device.registers + VGPU_REG_PROTOCOL_VER, VGPU_PROTOCOL_VERSION);
	return 0;
}

/* The answer that the device gives. */
static void set_response(uint32_t length, uint32_t status, uint32_t result_count,
			 uint32_t data_offset, uint32_t data_length)
{
	uint8_t *response = device.registers + VGPU_REG_RESPONSE_BUF;

	vgpu_store32(device.registers + VGPU_REG_RESPONSE_LEN, length);
	vgpu_store32(response, VGPU_PROTOCOL_VERSION);
	vgpu_store32(response + 4, status);
	vgpu_store32(response + 8, result_count);
	vgpu_store32(response + 12, data_offset);
	vgpu_store32(response + 16, data_length);
}

static void set_error(uint32_t error_code)
{
	device.answer_status = VGPU_STATUS_ERROR;
	vgpu_store32(device.registers + VGPU_REG_ERROR_CODE, error_code);
}

static enum vgpu_result call(const struct mailbox_request *request,
			     struct mailbox_response *response)
{
	enum vgpu_result result = mailbox_call(&device.transport, request, response,
					       vgpu_now_ns() + device.patience_ns);

	assert_int_equal(device.locked, 0);
	return result;
}

static enum vgpu_result call_nop(void)
{
	const struct mailbox_request request = { .opcode = VGPU_OP_NOP };
	struct mailbox_response response;

	return call(&request, &response);
}

static void a_request_is_written_as_specified(void **state)
{
	const uint32_t params[] = { 7, 0xdeadbeef };
	const struct mailbox_request request = { .opcode = VGPU_OP_MEMORY_COPY,
						 .flags = VGPU_FLAG_ASYNC,
						 .params = params,
						 .param_count = 2,
						 .data = "abcde",
						 .data_length = 5 };
	const uint8_t *written = device.registers + VGPU_REG_REQUEST_BUF;
	const uint32_t header[] = {
		VGPU_PROTOCOL_VERSION,
		VGPU_OP_MEMORY_COPY,
		VGPU_FLAG_ASYNC,
		2,
		40,
		5,
		0,
		0,
		7,
		0xdeadbeef,
	};
	struct mailbox_response response;

	(void)state;
	set_response(32, VGPU_ERR_NONE, 0, 0, 0);
	memset(device.registers + VGPU_REG_REQUEST_BUF, 0xff, VGPU_MAILBOX_BYTES);
	assert_int_equal(call(&request, &response), VGPU_OK);
	assert_int_equal(vgpu_load32(device.registers + VGPU_REG_REQUEST_LEN), 45);
	for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++)
		assert_int_equal(vgpu_load32(written + 4 * i), header[i]);
	assert_memory_equal(written + 40, "abcde\0\0\0\xff", 9);
	assert_int_equal(device.doorbells, 1);
}

static void a_response_is_read(void **state)
{
	const struct mailbox_request request = { .opcode = VGPU_OP_NOP };
	uint8_t *words = device.registers + VGPU_REG_RESPONSE_BUF + 32;
	struct mailbox_response response;

	(void)state;
	set_response(45, VGPU_ERR_NONE, 2, 40, 5);
	vgpu_store32(words, 11);
	vgpu_store32(words + 4, 22);
	memcpy(words + 8, "hello", 5);
	assert_int_equal(call(&request, &response), VGPU_OK);
	assert_int_equal(response.result_count, 2);
	assert_int_equal(response.results[0], 11);
	assert_int_equal(response.results[1], 22);
	assert_int_equal(response.data_length, 5);
	assert_memory_equal(response.data, "hello", 5);
}

static void an_answer_that_takes_time_is_waited_for(void **state)
{
	(void)state;
	set_response(32, VGPU_ERR_NONE, 0, 0, 0);
	device.busy_reads = 3; /* all of them before the doorbell: another process's request */
	assert_int_equal(call_nop(), VGPU_OK);
	assert_int_equal(device.waits, 3);
}

static void no_answer_times_out(void **state)
{
	(void)state;
	device.answer_status = VGPU_STATUS_BUSY;
	device.patience_ns = 5 * VGPU_NS_PER_MS;
	assert_int_equal(call_nop(), VGPU_E_TIMEOUT);
	assert_non_null(strstr(vgpu_last_error(), "the request is not answered yet"));
	/* The next one waits for that one, and rings no doorbell meanwhile. */
	assert_int_equal(call_nop(), VGPU_E_TIMEOUT);
	assert_non_null(strstr(vgpu_last_error(), "an earlier request"));
	assert_int_equal(device.doorbells, 1);
	device.answer_status = VGPU_STATUS_DONE;
	vgpu_store32(device.registers + VGPU_REG_STATUS, VGPU_STATUS_DONE);
	set_response(32, VGPU_ERR_NONE, 0, 0, 0);
	assert_int_equal(call_nop(), VGPU_OK);
}

static void responses_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		uint32_t length, status, results, offset, bytes;
	} wrong[] = {
		{ 0, 0, 0, 0, 0 },
		{ 31, 0, 0, 0, 0 },
		{ 1025, 0, 0, 0, 0 },
		{ UINT32_MAX, 0, 0, 0, 0 },
		{ 32, 1, 0, 0, 0 },
		{ 32, 0, 1, 0, 0 },
		{ 1024, 0, MAILBOX_RESULTS_MAX + 1, 0, 0 },
		{ 1024, 0, UINT32_MAX, 0, 0 },
		{ 32, 0, 0, 32, 1 },
		{ 1024, 0, 0, 32, 993 },
		{ 1024, 0, 0, UINT32_MAX, 2 },
		{ 1024, 0, 0, 1024, UINT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		set_response(wrong[i].length, wrong[i].status, wrong[i].results, wrong[i].offset,
			     wrong[i].bytes);
		if (call_nop() != VGPU_E_PROTOCOL)
			fail_msg("response %zu was taken", i);
	}
	set_response(32, 0, 0, 0, 0);
	vgpu_store32(device.registers + VGPU_REG_RESPONSE_BUF, 0x00020000);
	assert_int_equal(call_nop(), VGPU_E_PROTOCOL);
}

static void errors_are_what_the_device_says(void **state)
{
	static const uint32_t codes[] = { 1, 2, 3, 4, 6, 7, 8, 9, 0xa, 0xb, 0xf0 };

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct vgpu_error_detail detail;

		set_response(0, 0, 0, 0, 0); /* as the device's own errors come */
		set_error(codes[i]);
		assert_int_equal(call_nop(), 32 + codes[i]);
		vgpu_last_error_detail(&detail);
		assert_int_equal(detail.result, 32 + codes[i]);
		assert_int_equal(detail.device_error, codes[i]);
		assert_int_equal(detail.cuda_error, 0);
		assert_non_null(strstr(vgpu_last_error(), vgpu_device_error_name(codes[i])));
	}
}

static void cuda_errors_carry_number_and_text(void **state)
{
	static const char text[] = "the quota\x1b[2J";
	uint8_t *words = device.registers + VGPU_REG_RESPONSE_BUF + 32;
	struct vgpu_error_detail detail;

	(void)state;
	set_error(VGPU_ERR_CUDA);
	set_response(36 + sizeof(text) - 1, VGPU_ERR_CUDA, 1, 36, sizeof(text) - 1);
	vgpu_store32(words, 2);
	memcpy(words + 4, text, sizeof(text) - 1);
	assert_int_equal(call_nop(), VGPU_E_CUDA);
	vgpu_last_error_detail(&detail);
	assert_int_equal(detail.cuda_error, 2);
	assert_string_equal(vgpu_last_error(), "the quota?[2J: CUDA error 2 (out of memory)");
}

static void an_error_without_a_code_is_refused(void **state)
{
	(void)state;
	set_response(0, 0, 0, 0, 0);
	set_error(0);
	assert_int_equal(call_nop(), VGPU_E_PROTOCOL);
	set_error(0x100);
	assert_int_equal(call_nop(), VGPU_E_PROTOCOL);
}

static void a_device_that_vanishes_is_noticed(void **state)
{
	(void)state;
	memset(device.registers, 0xff, sizeof(device.registers));
	assert_int_equal(call_nop(), VGPU_E_GONE);
	assert_int_equal(device.doorbells, 0);
	/* All ones in one register alone is no such thing. */
	vgpu_store32(device.registers + VGPU_REG_PROTOCOL_VER, VGPU_PROTOCOL_VERSION);
	assert_int_equal(call_nop(), VGPU_E_PROTOCOL);
}

static void a_reset_while_waiting_is_noticed(void **state)
{
	(void)state;
	device.answer_status = VGPU_STATUS_IDLE;
	assert_int_equal(call_nop(), VGPU_E_PROTOCOL);
	assert_non_null(strstr(vgpu_last_error(), "reset"));
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_written_as_specified),
		TEST(a_response_is_read),
		TEST(an_answer_that_takes_time_is_waited_for),
		TEST(no_answer_times_out),
		TEST(responses_that_make_no_sense_are_refused),
		TEST(errors_are_what_the_device_says),
		TEST(cuda_errors_carry_number_and_text),
		TEST(an_error_without_a_code_is_refused),
		TEST(a_device_that_vanishes_is_noticed),
		TEST(a_reset_while_waiting_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
