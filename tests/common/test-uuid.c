/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs are read strictly: one wrong character, one too few or one too many is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/uuid.h"

static const char good[] = "6f1f2c3d-0a1b-4c5d-8e9f-001122334455";

static void reads_and_writes_the_same(void **state)
{
	uint8_t uuid[16];
	char text[VGPU_UUID_TEXT];

	(void)state;
	assert_int_equal(vgpu_uuid_parse(good, uuid), 0);
	assert_int_equal(uuid[0], 0x6f);
	assert_int_equal(uuid[15], 0x55);
	vgpu_uuid_format(uuid, text);
	assert_string_equal(text, good);
}

static void upper_case_is_read_and_lower_case_written(void **state)
{
	uint8_t uuid[16];
	char text[VGPU_UUID_TEXT];

	(void)state;
	assert_int_equal(vgpu_uuid_parse("6F1F2C3D-0A1B-4C5D-8E9F-001122334455", uuid), 0);
	vgpu_uuid_format(uuid, text);
	assert_string_equal(text, good);
}

static void every_wrong_character_is_refused(void **state)
{
	uint8_t uuid[16];
	char text[VGPU_UUID_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		memcpy(text, good, sizeof(good));
		text[i] = text[i] == '-' ? '0' : 'g';
		assert_int_equal(vgpu_uuid_parse(text, uuid), -1);
		text[i] = '\0';
		assert_int_equal(vgpu_uuid_parse(text, uuid), -1);
	}
	assert_int_equal(vgpu_uuid_parse("6f1f2c3d-0a1b-4c5d-8e9f-0011223344550", uuid), -1);
	assert_int_equal(vgpu_uuid_parse("", uuid), -1);
	assert_int_equal(vgpu_uuid_parse("../../etc/passwd", uuid), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_the_same),
		cmocka_unit_test(upper_case_is_read_and_lower_case_written),
		cmocka_unit_test(every_wrong_character_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
