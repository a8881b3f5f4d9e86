/* SPDX-License-Identifier: Apache-2.0 */
/* Which operations and domains concern the hook, and what it registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "hook/hook.h"

#define NS     "xmlns:v=\"" VGPU_DOMAIN_NAMESPACE "\""
#define PLAIN  "<domain type='kvm'><name>a</name></domain>"
#define ASKING "<domain><name>a</name><metadata><v:vgpu " NS " profile='gold'/></metadata></domain>"

static void only_start_and_end_concern_it(void **state)
{
	static const char *const others[][2] = {
		{ "prepare", "end" },
		{ "start", "begin" },
		{ "started", "begin" },
		{ "stopped", "end" },
		{ "release", "begin" },
		{ "migrate", "begin" },
		{ "restore", "begin" },
		{ "reconnect", "begin" },
		{ "attach", "begin" },
		{ "Prepare", "begin" },
		{ "", "" },
		{ "prepare", "" },
		{ "prepare ", "begin" },
	};

	(void)state;
	assert_int_equal(hook_action("prepare", "begin"), HOOK_REGISTER);
	assert_int_equal(hook_action("release", "end"), HOOK_RELEASE);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(hook_action(others[i][0], others[i][1]), HOOK_IGNORE);
}

static int read_domain(const char *xml, char profile[64])
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	int found = hook_read_domain(xml, strlen(xml), &domain, &info, &err);

	assert_true((found < 0) == (err != NULL));
	if (profile)
		strcpy(profile, info.profile);
	return found;
}

static void only_metadata_makes_it_a_vgpu(void **state)
{
	char profile[64];

	(void)state;
	assert_int_equal(read_domain(PLAIN, NULL), 0);
	assert_int_equal(read_domain(ASKING, profile), 1);
	assert_string_equal(profile, "gold");
	/* The namespace in a comment, a text or another element is no request. */
	assert_int_equal(read_domain("<domain><!-- " VGPU_DOMAIN_NAMESPACE " --></domain>", NULL),
			 0);
	assert_int_equal(read_domain("<domain><description>" VGPU_DOMAIN_NAMESPACE
				     "</description></domain>",
				     NULL),
			 0);
	assert_int_equal(
		read_domain("<domain><metadata><x><v:vgpu " NS "/></x></metadata></domain>", NULL),
		0);
}

/* A domain without a vGPU starts whatever is wrong with its document. */
static void what_cannot_be_read_fails_only_for_a_vgpu(void **state)
{
	(void)state;
	assert_int_equal(read_domain("", NULL), 0);
	assert_int_equal(read_domain("<domain>", NULL), 0);
	assert_int_equal(read_domain("<!DOCTYPE x><domain/>", NULL), 0);
	assert_int_equal(read_domain("<domain><uuid>x</uuid></domain>", NULL), 0);
	assert_int_equal(read_domain("<domain><v:vgpu " NS "/>", NULL), -1);
	assert_int_equal(
		read_domain("<domain><metadata><v:vgpu " NS " x='y'/></metadata></domain>", NULL),
		-1);
}

static void registers_what_is_said_and_no_more(void **state)
{
	struct vgpu_domain_info info = { .profile = "gold", .priority = "high", .slot = -1 };
	char *text = hook_registration(&info, "a", NULL);
	json_t *body = json_loads(text, 0, NULL);

	(void)state;
	assert_int_equal(json_object_size(body), 3);
	assert_string_equal(json_string_value(json_object_get(body, "name")), "a");
	assert_string_equal(json_string_value(json_object_get(body, "profile")), "gold");
	assert_string_equal(json_string_value(json_object_get(body, "priority")), "high");
	json_decref(body);
	free(text);
}

static void names_of_any_character_are_encoded(void **state)
{
	static const char name[] = "a\"b\\c/d\n{}\xc3\xbc\xf0\x9f\x98\x80 \x01'<&>";
	const struct vgpu_domain_info info = { .slot = -1 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char *text = hook_registration(&info, name, &err);
	json_t *body = json_loads(text, 0, NULL);

	(void)state;
	assert_non_null(body);
	assert_string_equal(json_string_value(json_object_get(body, "name")), name);
	json_decref(body);
	free(text);
	assert_null(hook_registration(&info, "\xff", &err));
	assert_string_equal(err->message, "the domain's name is not UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_start_and_end_concern_it),
		cmocka_unit_test(only_metadata_makes_it_a_vgpu),
		cmocka_unit_test(what_cannot_be_read_fails_only_for_a_vgpu),
		cmocka_unit_test(registers_what_is_said_and_no_more),
		cmocka_unit_test(names_of_any_character_are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
