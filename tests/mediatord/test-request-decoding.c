/* SPDX-License-Identifier: Apache-2.0 */
/* A right request is decoded into exactly what it says, and a response says what it was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/request.h"
#include "tests/mediatord/request-maker.h"

#define BIG UINT64_C(0x123456789abcdef0)

static struct vgpu_request decode(const struct made_request *made)
{
	struct vgpu_request request;
	const char *reason;

	if (vgpu_request_validate(made->bytes, made->length, &request, &reason))
		fail_msg("refused: %s", reason);
	return request;
}

static void memory_operations(void **state)
{
	struct made_request made;
	struct vgpu_request request;

	(void)state;
	made = make_alloc(BIG);
	request = decode(&made);
	assert_int_equal(request.opcode, VGPU_OP_MEMORY_ALLOC);
	assert_true(request.alloc.bytes == BIG);

	made = make_free(BIG);
	request = decode(&made);
	assert_int_equal(request.opcode, VGPU_OP_MEMORY_FREE);
	assert_true(request.free.pointer == BIG);
	assert_false(request.async);

	made = make_htod(BIG, "some bytes", 10);
	request = decode(&made);
	assert_int_equal(request.opcode, VGPU_OP_MEMORY_COPY);
	assert_int_equal(request.copy.direction, VGPU_COPY_HOST_TO_DEVICE);
	assert_true(request.copy.destination == BIG);
	assert_int_equal(request.copy.bytes, 10);
	assert_ptr_equal(request.copy.data, made.bytes + 32 + 12);

	made = make_dtoh(BIG, 77);
	request = decode(&made);
	assert_int_equal(request.copy.direction, VGPU_COPY_DEVICE_TO_HOST);
	assert_true(request.copy.source == BIG);
	assert_int_equal(request.copy.bytes, 77);
	assert_null(request.copy.data);

	made = make_dtod(BIG, BIG + 1, BIG + 2);
	request = decode(&made);
	assert_int_equal(request.copy.direction, VGPU_COPY_DEVICE_TO_DEVICE);
	assert_true(request.copy.destination == BIG);
	assert_true(request.copy.source == BIG + 1);
	assert_true(request.copy.bytes == BIG + 2);
}

static void kernel(void **state)
{
	struct made_request made = make_kernel("vadd", "argument", 8, 7, 256);
	struct vgpu_request request;

	(void)state;
	set_parameter(&made, KERNEL_GRID + 1, 8);
	set_parameter(&made, KERNEL_BLOCK + 2, 9);
	set_parameter(&made, KERNEL_SHARED, 1000);
	request = decode(&made);
	assert_int_equal(request.opcode, VGPU_OP_CUDA_KERNEL);
	assert_int_equal(request.kernel.grid[0], 7);
	assert_int_equal(request.kernel.grid[1], 8);
	assert_int_equal(request.kernel.grid[2], 1);
	assert_int_equal(request.kernel.block[0], 256);
	assert_int_equal(request.kernel.block[1], 1);
	assert_int_equal(request.kernel.block[2], 9);
	assert_int_equal(request.kernel.shared_bytes, 1000);
	assert_string_equal(request.kernel.name, "vadd");
	assert_int_equal(request.kernel.argument_bytes, 8);
	assert_memory_equal(request.kernel.arguments, "argument", 8);
}

/* Data need not follow the parameters at once, nor end the request. */
static void data_elsewhere(void **state)
{
	struct made_request made = make_htod(BIG, "some bytes", 10);
	struct vgpu_request request;

	(void)state;
	set_field(&made, FIELD_DATA_OFFSET, 1000);
	memcpy(made.bytes + 1000, "else where", 10);
	made.length = VGPU_MAILBOX_BYTES;
	request = decode(&made);
	assert_ptr_equal(request.copy.data, made.bytes + 1000);
	assert_int_equal(request.copy.bytes, 10);
}

static void response_with_results_and_data(void **state)
{
	static const uint32_t results[] = { 0x11223344, 5 };
	static const uint8_t expected[] = {
		0, 0, 1, 0, 5, 0, 0, 0, 2, 0, 0,    0,	  40,	0,    0, 0, 3, 0, 0,   0,   9,	 1,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, 5, 0, 0, 0, 'a', 'b', 'c',
	};
	uint8_t response[VGPU_MAILBOX_BYTES];

	(void)state;
	memset(response, 0xee, sizeof(response));
	assert_int_equal(vgpu_response_build(response, VGPU_ERR_CUDA, results, 2, "abc", 3, 265),
			 43);
	assert_memory_equal(response, expected, sizeof(expected));
	assert_int_equal(response[43], 0xee);
}

static void response_without_anything(void **state)
{
	static const uint8_t expected[32] = { 0, 0, 1, 0 };
	uint8_t response[VGPU_MAILBOX_BYTES];

	(void)state;
	memset(response, 0xee, sizeof(response));
	assert_int_equal(vgpu_response_build(response, VGPU_ERR_NONE, NULL, 0, NULL, 0, 0), 32);
	assert_memory_equal(response, expected, sizeof(expected));
}

static void response_that_does_not_fit_is_cut(void **state)
{
	static const uint32_t results[300];
	static const uint8_t data[2000];
	uint8_t response[VGPU_MAILBOX_BYTES + 1] = { 0 };

	(void)state;
	response[VGPU_MAILBOX_BYTES] = 0xee;
	assert_int_equal(vgpu_response_build(response, 0, results, 1, data, sizeof(data), 0),
			 VGPU_MAILBOX_BYTES);
	assert_int_equal(vgpu_load32(response + 16), VGPU_MAILBOX_DATA_MAX(1));
	assert_int_equal(vgpu_response_build(response, 0, results, 300, data, 4, 0),
			 VGPU_MAILBOX_BYTES);
	assert_int_equal(vgpu_load32(response + 8), 248);
	assert_int_equal(vgpu_load32(response + 12), 0);
	assert_int_equal(vgpu_load32(response + 16), 0);
	assert_int_equal(response[VGPU_MAILBOX_BYTES], 0xee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_operations),
		cmocka_unit_test(kernel),
		cmocka_unit_test(data_elsewhere),
		cmocka_unit_test(response_with_results_and_data),
		cmocka_unit_test(response_without_anything),
		cmocka_unit_test(response_that_does_not_fit_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
