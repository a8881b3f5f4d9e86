/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: escapes, and text that is not UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-agent/agent/json.h"

static void expect_text(const char *text, const char *right)
{
	char *written = NULL;
	size_t length;
	struct json json = { .stream = open_memstream(&written, &length) };
	char expected[256];

	json_begin(&json, NULL);
	json_text(&json, "k", text);
	json_finish(&json);
	fclose(json.stream);
	snprintf(expected, sizeof(expected), "{\"k\":\"%s\"}\n", right);
	assert_string_equal(written, expected);
	free(written);
}

static void members_and_nested_objects(void **state)
{
	char *written = NULL;
	size_t length;
	struct json json = { .stream = open_memstream(&written, &length) };

	(void)state;
	json_begin(&json, NULL);
	json_begin(&json, "empty");
	json_end(&json);
	json_unsigned(&json, "n", UINT64_MAX);
	json_begin(&json, "o");
	json_bool(&json, "yes", true);
	json_decimal(&json, "d", 1.0625, 3);
	json_end(&json);
	json_bool(&json, "no", false);
	json_finish(&json);
	fclose(json.stream);
	assert_string_equal(written, "{\"empty\":{},\"n\":18446744073709551615,"
				     "\"o\":{\"yes\":true,\"d\":1.062},\"no\":false}\n");
	free(written);
}

static void what_json_forbids_is_escaped(void **state)
{
	(void)state;
	expect_text("plain", "plain");
	expect_text("a\"b\\c", "a\\\"b\\\\c");
	expect_text("\n\t\x1b\x7f", "\\u000a\\u0009\\u001b\\u007f");
	expect_text("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
}

static void what_is_not_utf8_is_replaced(void **state)
{
	(void)state;
	expect_text("\xff", "\\ufffd");
	expect_text("a\x80z", "a\\ufffdz");
	expect_text("\xc3", "\\ufffd");			      /* cut off */
	expect_text("\xe2\x82", "\\ufffd\\ufffd");	      /* cut off */
	expect_text("\xc0\xaf", "\\ufffd\\ufffd");	      /* over-long */
	expect_text("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"); /* a surrogate */
	expect_text("\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_and_nested_objects),
		cmocka_unit_test(what_json_forbids_is_escaped),
		cmocka_unit_test(what_is_not_utf8_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
