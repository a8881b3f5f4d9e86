/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's -device values are read as QEMU reads them, and sizes strictly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "xml/device_option.h"

static void expect(const char *text, const char *driver, const char *bus, int slot,
		   const char *link)
{
	DEVICE_OPTION_AUTO struct device_option option = { .slot = -1 };

	assert_int_equal(device_option_parse(text, &option), 0);
	assert_string_equal(option.driver ? option.driver : "", driver);
	assert_string_equal(option.bus ? option.bus : "", bus);
	assert_int_equal(option.slot, slot);
	assert_string_equal(option.link ? option.link : "", link);
}

static void reads_the_plain_form(void **state)
{
	(void)state;
	expect("vgpu", "vgpu", "", -1, "");
	expect("", "", "", -1, "");
	expect("vgpu,bus=pcie.0,addr=0x1c", "vgpu", "pcie.0", 0x1c, "");
	expect("vgpu,addr=1c.0", "vgpu", "", 0x1c, "");
	expect("vgpu,addr=1f.7,addr=2", "vgpu", "", 2, "");
	expect("vgpu,addr=20", "vgpu", "", -1, "");
	expect("vgpu,addr=1.8", "vgpu", "", -1, "");
	expect("vgpu,addr=1.", "vgpu", "", -1, "");
	expect("vgpu,addr=1.7.0", "vgpu", "", -1, "");
	expect("vgpu,addr= 1", "vgpu", "", -1, "");
	expect("vgpu,addr=-1", "vgpu", "", -1, "");
	expect("vgpu,addr=zz", "vgpu", "", -1, "");
	expect("vgpu,addr=", "vgpu", "", -1, "");
	expect("addr=3,driver=vgpu", "vgpu", "", 3, "");
	/* Only the first can go without a name. */
	expect("edu,vgpu", "edu", "", -1, "");
	expect("edu,vgpu=on", "edu", "", -1, "");
}

static void double_commas_are_one(void **state)
{
	(void)state;
	expect("vgpu,link=/a,,b,,,bus=x", "vgpu", "x", -1, "/a,b,");
	expect("vgpu,link=a=b,bus=c", "vgpu", "c", -1, "a=b");
	expect("v,,gpu", "v,gpu", "", -1, "");
	expect("vgpu,link=,,", "vgpu", "", -1, ",");
}

static void reads_the_json_form(void **state)
{
	(void)state;
	expect("{\"driver\":\"vgpu\",\"bus\":\"pci.0\",\"addr\":\"0x1e\"}", "vgpu", "pci.0", 0x1e,
	       "");
	expect("{ \"link\" : \"/x\" , \"driver\" : \"vgpu\" }", "vgpu", "", -1, "/x");
	/* A number is slot and function in one. */
	expect("{\"driver\":\"edu\",\"addr\":240}", "edu", "", 30, "");
	/* A value that looks like a name is none. */
	expect("{\"id\":\"driver\",\"driver\":\"vgpu\"}", "vgpu", "", -1, "");
	expect("{\"id\":\"\\\"driver\\\":\\\"edu\\\"\",\"driver\":\"vgpu\"}", "vgpu", "", -1, "");
	expect("{\"driver", "", "", -1, "");
	expect("{\"driver\":", "", "", -1, "");
	expect("{\"driver\":\"vgpu", "vgpu", "", -1, "");
	expect("{\"x\\", "", "", -1, "");
}

static void reads_functions(void **state)
{
	static const struct {
		const char *text;
		int slot, function;
	} cases[] = {
		{ "vgpu,addr=1.7", 1, 7 },
		{ "vgpu,addr=0x1f.0x5", 0x1f, 5 },
		{ "vgpu,addr=1f", 0x1f, 0 },
		{ "{\"driver\":\"vgpu\",\"addr\":15}", 1, 7 },
		{ "{\"driver\":\"vgpu\",\"addr\":\"1.7\"}", 1, 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DEVICE_OPTION_AUTO struct device_option option = { .slot = -1 };

		assert_int_equal(device_option_parse(cases[i].text, &option), 0);
		assert_int_equal(option.slot, cases[i].slot);
		assert_int_equal(option.function, cases[i].function);
	}
}

static void writes_what_it_reads(void **state)
{
	static const char link[] = "/run/a,b,,c/x.sock";
	VGPU_AUTO_FREE char *text = device_option_format(link, UINT64_C(1) << 28, "pci.0", 0x1f, 0);
	VGPU_AUTO_FREE char *function = device_option_format("/x", 1, "pci.0", 1, 7);
	DEVICE_OPTION_AUTO struct device_option option = { .slot = -1 };
	uint64_t size;

	(void)state;
	assert_non_null(text);
	assert_string_equal(text, "vgpu,id=vgpu0,link=/run/a,,b,,,,c/x.sock,window-size=256M,"
				  "bus=pci.0,addr=0x1f");
	assert_int_equal(device_option_parse(text, &option), 0);
	assert_string_equal(option.link, link);
	assert_int_equal(option.slot, 0x1f);
	assert_int_equal(device_size_parse(option.window_size, &size), 0);
	assert_true(size == UINT64_C(1) << 28);
	assert_string_equal(function, "vgpu,id=vgpu0,link=/x,window-size=1,bus=pci.0,addr=0x1.0x7");
}

static void sizes_are_read_strictly(void **state)
{
	static const char *const wrong[] = { "",    "-1",   "+1",    " 1",   "1 ",
					     "1KB", "1kiB", "1MiBx", "0x1",  "18446744073709551616",
					     "1X",  "M",    "1Mi",   "1PiB", "16777216T" };
	uint64_t size;

	(void)state;
	assert_int_equal(device_size_parse("1", &size), 0);
	assert_true(size == 1);
	assert_int_equal(device_size_parse("3KiB", &size), 0);
	assert_true(size == 3072);
	assert_int_equal(device_size_parse("64G", &size), 0);
	assert_true(size == UINT64_C(64) << 30);
	assert_int_equal(device_size_parse("16777215TiB", &size), 0);
	assert_true(size == UINT64_C(16777215) << 40);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(device_size_parse(wrong[i], &size), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_plain_form), cmocka_unit_test(double_commas_are_one),
		cmocka_unit_test(reads_the_json_form),	cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(reads_functions),	cmocka_unit_test(sizes_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
