/* SPDX-License-Identifier: Apache-2.0 */
/* hook.conf is read strictly, and what is wrong is named with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hook/hook_config.h"

static void expect_error(const char *text, size_t length, const char *message)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct hook_config config;

	hook_config_defaults(&config);
	assert_int_equal(hook_config_parse(&config, text, length, "f", &err), -1);
	assert_string_equal(err->message, message);
}

static void reads_all_keys(void **state)
{
	static const char more[] = "policy = required\ntimeout = 900ms";
	static const char text[] = "# a comment\n\n  policy=best-effort \r\n"
				   "control-socket = /a b/c=d#e\n\ttimeout = 250ms";
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct hook_config config;

	(void)state;
	hook_config_defaults(&config);
	assert_false(config.best_effort);
	assert_int_equal(config.timeout_ms, 900);
	assert_int_equal(config.control_socket[0], '/');
	assert_int_equal(hook_config_parse(&config, text, strlen(text), "f", &err), 0);
	assert_true(config.best_effort);
	assert_string_equal(config.control_socket, "/a b/c=d#e");
	assert_int_equal(config.timeout_ms, 250);
	assert_int_equal(hook_config_parse(&config, more, strlen(more), "f", &err), 0);
	assert_false(config.best_effort);
	assert_int_equal(config.timeout_ms, 900);
	assert_int_equal(hook_config_parse(&config, "", 0, "f", &err), 0);
}

static void names_what_is_wrong(void **state)
{
	static const char *const bad[][2] = {
		{ "x", "f:1: \"x\" is not KEY = VALUE" },
		{ "\n[hook]", "f:2: \"[hook]\" is not KEY = VALUE" },
		{ "x = y", "f:1: unknown key \"x\"" },
		{ "Policy = required", "f:1: unknown key \"Policy\"" },
		{ "policy = required\npolicy = required", "f:2: policy was set before" },
		{ "policy =", "f:1: policy is \"\", not required or best-effort" },
		{ "policy = none # x", "f:1: policy is \"none # x\", not required or best-effort" },
		{ "control-socket = x", "f:1: control-socket \"x\" is not an absolute path" },
		{ "timeout = 1", "f:1: timeout \"1\" is not a number with ms or s behind it" },
		{ "timeout = -1s", "f:1: timeout \"-1s\" is not a number with ms or s behind it" },
		{ "timeout = s", "f:1: timeout \"s\" is not a number with ms or s behind it" },
		{ "timeout = 1m", "f:1: timeout \"1m\" is not a number with ms or s behind it" },
		{ "timeout = 0s", "f:1: timeout \"0s\" is not from 10 ms to 900 ms" },
		{ "timeout = 1s", "f:1: timeout \"1s\" is not from 10 ms to 900 ms" },
		{ "timeout = 99999999999999999999s",
		  "f:1: timeout \"99999999999999999999s\" is not from 10 ms to 900 ms" },
	};
	char longer[200] = "control-socket = /";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_error(bad[i][0], strlen(bad[i][0]), bad[i][1]);
	memset(longer + strlen(longer), 'x', 120);
	expect_error(longer, strlen(longer),
		     "f:1: control-socket is longer than a socket's path can be (107 bytes)");
	expect_error("policy\0", 7, "f: not a text file");
}

static void only_the_default_file_may_lack(void **state)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct hook_config config;

	(void)state;
	hook_config_defaults(&config);
	assert_int_equal(hook_config_load(&config, "/nonexistent/f", true, &err), 0);
	assert_int_equal(hook_config_load(&config, "/nonexistent/f", false, &err), -1);
	assert_string_equal(err->message, "/nonexistent/f: cannot open: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_keys),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(only_the_default_file_may_lack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
