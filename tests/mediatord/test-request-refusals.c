/* SPDX-License-Identifier: Apache-2.0 */
/* Each malformed request is refused with its own error code and a sentence that names the field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/request.h"
#include "tests/mediatord/request-maker.h"

/* The request as given is refused with this code, and the reason holds this word. */
static void assert_refused(const struct made_request *made, uint32_t code, const char *word)
{
	struct vgpu_request request;
	const char *reason = NULL;
	uint32_t got = vgpu_request_validate(made->bytes, made->length, &request, &reason);

	if (got != code || !reason || !strstr(reason, word))
		fail_msg("got code %u \"%s\", expected %u \"...%s...\"", got,
			 reason ? reason : "(none)", code, word);
}

static void assert_accepted(const struct made_request *made)
{
	struct vgpu_request request;
	const char *reason = "unset";
	uint32_t got = vgpu_request_validate(made->bytes, made->length, &request, &reason);

	if (got != VGPU_ERR_NONE || reason)
		fail_msg("refused with code %u \"%s\"", got, reason ? reason : "(none)");
}

/* A right request with one header field set to something wrong. */
static void assert_field_refused(struct made_request made, uint32_t field, uint32_t value,
				 uint32_t code, const char *word)
{
	assert_accepted(&made);
	set_field(&made, field, value);
	assert_refused(&made, code, word);
}

/* A right request with one parameter set to something wrong. */
static void assert_parameter_refused(struct made_request made, uint32_t index, uint32_t value,
				     uint32_t code, const char *word)
{
	assert_field_refused(made, FIELD_PARAMETERS + 4 * index, value, code, word);
}

static const struct {
	uint64_t a, b, c, n;
} arguments = { 1, 2, 3, 4 };

static struct made_request right_kernel(void)
{
	return make_kernel("vadd_i32", &arguments, sizeof(arguments), 1, 256);
}

/* A name whose length is no multiple of 8, so that padding follows it. */
static struct made_request right_kernel_with_padding(void)
{
	return make_kernel("add", &arguments, sizeof(arguments), 1, 256);
}

static struct made_request bare(uint32_t opcode)
{
	return make_request(opcode, 0, NULL, 0);
}

static void lengths_out_of_bounds(void **state)
{
	struct made_request made = bare(VGPU_OP_NOP);

	(void)state;
	made.length = 0;
	assert_refused(&made, VGPU_ERR_ZERO_LENGTH, "no bytes");
	for (made.length = 1; made.length < 32; made.length++)
		assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "header");
	made.length = VGPU_MAILBOX_BYTES;
	assert_accepted(&made);
	made.length = VGPU_MAILBOX_BYTES + 1;
	assert_refused(&made, VGPU_ERR_TOO_LARGE, "1024");
}

static void header_fields(void **state)
{
	const uint32_t invalid = VGPU_ERR_INVALID_REQUEST;
	struct made_request nop = bare(VGPU_OP_NOP);

	(void)state;
	assert_field_refused(nop, FIELD_VERSION, 0, invalid, "version");
	assert_field_refused(nop, FIELD_VERSION, VGPU_PROTOCOL_VERSION + 1, invalid, "version");
	assert_field_refused(nop, FIELD_VERSION, 0x00020000, invalid, "version");
	assert_field_refused(nop, FIELD_RESERVED_0, 1, invalid, "reserved");
	assert_field_refused(nop, FIELD_RESERVED_1, 0x80000000, invalid, "reserved");
	for (int bit = 2; bit < 32; bit++)
		assert_field_refused(nop, FIELD_FLAGS, UINT32_C(1) << bit, invalid, "flags");
	assert_field_refused(nop, FIELD_OPCODE, 7, VGPU_ERR_UNSUPPORTED, "opcode");
	assert_field_refused(nop, FIELD_OPCODE, 0xfff, VGPU_ERR_UNSUPPORTED, "opcode");
	assert_field_refused(nop, FIELD_OPCODE, 0x1002, VGPU_ERR_UNSUPPORTED, "opcode");
	assert_field_refused(nop, FIELD_OPCODE, 0xffff, VGPU_ERR_UNSUPPORTED, "opcode");
	assert_field_refused(nop, FIELD_OPCODE, 0x10000, VGPU_ERR_UNSUPPORTED, "opcode");
	assert_field_refused(nop, FIELD_OPCODE, UINT32_MAX, VGPU_ERR_UNSUPPORTED, "opcode");
}

static void parameters_past_the_end(void **state)
{
	const uint32_t invalid = VGPU_ERR_INVALID_REQUEST;
	struct made_request alloc = make_alloc(4096);

	(void)state;
	assert_field_refused(alloc, FIELD_PARAM_COUNT, 3, invalid, "param_count");
	assert_field_refused(alloc, FIELD_PARAM_COUNT, UINT32_MAX, invalid, "param_count");
	/* 4 times this is 8 in 32 bits, which would fit. */
	assert_field_refused(alloc, FIELD_PARAM_COUNT, 0x40000002, invalid, "param_count");
	alloc.length--;
	assert_refused(&alloc, invalid, "param_count");
}

static void data_outside_its_place(void **state)
{
	const uint32_t invalid = VGPU_ERR_INVALID_REQUEST;
	struct made_request copy = make_htod(4096, "12345678", 8);

	(void)state;
	assert_field_refused(copy, FIELD_DATA_OFFSET, 0, invalid, "data_offset");
	assert_field_refused(copy, FIELD_DATA_OFFSET, 40, invalid, "data_offset");
	assert_field_refused(copy, FIELD_DATA_OFFSET, 45, invalid, "multiple of 4");
	assert_field_refused(copy, FIELD_DATA_OFFSET, 48, invalid, "past the end");
	assert_field_refused(copy, FIELD_DATA_OFFSET, 0xfffffffc, invalid, "past the end");
	assert_field_refused(copy, FIELD_DATA_LENGTH, 9, invalid, "past the end");
	/* 44 plus this is 16 in 32 bits. */
	assert_field_refused(copy, FIELD_DATA_LENGTH, 0xffffffe4, invalid, "past the end");
	assert_field_refused(copy, FIELD_DATA_LENGTH, UINT32_MAX, invalid, "past the end");
	copy.length--;
	assert_refused(&copy, invalid, "past the end");
}

/* Without data, the offset is 0 or a place where data could begin. */
static void an_offset_without_data(void **state)
{
	struct made_request nop = bare(VGPU_OP_NOP);

	(void)state;
	set_field(&nop, FIELD_DATA_OFFSET, 32);
	assert_accepted(&nop);
	set_field(&nop, FIELD_DATA_OFFSET, 28);
	assert_refused(&nop, VGPU_ERR_INVALID_REQUEST, "data_offset");
	set_field(&nop, FIELD_DATA_OFFSET, 33);
	assert_refused(&nop, VGPU_ERR_INVALID_REQUEST, "data_offset");
	set_field(&nop, FIELD_DATA_OFFSET, 36);
	assert_refused(&nop, VGPU_ERR_INVALID_REQUEST, "data_offset");
}

static void parameters_that_the_opcode_does_not_have(void **state)
{
	static const uint32_t opcodes[] = { VGPU_OP_NOP, VGPU_OP_GET_DEVICE_INFO,
					    VGPU_OP_SYNCHRONIZE, VGPU_OP_CONTEXT_RESET };
	struct made_request made;

	(void)state;
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		made = bare(opcodes[i]);
		assert_accepted(&made);
		made = make_request(opcodes[i], 1, NULL, 0);
		assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "param_count");
		made = make_request(opcodes[i], 0, "data", 4);
		assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "data_length");
	}
}

static void memory_alloc_and_free(void **state)
{
	const uint32_t invalid = VGPU_ERR_INVALID_REQUEST;
	static const uint32_t opcodes[] = { VGPU_OP_MEMORY_ALLOC, VGPU_OP_MEMORY_FREE };
	struct made_request made = make_alloc(1);

	(void)state;
	assert_accepted(&made);
	set_parameter64(&made, 0, 0);
	assert_refused(&made, invalid, "bytes");
	for (size_t i = 0; i < 2; i++) {
		static const uint32_t counts[] = { 0, 1, 3 };

		for (size_t j = 0; j < 3; j++) {
			made = make_request(opcodes[i], counts[j], NULL, 0);
			assert_refused(&made, invalid, "param_count");
		}
		made = make_request(opcodes[i], 2, "data", 4);
		set_parameter64(&made, 0, 1);
		assert_refused(&made, invalid, "data_length");
	}
}

static void memory_copy(void **state)
{
	const uint32_t invalid = VGPU_ERR_INVALID_REQUEST;
	struct made_request made;

	(void)state;
	made = make_request(VGPU_OP_MEMORY_COPY, 0, NULL, 0);
	assert_refused(&made, invalid, "param_count");
	assert_parameter_refused(make_dtoh(4096, 4), 0, 3, invalid, "direction");
	assert_parameter_refused(make_dtoh(4096, 4), 0, UINT32_MAX, invalid, "direction");
	/* A direction with another's number of parameters. */
	assert_parameter_refused(make_dtoh(4096, 4), 0, 0, invalid, "param_count is not 3");
	assert_parameter_refused(make_dtoh(4096, 4), 0, 2, invalid, "param_count is not 7");
	assert_parameter_refused(make_htod(4096, "1234", 4), 0, 1, invalid, "param_count is not 4");

	made = make_htod(4096, NULL, 0);
	assert_refused(&made, VGPU_ERR_ZERO_LENGTH, "0 bytes");
	made = make_dtoh(4096, 0);
	assert_refused(&made, VGPU_ERR_ZERO_LENGTH, "0 bytes");
	made = make_dtod(4096, 8192, 0);
	assert_refused(&made, VGPU_ERR_ZERO_LENGTH, "0 bytes");

	made = make_dtoh(4096, VGPU_MAILBOX_DATA_MAX(0));
	assert_accepted(&made);
	made = make_dtoh(4096, VGPU_MAILBOX_DATA_MAX(0) + 1);
	assert_refused(&made, VGPU_ERR_TOO_LARGE, "992");
	made = make_dtoh(4096, UINT32_MAX);
	assert_refused(&made, VGPU_ERR_TOO_LARGE, "992");

	made = make_request(VGPU_OP_MEMORY_COPY, VGPU_PARAMS_COPY_DTOH, "data", 4);
	set_parameter(&made, 0, VGPU_COPY_DEVICE_TO_HOST);
	set_parameter(&made, 3, 4);
	assert_refused(&made, invalid, "data_length");
	made = make_request(VGPU_OP_MEMORY_COPY, VGPU_PARAMS_COPY_DTOD, "data", 4);
	set_parameter(&made, 0, VGPU_COPY_DEVICE_TO_DEVICE);
	set_parameter64(&made, 5, 4);
	assert_refused(&made, invalid, "data_length");
}

static void kernel_lengths(void **state)
{
	const uint32_t invalid = VGPU_ERR_INVALID_REQUEST;
	struct made_request made;
	char name[VGPU_KERNEL_NAME_MAX + 2] = "";

	(void)state;
	made = make_request(VGPU_OP_CUDA_KERNEL, 8, "vadd_i32", 8);
	assert_refused(&made, invalid, "param_count");
	made = make_request(VGPU_OP_CUDA_KERNEL, 10, "vadd_i32", 8);
	assert_refused(&made, invalid, "param_count");
	assert_parameter_refused(right_kernel(), KERNEL_NAME_LENGTH, 0, invalid, "name length");
	assert_parameter_refused(right_kernel(), KERNEL_NAME_LENGTH, UINT32_MAX, invalid,
				 "name length");
	assert_parameter_refused(right_kernel(), KERNEL_NAME_LENGTH, 9, invalid, "data_length");
	assert_parameter_refused(right_kernel(), KERNEL_ARGUMENT_BYTES, 31, invalid, "data_length");
	/* 8 plus this is 0 in 32 bits. */
	assert_parameter_refused(right_kernel(), KERNEL_ARGUMENT_BYTES, 0xfffffff8, invalid,
				 "data_length");
	assert_field_refused(right_kernel(), FIELD_DATA_LENGTH, 32, invalid, "data_length");
	assert_field_refused(right_kernel(), FIELD_DATA_LENGTH, 0, invalid, "data_length");

	memset(name, 'k', VGPU_KERNEL_NAME_MAX);
	made = make_kernel(name, &arguments, sizeof(arguments), 1, 1);
	assert_accepted(&made);
	name[VGPU_KERNEL_NAME_MAX] = 'k';
	made = make_kernel(name, &arguments, sizeof(arguments), 1, 1);
	assert_refused(&made, invalid, "name length");
}

static void kernel_names(void **state)
{
	const uint32_t first = FIELD_PARAMETERS + 4 * VGPU_PARAMS_CUDA_KERNEL;
	static const char *const right[] = { "a", "Z", "_", "k9", "_0", "vadd_f32", "A_z_0_9" };
	struct made_request made;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		made = make_kernel(right[i], NULL, 0, 1, 1);
		assert_accepted(&made);
	}
	/* Every byte value, as the first and as a later one. */
	for (unsigned int byte = 0; byte < 256; byte++) {
		bool letter =
			byte == '_' || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
		bool digit = byte >= '0' && byte <= '9';

		made = right_kernel();
		made.bytes[first] = (uint8_t)byte;
		if (letter)
			assert_accepted(&made);
		else
			assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "name");
		made = right_kernel();
		made.bytes[first + 7] = (uint8_t)byte;
		if (letter || digit)
			assert_accepted(&made);
		else
			assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "name");
	}
	for (uint32_t i = 3; i < 8; i++) {
		made = right_kernel_with_padding();
		assert_accepted(&made);
		made.bytes[first + i] = 1;
		assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "padding");
	}
}

static void addition(void **state)
{
	const uint32_t invalid = VGPU_ERR_INVALID_REQUEST;
	struct made_request made = make_request(VGPU_OP_ADD_I32, 2, NULL, 0);

	(void)state;
	assert_accepted(&made);
	made = make_request(VGPU_OP_ADD_I32, 1, NULL, 0);
	assert_refused(&made, invalid, "param_count");
	made = make_request(VGPU_OP_ADD_I32, 3, NULL, 0);
	assert_refused(&made, invalid, "param_count");
	made = make_request(VGPU_OP_ADD_I32, 2, "data", 4);
	assert_refused(&made, invalid, "data_length");
}

static void asynchronous_where_a_result_is_due(void **state)
{
	const struct made_request may[] = { bare(VGPU_OP_NOP), right_kernel(),
					    make_htod(4096, "1234", 4), make_dtod(4096, 8192, 4) };
	const struct made_request may_not[] = { bare(VGPU_OP_GET_DEVICE_INFO),
						bare(VGPU_OP_SYNCHRONIZE),
						bare(VGPU_OP_CONTEXT_RESET),
						make_request(VGPU_OP_ADD_I32, 2, NULL, 0),
						make_alloc(16),
						make_free(4096),
						make_dtoh(4096, 4) };

	(void)state;
	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		struct made_request made = may[i];
		struct vgpu_request request;
		const char *reason;

		set_field(&made, FIELD_FLAGS, VGPU_FLAG_ASYNC);
		assert_accepted(&made);
		vgpu_request_validate(made.bytes, made.length, &request, &reason);
		assert_true(request.async);
	}
	for (size_t i = 0; i < sizeof(may_not) / sizeof(may_not[0]); i++) {
		assert_field_refused(may_not[i], FIELD_FLAGS, VGPU_FLAG_ASYNC,
				     VGPU_ERR_INVALID_REQUEST, "flags");
		assert_field_refused(may_not[i], FIELD_FLAGS, VGPU_FLAG_KNOWN,
				     VGPU_ERR_INVALID_REQUEST, "flags");
	}
}

/* Whoever acts on a request never sees what priority its guest would like. */
static void a_guests_priority_is_not_read(void **state)
{
	const struct made_request requests[] = {
		bare(VGPU_OP_NOP), right_kernel(),     make_htod(4096, "1234", 4),
		make_alloc(16),	   make_dtoh(4096, 4), make_request(VGPU_OP_ADD_I32, 2, NULL, 0),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct vgpu_request without = { 0 }, with = { 0 };
		struct made_request made = requests[i];
		const char *reason;

		assert_int_equal(vgpu_request_validate(made.bytes, made.length, &without, &reason),
				 VGPU_ERR_NONE);
		set_field(&made, FIELD_FLAGS, VGPU_FLAG_HIGH_PRIORITY);
		assert_int_equal(vgpu_request_validate(made.bytes, made.length, &with, &reason),
				 VGPU_ERR_NONE);
		assert_memory_equal(&with, &without, sizeof(with));
	}
}

/* Of several faults, the one that docs/device-spec.md lists first decides. */
static void the_first_fault_wins(void **state)
{
	struct made_request made = make_htod(4096, "1234", 4);

	(void)state;
	set_parameter(&made, 0, 9);
	assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "direction");
	set_field(&made, FIELD_DATA_LENGTH, 2000);
	assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "data_length");
	set_field(&made, FIELD_PARAM_COUNT, 2000);
	assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "param_count");
	set_field(&made, FIELD_OPCODE, 2000);
	assert_refused(&made, VGPU_ERR_UNSUPPORTED, "opcode");
	set_field(&made, FIELD_FLAGS, 4);
	assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "flags");
	set_field(&made, FIELD_RESERVED_0, 1);
	assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "reserved");
	set_field(&made, FIELD_VERSION, 1);
	assert_refused(&made, VGPU_ERR_INVALID_REQUEST, "version");
	made.length = 1025;
	assert_refused(&made, VGPU_ERR_TOO_LARGE, "1024");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_out_of_bounds),
		cmocka_unit_test(header_fields),
		cmocka_unit_test(parameters_past_the_end),
		cmocka_unit_test(data_outside_its_place),
		cmocka_unit_test(an_offset_without_data),
		cmocka_unit_test(parameters_that_the_opcode_does_not_have),
		cmocka_unit_test(memory_alloc_and_free),
		cmocka_unit_test(memory_copy),
		cmocka_unit_test(kernel_lengths),
		cmocka_unit_test(kernel_names),
		cmocka_unit_test(addition),
		cmocka_unit_test(asynchronous_where_a_result_is_due),
		cmocka_unit_test(a_guests_priority_is_not_read),
		cmocka_unit_test(the_first_fault_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
