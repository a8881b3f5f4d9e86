/* SPDX-License-Identifier: Apache-2.0 */
/* KEY=VALUE, as an operator writes it, and the body that it becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/ctl/values.h"

static void check(const char *const *words, bool of_profile, bool patch, const char *wanted)
{
	json_t *body = json_object();
	VGPU_AUTO_FREE char *text = NULL;

	for (; *words; words++) {
		VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

		if (values_add(body, *words, of_profile, patch, &err) < 0)
			fail_msg("%s: %s", *words, err->message);
	}
	text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, wanted);
	json_decref(body);
}
#define CHECK(of_profile, patch, wanted, ...)                                                      \
	check((const char *const[]){ __VA_ARGS__, NULL }, of_profile, patch, wanted)

static void test_values(void **state)
{
	(void)state;
	CHECK(false, false, "{\"name\":\"a=b\",\"priority\":\"high\",\"weight\":200}", "weight=200",
	      "priority=high", "name=a=b");
	CHECK(false, false,
	      "{\"quotas\":{\"gpu_memory_bytes\":4294967296,\"longest_job_ms\":10000}}",
	      "gpu-memory=4GiB", "longest-job=10s");
	CHECK(true, false,
	      "{\"quotas\":{\"gpu_time_guaranteed_percent\":20,\"gpu_time_max_percent\":50}}",
	      "gpu-time-guaranteed=20", "gpu-time-max=50%");
	CHECK(false, true, "{\"quotas\":{\"queue_depth\":0},\"weight\":null}",
	      "weight=", "queue-depth=0");
	CHECK(false, false, "{\"link_uid\":64055,\"vm_id\":7}", "vm-id=7", "link-uid=64055");
}

static void refuse(const char *first, const char *word, bool of_profile, bool patch,
		   const char *wanted)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	json_t *body = json_object();

	if (first)
		assert_int_equal(values_add(body, first, of_profile, patch, NULL), 0);
	assert_int_equal(values_add(body, word, of_profile, patch, &err), -1);
	assert_int_equal(err->status, EINVAL);
	if (!strstr(err->message, wanted))
		fail_msg("%s: \"%s\" has no \"%s\"", word, err->message, wanted);
	json_decref(body);
}

static void test_refusals(void **state)
{
	(void)state;
	refuse(NULL, "weight", false, true, "not KEY=VALUE");
	refuse(NULL, "wait=1", false, true, "there is no 'wait'; there are: name, vm-id");
	refuse(NULL, "name=x", true, false, "there is no 'name'; there are: pool");
	refuse(NULL, "=1", false, false, "there is no ''");
	refuse(NULL, "weight=", false, false, "weight: a value is missing");
	refuse(NULL, "weight=1.5", false, false, "no whole number");
	refuse(NULL, "weight=-1", false, false, "no whole number");
	refuse(NULL, "weight=99999999999999999999", false, false, "no whole number");
	refuse(NULL, "weight=5%", false, false, "no whole number");
	refuse(NULL, "gpu-memory=4GB", false, false, "no size");
	refuse(NULL, "gpu-memory=9007199254740992TiB", false, false, "no size");
	refuse(NULL, "gpu-memory=9223372036854775808", false, false, "too much");
	refuse(NULL, "longest-job=10", false, false, "no duration");
	refuse(NULL, "gpu-time-max=20%%", false, false, "no whole number");
	refuse(NULL, "name=\xff", false, false, "no UTF-8");
	refuse("weight=1", "weight=2", false, false, "twice");
	refuse("burst=1", "burst=", false, true, "twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
