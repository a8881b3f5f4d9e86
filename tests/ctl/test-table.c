/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: what a cell may do to a terminal (nothing), and where columns begin. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/ctl/show.h"
#include "mediatord/ctl/text.h"

static void check_visible(const char *text, const char *wanted, size_t wanted_width)
{
	size_t width;
	VGPU_AUTO_FREE char *visible = text_visible(text, &width);

	assert_string_equal(visible, wanted);
	assert_int_equal(width, wanted_width);
}

static void test_visible(void **state)
{
	(void)state;
	check_visible("", "", 0);
	check_visible("plain", "plain", 5);
	check_visible("caf\u00e9 \u65e5\u672c", "caf\u00e9 \u65e5\u672c", 9);
	check_visible("a\nb\rc\td", "a\\nb\\rc\\td", 10);
	check_visible("\033[31m\007\177", "\\x1b[31m\\x07\\x7f", 16);
	/* C1 controls, direction marks, what has no width, and what is no character at all. */
	check_visible("\xc2\x9b"
		      "31m",
		      "\\u009b31m", 9);
	check_visible("a\u202eb", "a\\u202eb", 8);
	check_visible("a\u200bb", "a\\u200bb", 8);
	check_visible("\xff\xc3", "\\xff\\xc3", 8);
	check_visible("\xed\xa0\x80", "\\xed\\xa0\\x80", 12);
}

static void test_fit(void **state)
{
	(void)state;
	assert_int_equal(text_fit("abcdef", 4), 4);
	assert_int_equal(text_fit("abc", 9), 3);
	assert_int_equal(text_fit("\u00e9\u00e9\u00e9", 2), 4);
	/* A wide character is not cut in two. */
	assert_int_equal(text_fit("\u65e5\u672c", 3), 3);
	assert_int_equal(text_fit("x", 0), 0);
}

static const struct table_column columns[] = {
	{ .title = "NAME", .flexible = true },
	{ .title = "N", .right = true },
	{ .title = "LAST" },
};

static char *print(const struct table *table, size_t width, size_t lines)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	table_print(table, stream, width, "\n", lines);
	fclose(stream);
	return text;
}

static void test_columns(void **state)
{
	TABLE_AUTO struct table table = TABLE_INIT(columns);
	VGPU_AUTO_FREE char *wide = NULL, *narrow = NULL, *cut = NULL;

	(void)state;
	table_add(&table, "a");
	table_add(&table, "1");
	table_add(&table, "x");
	table_add(&table, "\u65e5\u672c rather a long name");
	table_addf(&table, "%d", 12345);
	table_add(&table, "y\nz");
	wide = print(&table, 0, 0);
	assert_string_equal(wide, "NAME                         N  LAST\n"
				  "a                            1  x\n"
				  "\u65e5\u672c rather a long name  12345  y\\nz\n");
	narrow = print(&table, 24, 0);
	assert_string_equal(narrow, "NAME             N  LAST\n"
				    "a                1  x\n"
				    "\u65e5\u672c rathe>  12345  y\\nz\n");
	cut = print(&table, 0, 2);
	assert_string_equal(cut, "NAME                         N  LAST\n"
				 "a                            1  x\n");
}

static void check_cell(const char *json_text, const char *path, enum show_kind kind,
		       const char *wanted)
{
	static const struct table_column one[] = { { .title = "T" } };
	TABLE_AUTO struct table table = TABLE_INIT(one);
	json_t *json = json_loads(json_text, 0, NULL);

	assert_non_null(json);
	show_cell(&table, json, path, kind);
	assert_string_equal(table.cells[0].text, wanted);
	json_decref(json);
}

static void test_cells(void **state)
{
	(void)state;
	check_cell("{\"a\":{\"b\":7}}", "a.b", SHOW_PLAIN, "7");
	check_cell("{\"a\":\"t\"}", "a", SHOW_PLAIN, "t");
	check_cell("{\"a\":true}", "a", SHOW_PLAIN, "yes");
	check_cell("{\"a\":4294967296}", "a", SHOW_SIZE, "4GiB");
	check_cell("{\"a\":1610612736}", "a", SHOW_SIZE, "1.5GiB");
	check_cell("{\"a\":1000}", "a", SHOW_SIZE, "1000");
	check_cell("{\"a\":20}", "a", SHOW_PERCENT, "20%");
	check_cell("{\"a\":10000}", "a", SHOW_DURATION, "10s");
	check_cell("{\"a\":1500}", "a", SHOW_DURATION, "1500ms");
	check_cell("{\"a\":2400000}", "a", SHOW_TIME, "2.4ms");
	check_cell("{\"a\":850000}", "a", SHOW_TIME, "850us");
	check_cell("{\"a\":61}", "a", SHOW_CELSIUS, "61C");
	check_cell("{\"a\":349600}", "a", SHOW_POWER, "350W");
}

static void test_wrong_types(void **state)
{
	(void)state;
	check_cell("{}", "a.b", SHOW_PLAIN, "-");
	check_cell("{\"a\":5}", "a.b", SHOW_PLAIN, "-");
	check_cell("{\"a\":[1]}", "a", SHOW_PLAIN, "-");
	check_cell("{\"a\":null}", "a", SHOW_SIZE, "-");
	check_cell("{\"a\":\"4GiB\"}", "a", SHOW_SIZE, "-");
	check_cell("{\"a\":-1}", "a", SHOW_SIZE, "-");
	check_cell("{\"a\":1.5}", "a", SHOW_PERCENT, "-");
	check_cell("[]", "a", SHOW_PLAIN, "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_visible),	    cmocka_unit_test(test_fit),
		cmocka_unit_test(test_columns),	    cmocka_unit_test(test_cells),
		cmocka_unit_test(test_wrong_types),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		puts("there is no locale C.UTF-8");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
