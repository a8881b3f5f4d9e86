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
#include "hook/registration.h"

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
	char *text = registration_body(&info, "a", NULL);
	json_t *body = json_loads(text, 0, NULL);

	(void)state;
	assert_int_equal(json_object_size(body), 3);
	assert_string_equal(json_string_value(json_object_get(body, "name")), "a");
	assert_string_equal(json_string_value(json_object_get(body, "profile")), "gold");
	assert_string_equal(json_string_value(json_object_get(body, "priority")), "high");
	json_decref(body);
	free(text);
}

static void registers_the_quotas(void **state)
{
	struct vgpu_domain_info info = { .slot = -1 };
	const json_t *quotas;
	json_t *body;
	char *text;

	(void)state;
	info.quotas.given = (1u << VGPU_DOMAIN_QUOTAS) - 1;
	for (unsigned int i = 0; i < VGPU_DOMAIN_QUOTAS; i++)
		info.quotas.values[i] = i;
	text = registration_body(&info, "a", NULL);
	body = json_loads(text, 0, NULL);
	assert_int_equal(json_object_size(body), 2);
	quotas = json_object_get(body, "quotas");
	assert_int_equal(json_object_size(quotas), VGPU_DOMAIN_QUOTAS);
	for (unsigned int i = 0; i < VGPU_DOMAIN_QUOTAS; i++)
		assert_int_equal(
			json_integer_value(json_object_get(quotas, registration_quota_field(i))),
			i);
	json_decref(body);
	free(text);
}

#define VM "6f1f2c3d-0a1b-4c5d-8e9f-001122334455"

static enum hook_verdict judge(long status, const char *body, char message[256])
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char *copy = strdup(body);
	const struct rest_reply reply = { status, copy, strlen(copy), "" };
	enum hook_verdict verdict = hook_judge(&reply, VM, &err);

	assert_true((verdict == HOOK_ADMITTED) == (err == NULL));
	strcpy(message, err ? err->message : "");
	free(copy);
	return verdict;
}

/* Only what says that it is about the VM admits it, only a problem document refuses it. */
static void an_answer_must_be_the_mediators(void **state)
{
	static const struct {
		long status;
		const char *body;
		enum hook_verdict verdict;
		const char *message;
	} answers[] = {
		{ 200, "{\"uuid\":\"" VM "\"}", HOOK_ADMITTED, "" },
		{ 201, "{\"uuid\":\"6F1F2C3D-0A1B-4C5D-8E9F-001122334455\",\"x\":[]}",
		  HOOK_ADMITTED, "" },
		{ 200, "", HOOK_UNSERVED, "the mediator's answer is not about the VM" },
		{ 200, "<html>welcome</html>", HOOK_UNSERVED,
		  "the mediator's answer is not about the VM" },
		{ 200, "{\"uuid\":\"" VM "0\"}", HOOK_UNSERVED,
		  "the mediator's answer is not about the VM" },
		{ 200, "{\"uuid\":1}", HOOK_UNSERVED, "the mediator's answer is not about the VM" },
		{ 200, "{\"uuid\":\"" VM "\"", HOOK_UNSERVED,
		  "the mediator's answer is not about the VM" },
		{ 302, "{\"uuid\":\"" VM "\"}", HOOK_UNSERVED,
		  "the mediator answered with HTTP status 302" },
		{ 422, "{\"detail\":\"no\"}", HOOK_REFUSED, "no" },
		{ 409, "{\"title\":\"Conflict\",\"detail\":\"\"}", HOOK_REFUSED, "Conflict" },
		{ 404, "<html>not found</html>", HOOK_UNSERVED,
		  "the mediator answered with HTTP status 404" },
		{ 400, "{\"detail\":7}", HOOK_UNSERVED,
		  "the mediator answered with HTTP status 400" },
		{ 500, "{\"detail\":\"broken\"}", HOOK_UNSERVED, "broken" },
		{ 507, "{\"detail\":\"full\"}", HOOK_UNSERVED, "full" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char message[256];

		assert_int_equal(judge(answers[i].status, answers[i].body, message),
				 answers[i].verdict);
		assert_string_equal(message, answers[i].message);
	}
}

static void a_line_is_one_line(void **state)
{
	char long_message[2000];
	char *line = hook_line("a\nb\r\x1b[31m\x7f \xc2\x9b \xc3\xbc", "; c");

	(void)state;
	assert_string_equal(line, "vgpu: a?b??[31m? ?? \xc3\xbc; c");
	free(line);
	memset(long_message, 'x', sizeof(long_message) - 1);
	long_message[sizeof(long_message) - 1] = '\0';
	line = hook_line(long_message, "; end");
	assert_int_equal(strlen(line), strlen("vgpu: ") + 511 + strlen("...; end"));
	assert_string_equal(line + strlen(line) - 8, "...; end");
	free(line);
}

static void names_of_any_character_are_encoded(void **state)
{
	static const char name[] = "a\"b\\c/d\n{}\xc3\xbc\xf0\x9f\x98\x80 \x01'<&>";
	const struct vgpu_domain_info info = { .slot = -1 };
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char *text = registration_body(&info, name, &err);
	json_t *body = json_loads(text, 0, NULL);

	(void)state;
	assert_non_null(body);
	assert_string_equal(json_string_value(json_object_get(body, "name")), name);
	json_decref(body);
	free(text);
	assert_null(registration_body(&info, "\xff", &err));
	assert_string_equal(err->message, "the domain's name is not UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_start_and_end_concern_it),
		cmocka_unit_test(only_metadata_makes_it_a_vgpu),
		cmocka_unit_test(what_cannot_be_read_fails_only_for_a_vgpu),
		cmocka_unit_test(registers_what_is_said_and_no_more),
		cmocka_unit_test(registers_the_quotas),
		cmocka_unit_test(an_answer_must_be_the_mediators),
		cmocka_unit_test(a_line_is_one_line),
		cmocka_unit_test(names_of_any_character_are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
