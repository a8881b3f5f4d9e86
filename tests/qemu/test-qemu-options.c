/* SPDX-License-Identifier: Apache-2.0 */
/* -device vgpu is listed and described, and bad options end QEMU with a line that says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/qemu/vm.h"

static char output[65536];

static void is_listed(void **state)
{
	const char *const arguments[] = { "-device", "help", NULL };

	(void)state;
	assert_int_equal(vm_run(arguments, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "name \"vgpu\", bus PCI, desc \"vGPU: "));
}

static void describes_its_properties(void **state)
{
	const char *const arguments[] = { "-device", "vgpu,help", NULL };

	(void)state;
	assert_int_equal(vm_run(arguments, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "link=<str>"));
	assert_non_null(strstr(output, "window-size=<size>"));
	assert_non_null(strstr(output, "(default: 268435456)"));
}

/* Each in its turn, with a part of the message that it gets. */
static void bad_options_are_refused(void **state)
{
	static char long_path[160];
	const struct {
		const char *device, *message;
	} cases[] = {
		{ "vgpu", "property 'link' is required" },
		{ "vgpu,link=", "the link's path is empty" },
		{ long_path, "a Unix socket's path has at most 107" },
		{ "vgpu,link=/x,window-size=3M", "must be a power of two" },
		{ "vgpu,link=/x,window-size=512K", "1048576 (1 MiB)" },
		{ "vgpu,link=/x,window-size=128G", "(64 GiB)" },
		{ "vgpu,link=/x,window-size=0", "must be a power of two" },
		{ "vgpu,link=/x,window-size=large", "window-size" },
		{ "vgpu,link=/x,windowsize=1M", "windowsize" },
	};

	(void)state;
	snprintf(long_path, sizeof(long_path), "vgpu,link=/%0107d", 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const arguments[] = { "-S",	      "-display",      "none",
						  "-machine", "q35",	       "-nodefaults",
						  "-device",  cases[i].device, NULL };

		assert_int_equal(vm_run(arguments, output, sizeof(output)), 1);
		if (!strstr(output, cases[i].message))
			fail_msg("%s: %s", cases[i].device, output);
	}
}

static void the_longest_path_is_taken(void **state)
{
	char device[160];
	const char *const arguments[] = { "-machine", "q35", "-device", device, NULL };
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	snprintf(device, sizeof(device), "vgpu,link=/%0106d", 0);
	vm_start(&vm, arguments);
	vm_stop(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_listed),
		cmocka_unit_test(describes_its_properties),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(the_longest_path_is_taken),
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
