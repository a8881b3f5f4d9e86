/* SPDX-License-Identifier: Apache-2.0 */
/* Vector files: what is taken, and what is refused with the file's name and the line's number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sysexits.h>

#include "guest-agent/agent/vector.h"

static int read_bytes(const char *bytes, size_t length, enum number_type type,
		      struct vector *vector, struct vgpu_error **err)
{
	VGPU_AUTO_FCLOSE FILE *stream = NULL;
	static char nothing[1];

	/* fmemopen() refuses a buffer of no bytes. */
	stream = length ? fmemopen((void *)bytes, length, "r") : fmemopen(nothing, 1, "w+");
	assert_non_null(stream);
	return vector_read(stream, "file.txt", type, vector, err);
}

static void expect_f32(const char *text, const float *right, size_t count)
{
	VECTOR_AUTO struct vector vector = { 0 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	if (read_bytes(text, strlen(text), NUMBER_F32, &vector, &err) != 0)
		fail_msg("%s", err->message);
	assert_int_equal(vector.count, count);
	assert_memory_equal(vector.elements, right, count * sizeof(*right));
}

static void expect_refusal(const char *bytes, size_t length, enum number_type type,
			   const char *message)
{
	VECTOR_AUTO struct vector vector = { 0 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	assert_int_equal(read_bytes(bytes, length, type, &vector, &err), -1);
	assert_non_null(err);
	assert_string_equal(err->message, message);
	assert_int_equal(err->status, EX_DATAERR);
	assert_null(vector.elements);
}

static void refused_f32(const char *text, const char *message)
{
	expect_refusal(text, strlen(text), NUMBER_F32, message);
}

static void numbers_in_every_form_are_taken(void **state)
{
	const float right[] = { 1, -2.5f, 0.5f, 3, 1e10f, 1e-10f, 7, 0 };

	(void)state;
	expect_f32("1\n-2.5\n.5\n3.\n1e10\n1E-10\n+7\n-0e5\n" + 0,
		   (const float[]){ 1, -2.5f, 0.5f, 3, 1e10f, 1e-10f, 7, -0.0f }, 8);
	expect_f32("1\n-2.5\n.5\n3\n1e+10\n1e-10\n7\n0\n", right, 8);
}

static void blanks_crlf_and_blank_lines_at_the_end_are_taken(void **state)
{
	const float right[] = { 1, 2, 3 };

	(void)state;
	expect_f32("  1\n2\t \r\n\t3", right, 3);
	expect_f32("1\r\n2\r\n3\r\n\r\n \n\n", right, 3);
}

static void too_small_a_number_rounds_towards_zero(void **state)
{
	const float right[] = { 0, 1e-45f };

	(void)state;
	expect_f32("1e-60\n1e-45\n", right, 2);
}

static void many_numbers_are_taken(void **state)
{
	const size_t count = 100000;
	VECTOR_AUTO struct vector vector = { 0 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *text = malloc(count * 12);
	size_t length = 0;
	int32_t last;

	(void)state;
	for (size_t i = 0; i < count; i++)
		length += (size_t)sprintf(text + length, "%zu\n", i);
	assert_int_equal(read_bytes(text, length, NUMBER_I32, &vector, &err), 0);
	assert_int_equal(vector.count, count);
	memcpy(&last, (char *)vector.elements + (count - 1) * sizeof(last), sizeof(last));
	assert_int_equal(last, count - 1);
}

static void words_are_refused(void **state)
{
	(void)state;
	refused_f32("1\n2\nhello\n4\n", "file.txt:3: not a decimal number: 'hello'");
	refused_f32("nan\n", "file.txt:1: not a decimal number: 'nan'");
	refused_f32("1\n-inf\n", "file.txt:2: not a decimal number: '-inf'");
	refused_f32("0x10\n", "file.txt:1: not a decimal number: '0x10'");
	refused_f32("1 2\n", "file.txt:1: not a decimal number: '1 2'");
	refused_f32("1,5\n", "file.txt:1: not a decimal number: '1,5'");
	refused_f32("1e\n", "file.txt:1: not a decimal number: '1e'");
	refused_f32("1e+\n", "file.txt:1: not a decimal number: '1e+'");
	refused_f32(".\n", "file.txt:1: not a decimal number: '.'");
	refused_f32("--1\n", "file.txt:1: not a decimal number: '--1'");
	refused_f32("1\n2f", "file.txt:2: not a decimal number: '2f'");
}

static void what_is_shown_of_a_line_is_short_and_printable(void **state)
{
	(void)state;
	refused_f32("\x1b[31mred\n", "file.txt:1: not a decimal number: '?[31mred'");
	refused_f32("012345678901234567890123456789012345678901234567890x\n",
		    "file.txt:1: not a decimal number: "
		    "'0123456789012345678901234567890123456789'...");
}

static void numbers_out_of_range_are_refused(void **state)
{
	(void)state;
	refused_f32("1\n4e38\n", "file.txt:2: not within the range of float32, about -3.4e38 to "
				 "3.4e38: '4e38'");
	refused_f32("-1e999\n", "file.txt:1: not within the range of float32, about -3.4e38 to "
				"3.4e38: '-1e999'");
	expect_refusal("2147483648\n", 11, NUMBER_I32,
		       "file.txt:1: not within the range of int32, -2147483648 to 2147483647: "
		       "'2147483648'");
	expect_refusal("1\n-2147483649", 13, NUMBER_I32,
		       "file.txt:2: not within the range of int32, -2147483648 to 2147483647: "
		       "'-2147483649'");
	expect_refusal("99999999999999999999\n", 21, NUMBER_I32,
		       "file.txt:1: not within the range of int32, -2147483648 to 2147483647: "
		       "'99999999999999999999'");
}

static void fractions_are_refused_among_integers(void **state)
{
	VECTOR_AUTO struct vector vector = { 0 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	const int32_t right[] = { INT32_MIN, INT32_MAX, 0 };

	(void)state;
	expect_refusal("1\n2.0\n", 6, NUMBER_I32, "file.txt:2: not a whole decimal number: '2.0'");
	expect_refusal("1e3\n", 4, NUMBER_I32, "file.txt:1: not a whole decimal number: '1e3'");
	assert_int_equal(
		read_bytes("-2147483648\n+2147483647\n-0\n", 27, NUMBER_I32, &vector, &err), 0);
	assert_int_equal(vector.count, 3);
	assert_memory_equal(vector.elements, right, sizeof(right));
}

static void a_blank_line_among_numbers_is_refused(void **state)
{
	(void)state;
	refused_f32("1\n\n2\n", "file.txt:2: the line is empty, and others follow it");
	refused_f32("\n1\n", "file.txt:1: the line is empty, and others follow it");
}

static void an_empty_file_is_refused(void **state)
{
	(void)state;
	refused_f32("", "file.txt:1: there is no number in this file");
	refused_f32("\n \n", "file.txt:1: there is no number in this file");
}

static void a_long_line_is_refused(void **state)
{
	char text[VECTOR_LINE_MAX + 4];

	(void)state;
	text[0] = '1';
	text[1] = '\n';
	memset(text + 2, '1', VECTOR_LINE_MAX + 1);
	text[VECTOR_LINE_MAX + 3] = '\n';
	expect_refusal(text, sizeof(text), NUMBER_F32,
		       "file.txt:2: the line is longer than 255 bytes");
	/* 255 bytes are fine: as a number too large, here. */
	expect_refusal(text + 3, sizeof(text) - 3, NUMBER_F32,
		       "file.txt:1: not within the range of float32, about -3.4e38 to 3.4e38: "
		       "'1111111111111111111111111111111111111111'...");
}

static void a_zero_byte_is_refused(void **state)
{
	(void)state;
	expect_refusal("1\n2\0\n", 5, NUMBER_F32,
		       "file.txt:2: a zero byte: this is not a text file");
}

static void files_that_cannot_be_read_are_refused(void **state)
{
	VECTOR_AUTO struct vector vector = { 0 };
	VGPU_AUTO_ERROR struct vgpu_error *missing = NULL;
	VGPU_AUTO_ERROR struct vgpu_error *folder = NULL;

	(void)state;
	assert_int_equal(vector_read_file("/nonexistent/a", NUMBER_F32, &vector, &missing), -1);
	assert_int_equal(missing->status, EX_NOINPUT);
	assert_string_equal(missing->message, "/nonexistent/a: No such file or directory");
	assert_int_equal(vector_read_file("/", NUMBER_F32, &vector, &folder), -1);
	assert_int_equal(folder->status, EX_IOERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_in_every_form_are_taken),
		cmocka_unit_test(blanks_crlf_and_blank_lines_at_the_end_are_taken),
		cmocka_unit_test(too_small_a_number_rounds_towards_zero),
		cmocka_unit_test(many_numbers_are_taken),
		cmocka_unit_test(words_are_refused),
		cmocka_unit_test(what_is_shown_of_a_line_is_short_and_printable),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(fractions_are_refused_among_integers),
		cmocka_unit_test(a_blank_line_among_numbers_is_refused),
		cmocka_unit_test(an_empty_file_is_refused),
		cmocka_unit_test(a_long_line_is_refused),
		cmocka_unit_test(a_zero_byte_is_refused),
		cmocka_unit_test(files_that_cannot_be_read_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
