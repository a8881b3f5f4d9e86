/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's arguments on the command line of `vgpu-agent run`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "guest-agent/agent/run_argument.h"

static void number(const char *text, enum run_kind kind, const void *value, uint32_t size)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct run_argument argument;

	assert_int_equal(run_argument_parse(text, &argument, &err), 0);
	assert_int_equal(argument.kind, kind);
	assert_int_equal(run_argument_size(&argument), size);
	assert_memory_equal(argument.value, value, size);
	assert_false(run_argument_is_file(&argument));
	run_argument_free(&argument);
}

static void file(const char *text, enum run_kind kind, const char *path, uint64_t bytes)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct run_argument argument;

	assert_int_equal(run_argument_parse(text, &argument, &err), 0);
	assert_int_equal(argument.kind, kind);
	assert_string_equal(argument.path, path);
	assert_int_equal(argument.bytes, bytes);
	assert_int_equal(run_argument_size(&argument), 8);
	assert_true(run_argument_is_file(&argument));
	run_argument_free(&argument);
}

static void refused(const char *text)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct run_argument argument;

	assert_int_equal(run_argument_parse(text, &argument, &err), -1);
	assert_int_equal(err->status, EX_USAGE);
	run_argument_free(&argument);
}

static void test_numbers(void **state)
{
	(void)state;
	number("i32:-2147483648", RUN_I32, &(int32_t){ INT32_MIN }, 4);
	number("i32:4294967295", RUN_I32, &(uint32_t){ UINT32_MAX }, 4);
	number("i64:-9223372036854775808", RUN_I64, &(int64_t){ INT64_MIN }, 8);
	number("i64:18446744073709551615", RUN_I64, &(uint64_t){ UINT64_MAX }, 8);
	number("f32:0.1", RUN_F32, &(float){ 0.1f }, 4);
	number("f32:-1e-3", RUN_F32, &(float){ -1e-3f }, 4);
	number("f64:2.5", RUN_F64, &(double){ 2.5 }, 8);
}

static void test_files(void **state)
{
	(void)state;
	file("in:a", RUN_IN, "a", 0);
	file("in:a:b:3", RUN_IN, "a:b:3", 0);
	file("out:a:b:3", RUN_OUT, "a:b", 3);
	file("out:x:4096", RUN_OUT, "x", 4096);
	file("inout:/tmp/x", RUN_INOUT, "/tmp/x", 0);
}

static void test_refusals(void **state)
{
	static const char *const texts[] = {
		"",
		"i32",
		"i32:",
		"i32:x",
		"i32:1x",
		"i32: 1",
		"i32:--1",
		"i32:4294967296",
		"i32:-2147483649",
		"i64:18446744073709551616",
		"f32:",
		"f32: 1",
		"f32:1e99",
		"f32:1,5",
		"f64:1e999",
		"f16:1",
		"in:",
		"out:",
		"out:x",
		"out:x:",
		"out:x:0",
		"out::4",
		"out:x:-1",
		"out:x:1k",
		"inout:",
		"I32:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i]);
}

static void test_dimensions(void **state)
{
	static const char *const wrong[] = { "",    "0",  "1,", ",1",  "1,0",	"1,2,3,4",
					     "1;2", "-1", " 1", "101", "1,2,3," };
	uint32_t dimensions[3];

	(void)state;
	assert_int_equal(run_dimensions_parse("7", 100, dimensions), 0);
	assert_memory_equal(dimensions, ((uint32_t[]){ 7, 1, 1 }), 12);
	assert_int_equal(run_dimensions_parse("7,8", 100, dimensions), 0);
	assert_memory_equal(dimensions, ((uint32_t[]){ 7, 8, 1 }), 12);
	assert_int_equal(run_dimensions_parse("7,8,100", 100, dimensions), 0);
	assert_memory_equal(dimensions, ((uint32_t[]){ 7, 8, 100 }), 12);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(run_dimensions_parse(wrong[i], 100, dimensions), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_dimensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
