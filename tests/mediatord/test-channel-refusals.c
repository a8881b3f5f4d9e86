/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of every submission at its limits: the tenant gets CUDA's error, and goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_error.h"
#include "tests/mediatord/channel-driver.h"

#define W   CHANNEL_WINDOW
#define MAX UINT64_MAX

static struct channel_driver channel;
/* Two allocations of 1000 bytes, one that was freed, and objects of each kind. */
static uint64_t first, second, freed, module, function, stream, event;

static int begin(void **state)
{
	(void)state;
	channel = channel_begin(CHANNEL_ENTRIES, W, 8u << 20);
	freed = channel_must(&channel, VGPU_RING_MEM_ALLOC, 1000, 0, 0, 0, 0);
	first = channel_must(&channel, VGPU_RING_MEM_ALLOC, 1000, 0, 0, 0, 0);
	second = channel_must(&channel, VGPU_RING_MEM_ALLOC, 1000, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_MEM_FREE, freed, 0, 0, 0, 0);
	module = channel_must(&channel, VGPU_RING_MODULE_BUILTIN, 0, 0, 0, 0, 0);
	function = channel_function(&channel, "vadd_i32");
	stream = channel_must(&channel, VGPU_RING_STREAM_CREATE, 0, 0, 0, 0, 0);
	event = channel_must(&channel, VGPU_RING_EVENT_CREATE, 0, 0, 0, 0, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	/* It all was refused: the channel is as it was. */
	channel_must(&channel, VGPU_RING_COPY_HTOD, first, 0, 1000, stream, 0);
	channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	channel_end(&channel);
	return 0;
}

#define INVALID(opcode, a, b, c, d, e)                                                             \
	channel_expect(&channel, opcode, a, b, c, d, e, CUDA_ERROR_INVALID_VALUE)
#define NO_HANDLE(opcode, a, b, c, d, e)                                                           \
	channel_expect(&channel, opcode, a, b, c, d, e, CUDA_ERROR_INVALID_HANDLE)

static void numbers_that_are_no_operation(void **state)
{
	(void)state;
	for (uint32_t opcode = 0; opcode < 0x10000; opcode += opcode < 0x80 ? 1 : 0x0fff) {
		uint32_t status = channel_call(&channel, (uint16_t)opcode, 0, 0, 0, 0, 0).status;
		uint32_t low = opcode & 0x0f, high = opcode >> 4;
		static const uint8_t last[] = { 0x2, 0x6, 0x7, 0x0, 0x4, 0x5, 0x0 };

		if (high >= sizeof(last) || low > last[high])
			assert_int_equal(status, CUDA_ERROR_NOT_SUPPORTED);
		else
			assert_int_not_equal(status, CUDA_ERROR_NOT_SUPPORTED);
	}
	assert_int_equal(channel_call(&channel, 0xffff, 0, 0, 0, 0, 0).status,
			 CUDA_ERROR_NOT_SUPPORTED);
}

static void flags_that_do_not_exist(void **state)
{
	(void)state;
	for (uint32_t flag = 2; flag < 0x10000; flag <<= 1) {
		const struct vgpu_submission submission = { .opcode = VGPU_RING_NOP,
							    .flags = (uint16_t)flag };

		assert_int_equal(channel_run(&channel, submission).status,
				 CUDA_ERROR_INVALID_VALUE);
	}
}

static void arguments_that_an_operation_does_not_have(void **state)
{
	static const struct {
		uint16_t opcode;
		uint8_t arguments;
	} operations[] = {
		{ VGPU_RING_NOP, 0 },
		{ VGPU_RING_DEVICE_ATTRIBUTE, 1 },
		{ VGPU_RING_MEM_ALLOC, 1 },
		{ VGPU_RING_MEM_INFO, 0 },
		{ VGPU_RING_MODULE_BUILTIN, 0 },
		{ VGPU_RING_STREAM_QUERY, 1 },
		{ VGPU_RING_STREAM_CREATE, 2 },
		{ VGPU_RING_EVENT_CREATE, 1 },
		{ VGPU_RING_STREAM_SYNCHRONIZE, 1 },
		{ VGPU_RING_CONTEXT_SYNCHRONIZE, 0 },
		{ VGPU_RING_COPY_DTOD, 4 },
		{ VGPU_RING_MEM_SET, 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		for (int extra = operations[i].arguments; extra < 6; extra++)
			for (int bit = 0; bit < 64; bit += 21) {
				struct vgpu_submission submission = {
					.opcode = operations[i].opcode
				};

				submission.argument[extra] = UINT64_C(1) << bit;
				assert_int_equal(channel_run(&channel, submission).status,
						 CUDA_ERROR_INVALID_VALUE);
			}
}

static void ranges_of_the_window(void **state)
{
	static const uint64_t ranges[][2] = {
		{ W, 1 },
		{ W - 1, 2 },
		{ 0, W + 1 },
		{ W + 1, 1 },
		{ MAX, 1 },
		{ MAX, 2 },
		{ 1, MAX },
		{ MAX, MAX },
		{ MAX - 999, 1000 },
		{ UINT64_C(1) << 63, 1000 },
		{ UINT64_C(1) << 32, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint64_t offset = ranges[i][0], bytes = ranges[i][1];

		INVALID(VGPU_RING_DEVICE_INFO, offset, bytes, 0, 0, 0);
		INVALID(VGPU_RING_COPY_HTOD, first, offset, bytes, 0, 0);
		INVALID(VGPU_RING_COPY_DTOH, offset, first, bytes, 0, 0);
		INVALID(VGPU_RING_MODULE_LOAD, offset, bytes, 0, 0, 0);
		INVALID(VGPU_RING_MODULE_FUNCTION, module, offset, bytes, 0, 0);
		INVALID(VGPU_RING_MODULE_GLOBAL, module, offset, bytes, 0, 0);
	}
	INVALID(VGPU_RING_DEVICE_INFO, 0, 0, 0, 0, 0);
	INVALID(VGPU_RING_MODULE_LOAD, 0, 0, 0, 0, 0);
	/* Not even for nothing. */
	INVALID(VGPU_RING_COPY_HTOD, first, W + 1, 0, 0, 0);
	INVALID(VGPU_RING_COPY_DTOH, MAX, first, 0, 0, 0);
}

static void ranges_of_device_memory(void **state)
{
	const uint64_t ranges[][2] = {
		{ first, 1001 },
		{ first + 999, 2 },
		{ first - 1, 1 },
		{ first + 1000, 1 },
		{ first, second - first + 1 },
		{ freed, 1 },
		{ freed, 1000 },
		{ 0, 1 },
		{ 1, 8 },
		{ MAX, 1 },
		{ MAX - 7, 8 },
		{ first, W },
		{ UINT64_C(1) << 63, 4 },
		{ 0x7f0000000000 - 8, 16 },
		{ 0x400000, 4096 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint64_t pointer = ranges[i][0], bytes = ranges[i][1];

		INVALID(VGPU_RING_COPY_HTOD, pointer, 0, bytes, 0, 0);
		INVALID(VGPU_RING_COPY_DTOH, 0, pointer, bytes, 0, 0);
		INVALID(VGPU_RING_COPY_DTOD, pointer, second, bytes, 0, 0);
		INVALID(VGPU_RING_COPY_DTOD, second, pointer, bytes, 0, 0);
		INVALID(VGPU_RING_MEM_SET, pointer, 0, bytes, 1, 0);
	}
	/* Lengths whose sum with the pointer overflows. */
	INVALID(VGPU_RING_COPY_DTOD, first, second, MAX, 0, 0);
	INVALID(VGPU_RING_COPY_DTOD, first, second, MAX - first + 2, 0, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0, MAX, 1, 0);
}

static void sets(void **state)
{
	(void)state;
	INVALID(VGPU_RING_MEM_SET, first, 0, 1, 0, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0, 1, 3, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0, 1, 8, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0, 1, MAX, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0, 1, (UINT64_C(1) << 32) + 1, 0);
	INVALID(VGPU_RING_MEM_SET, first + 1, 0, 1, 2, 0);
	INVALID(VGPU_RING_MEM_SET, first + 2, 0, 1, 4, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0x100, 1, 1, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0x10000, 1, 2, 0);
	INVALID(VGPU_RING_MEM_SET, first, UINT64_C(1) << 32, 1, 4, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0, 501, 2, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0, 251, 4, 0);
	/* 2^62 + 1 elements of 4 bytes are 4 bytes, modulo 2^64. */
	INVALID(VGPU_RING_MEM_SET, first, 0, (UINT64_C(1) << 62) + 1, 4, 0);
	INVALID(VGPU_RING_MEM_SET, first, 0, (UINT64_C(1) << 63) + 1, 2, 0);
	channel_must(&channel, VGPU_RING_MEM_SET, first, 0xff, 1000, 1, 0);
	channel_must(&channel, VGPU_RING_MEM_SET, first, 0xffff, 500, 2, stream);
}

static void memory(void **state)
{
	const uint64_t held = channel.driver.reserved;
	const uint64_t over_quota[] = { UINT64_C(1) << 47, 8u << 20 };
	struct vgpu_completion refused;

	(void)state;
	INVALID(VGPU_RING_MEM_ALLOC, 0, 0, 0, 0, 0);
	INVALID(VGPU_RING_MEM_FREE, 0, 0, 0, 0, 0);
	INVALID(VGPU_RING_MEM_FREE, freed, 0, 0, 0, 0);
	INVALID(VGPU_RING_MEM_FREE, first + 1, 0, 0, 0, 0);
	INVALID(VGPU_RING_MEM_FREE, MAX, 0, 0, 0, 0);
	channel_expect(&channel, VGPU_RING_MEM_ALLOC, MAX, 0, 0, 0, 0, CUDA_ERROR_OUT_OF_MEMORY);
	/* On a GPU it is beyond every quota, and no quota's refusal. */
	refused = channel_call(&channel, VGPU_RING_MEM_ALLOC, MAX - 255, 0, 0, 0, 0);
	assert_int_equal(refused.status, CUDA_ERROR_OUT_OF_MEMORY);
	for (size_t i = 0; i < sizeof(over_quota) / sizeof(over_quota[0]); i++) {
		refused = channel_call(&channel, VGPU_RING_MEM_ALLOC, over_quota[i], 0, 0, 0, 0);
		assert_int_equal(refused.status, CUDA_ERROR_OUT_OF_MEMORY);
		assert_true(refused.result[0] == VGPU_MEMORY_QUOTA);
	}
	assert_true(channel.driver.reserved == held);
}

/* Numbers that are not of the kind, or of nothing. */
static void expect_no_handle(uint16_t opcode, uint64_t right, uint64_t b, uint64_t c)
{
	const uint64_t wrong[] = {
		right + 100, right ^ (1u << 14), right | UINT64_C(1) << 32, MAX,
		1,	     right ^ (1u << 12), right ^ (2u << 12),	    (uint32_t)-1,
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		NO_HANDLE(opcode, wrong[i], b, c, 0, 0);
}

static void handles(void **state)
{
	(void)state;
	expect_no_handle(VGPU_RING_MODULE_UNLOAD, module, 0, 0);
	expect_no_handle(VGPU_RING_MODULE_FUNCTION, module, 0, 8);
	expect_no_handle(VGPU_RING_MODULE_GLOBAL, module, 0, 8);
	expect_no_handle(VGPU_RING_FUNCTION_ATTRIBUTE, function, 0, 0);
	expect_no_handle(VGPU_RING_FUNCTION_SET_ATTRIBUTE, function, 8, 0);
	expect_no_handle(VGPU_RING_FUNCTION_PARAMETER, function, 0, 0);
	expect_no_handle(VGPU_RING_STREAM_DESTROY, stream, 0, 0);
	expect_no_handle(VGPU_RING_STREAM_QUERY, stream, 0, 0);
	expect_no_handle(VGPU_RING_STREAM_SYNCHRONIZE, stream, 0, 0);
	expect_no_handle(VGPU_RING_STREAM_WAIT_EVENT, stream, event, 0);
	expect_no_handle(VGPU_RING_EVENT_DESTROY, event, 0, 0);
	expect_no_handle(VGPU_RING_EVENT_RECORD, event, stream, 0);
	expect_no_handle(VGPU_RING_EVENT_QUERY, event, 0, 0);
	expect_no_handle(VGPU_RING_EVENT_SYNCHRONIZE, event, 0, 0);
	expect_no_handle(VGPU_RING_EVENT_ELAPSED, event, event, 0);
	NO_HANDLE(VGPU_RING_MODULE_UNLOAD, 0, 0, 0, 0, 0);
	NO_HANDLE(VGPU_RING_STREAM_DESTROY, 0, 0, 0, 0, 0);
	NO_HANDLE(VGPU_RING_EVENT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	NO_HANDLE(VGPU_RING_STREAM_WAIT_EVENT, stream, stream, 0, 0, 0);
	NO_HANDLE(VGPU_RING_STREAM_WAIT_EVENT, stream, 0, 0, 0, 0);
	NO_HANDLE(VGPU_RING_EVENT_RECORD, event, event, 0, 0, 0);
	NO_HANDLE(VGPU_RING_EVENT_ELAPSED, event, stream, 0, 0, 0);
	NO_HANDLE(VGPU_RING_MEM_SET, first, 0, 1, 1, event);
	NO_HANDLE(VGPU_RING_COPY_HTOD, first, 0, 1, module, 0);
	NO_HANDLE(VGPU_RING_COPY_DTOH, 0, first, 1, function, 0);
	NO_HANDLE(VGPU_RING_COPY_DTOD, first, second, 1, MAX, 0);
}

static void names(void **state)
{
	(void)state;
	memcpy(channel.ring.window, "vadd_i32\0x", 10);
	INVALID(VGPU_RING_MODULE_FUNCTION, module, 0, 9, 0, 0);
	INVALID(VGPU_RING_MODULE_FUNCTION, module, 0, 10, 0, 0);
	INVALID(VGPU_RING_MODULE_FUNCTION, module, 0, 0, 0, 0);
	INVALID(VGPU_RING_MODULE_FUNCTION, module, 0, 4097, 0, 0);
	memset(channel.ring.window, 'x', 4096);
	channel_expect(&channel, VGPU_RING_MODULE_FUNCTION, module, 0, 4096, 0, 0,
		       CUDA_ERROR_NOT_FOUND);
	channel_expect(&channel, VGPU_RING_MODULE_GLOBAL, module, 0, 4096, 0, 0,
		       CUDA_ERROR_NOT_FOUND);
}

static void flags_and_attributes(void **state)
{
	(void)state;
	driver_cpu_only("its limits are others");
	INVALID(VGPU_RING_STREAM_CREATE, 2, 0, 0, 0, 0);
	INVALID(VGPU_RING_STREAM_CREATE, UINT64_C(1) << 32, 0, 0, 0, 0);
	INVALID(VGPU_RING_STREAM_CREATE, 0, UINT64_C(1) << 32, 0, 0, 0);
	INVALID(VGPU_RING_STREAM_CREATE, 0, (uint64_t)INT64_MIN, 0, 0, 0);
	INVALID(VGPU_RING_EVENT_CREATE, 4, 0, 0, 0, 0);
	INVALID(VGPU_RING_EVENT_CREATE, UINT64_C(1) << 32, 0, 0, 0, 0);
	INVALID(VGPU_RING_DEVICE_ATTRIBUTE, (UINT64_C(1) << 32) + 1, 0, 0, 0, 0);
	INVALID(VGPU_RING_DEVICE_ATTRIBUTE, UINT32_MAX, 0, 0, 0, 0);
	INVALID(VGPU_RING_FUNCTION_ATTRIBUTE, function, UINT64_C(1) << 32, 0, 0, 0);
	INVALID(VGPU_RING_FUNCTION_SET_ATTRIBUTE, function, 8, UINT64_C(1) << 32, 0, 0);
	INVALID(VGPU_RING_FUNCTION_SET_ATTRIBUTE, function, 8, (48 << 10) + 1, 0, 0);
	INVALID(VGPU_RING_FUNCTION_PARAMETER, function, UINT64_C(1) << 32, 0, 0, 0);
	INVALID(VGPU_RING_FUNCTION_PARAMETER, function, UINT32_MAX, 0, 0, 0);
}

static uint32_t run_launch(const struct vgpu_launch *launch)
{
	struct vgpu_submission submission = { .opcode = VGPU_RING_LAUNCH };

	memcpy(submission.argument, launch, sizeof(*launch));
	return channel_run(&channel, submission).status;
}

static void launches(void **state)
{
	const uint64_t arguments[] = { first, first, second, 250 };
	const struct vgpu_launch good = { .function = (uint32_t)function,
					  .stream = (uint32_t)stream,
					  .grid = { 1, 1, 1 },
					  .block = { 250, 1, 1 },
					  .parameter_bytes = 32,
					  .parameters = W - 32 };
	struct vgpu_launch launch;

	(void)state;
	driver_cpu_only("its limits are others");
	memcpy(channel.ring.window + W - 32, arguments, 32);
	assert_int_equal(run_launch(&good), 0);
#define BAD_LAUNCH(error, ...)                                                                     \
	launch = good;                                                                             \
	__VA_ARGS__;                                                                               \
	assert_int_equal(run_launch(&launch), error)
	for (int i = 0; i < 3; i++) {
		BAD_LAUNCH(1, launch.grid[i] = 0);
		BAD_LAUNCH(1, launch.block[i] = 0);
		BAD_LAUNCH(1, launch.block[i] = 1025);
		BAD_LAUNCH(1, launch.block[i] = 0xffff);
		BAD_LAUNCH(1, launch.grid[i] = UINT32_MAX);
	}
	BAD_LAUNCH(1, launch.grid[0] = 0x80000000);
	BAD_LAUNCH(1, launch.grid[1] = 65536);
	BAD_LAUNCH(1, launch.grid[2] = 65536);
	BAD_LAUNCH(1, launch.block[0] = 512; launch.block[1] = 3);
	BAD_LAUNCH(1, launch.block[2] = 65; launch.block[0] = 1);
	BAD_LAUNCH(1, launch.shared_bytes = (48 << 10) + 1);
	BAD_LAUNCH(1, launch.shared_bytes = UINT32_MAX);
	BAD_LAUNCH(1, launch.reserved[0] = 1);
	BAD_LAUNCH(1, launch.reserved[1] = 1u << 31);
	BAD_LAUNCH(1, launch.parameter_bytes = 31);
	BAD_LAUNCH(1, launch.parameter_bytes = 33; launch.parameters = 0);
	BAD_LAUNCH(1, launch.parameter_bytes = 0);
	BAD_LAUNCH(1, launch.parameter_bytes = 4097; launch.parameters = 0);
	BAD_LAUNCH(1, launch.parameter_bytes = 0xffff; launch.parameters = 0);
	BAD_LAUNCH(1, launch.parameters = W - 28);
	BAD_LAUNCH(1, launch.parameters = W - 24);
	BAD_LAUNCH(1, launch.parameters = W);
	BAD_LAUNCH(1, launch.parameters = MAX - 7);
	BAD_LAUNCH(1, launch.parameters = MAX - 31);
	BAD_LAUNCH(1, launch.parameters = 4);
	BAD_LAUNCH(400, launch.function = 0);
	BAD_LAUNCH(400, launch.function = (uint32_t)module);
	BAD_LAUNCH(400, launch.function += 100);
	BAD_LAUNCH(400, launch.stream = (uint32_t)event);
	BAD_LAUNCH(400, launch.stream = 1);
}

static void replies_that_are_needed(void **state)
{
	static const uint16_t opcodes[] = {
		VGPU_RING_DEVICE_INFO,	      VGPU_RING_DEVICE_ATTRIBUTE,
		VGPU_RING_MEM_ALLOC,	      VGPU_RING_MEM_INFO,
		VGPU_RING_MODULE_LOAD,	      VGPU_RING_MODULE_BUILTIN,
		VGPU_RING_MODULE_FUNCTION,    VGPU_RING_MODULE_GLOBAL,
		VGPU_RING_STREAM_CREATE,      VGPU_RING_STREAM_QUERY,
		VGPU_RING_EVENT_CREATE,	      VGPU_RING_EVENT_QUERY,
		VGPU_RING_STREAM_SYNCHRONIZE, VGPU_RING_EVENT_SYNCHRONIZE,
		VGPU_RING_EVENT_ELAPSED,      VGPU_RING_CONTEXT_SYNCHRONIZE,
		VGPU_RING_FUNCTION_ATTRIBUTE, VGPU_RING_FUNCTION_PARAMETER,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		const struct vgpu_submission silent = { .opcode = opcodes[i],
							.flags = VGPU_SUBMIT_NO_REPLY };

		/* No reply to a refused request for none either; its error is kept. */
		guest_ring_submit(&channel.ring, &silent);
		channel_expect(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0,
			       CUDA_ERROR_INVALID_VALUE);
	}
}

static void tables_are_bounded(void **state)
{
	uint64_t last = 0, count = 1;

	(void)state;
	/* On a GPU so many count against it. */
	channel.driver.quota = 0;
	for (;; count++) {
		struct vgpu_completion made =
			channel_call(&channel, VGPU_RING_STREAM_CREATE, 0, 0, 0, 0, 0);

		if (made.status) {
			assert_int_equal(made.status, CUDA_ERROR_OUT_OF_MEMORY);
			break;
		}
		last = made.result[0];
	}
	/* With those that other tests made. */
	assert_in_range(count, 4090, 4096);
	/* The slot that is free again has another number. */
	channel_must(&channel, VGPU_RING_STREAM_DESTROY, last, 0, 0, 0, 0);
	assert_int_not_equal(channel_must(&channel, VGPU_RING_STREAM_CREATE, 0, 0, 0, 0, 0), last);
	NO_HANDLE(VGPU_RING_STREAM_QUERY, last, 0, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_that_are_no_operation),
		cmocka_unit_test(flags_that_do_not_exist),
		cmocka_unit_test(arguments_that_an_operation_does_not_have),
		cmocka_unit_test(ranges_of_the_window),
		cmocka_unit_test(ranges_of_device_memory),
		cmocka_unit_test(sets),
		cmocka_unit_test(memory),
		cmocka_unit_test(handles),
		cmocka_unit_test(names),
		cmocka_unit_test(flags_and_attributes),
		cmocka_unit_test(launches),
		cmocka_unit_test(replies_that_are_needed),
		cmocka_unit_test(tables_are_bounded),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
