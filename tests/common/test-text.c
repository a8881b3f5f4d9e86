/* SPDX-License-Identifier: Apache-2.0 */
/* A text that is too long is cut between two characters, never within one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/text.h"

static void what_fits_is_copied_whole(void **state)
{
	char text[8];

	(void)state;
	memset(text, 'x', sizeof(text));
	vgpu_text_cut(text, sizeof(text), "abc");
	assert_memory_equal(text, "abc\0\0\0\0", 8);
	vgpu_text_cut(text, sizeof(text), "abcdefg");
	assert_string_equal(text, "abcdefg");
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
	char text[5];

	(void)state;
	vgpu_text_cut(text, sizeof(text), "abcde");
	assert_string_equal(text, "abcd");
	/* Two, three and four bytes a character. */
	vgpu_text_cut(text, sizeof(text), "abc\xc3\xa9");
	assert_memory_equal(text, "abc\0", 5);
	vgpu_text_cut(text, sizeof(text), "ab\xe2\x82\xac");
	assert_memory_equal(text, "ab\0\0", 5);
	vgpu_text_cut(text, sizeof(text), "\xf0\x9f\x98\x80z");
	assert_string_equal(text, "\xf0\x9f\x98\x80");
	vgpu_text_cut(text, 4, "\xf0\x9f\x98\x80");
	assert_string_equal(text, "");
}

static void control_characters_become_question_marks(void **state)
{
	char text[] = "a\t\r\n\x1b\x7f \xc2\x80\xc2\x9f \xc2\xa0\xc3\xa9\xe2\x82\xac";
	char cut[] = "a\xc2";

	(void)state;
	vgpu_text_one_line(text);
	assert_string_equal(text, "a????? ???? \xc2\xa0\xc3\xa9\xe2\x82\xac");
	vgpu_text_one_line(cut);
	assert_string_equal(cut, "a\xc2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_copied_whole),
		cmocka_unit_test(control_characters_become_question_marks),
		cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
