/* SPDX-License-Identifier: Apache-2.0 */
/* A VM's body is read strictly: each way to be wrong is refused, and the field is named. */
#include "tests/mediatord/plane-check.h"

/* Decodes; the answer must be 400, blame this field, and say this. */
static void refused(const char *json, size_t length, const char *field, const char *says)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name wrong;
	struct vm_layer layer;

	if (vm_layer_decode(json, length, &layer, &wrong, &err) == 0)
		fail_msg("%s: was taken", json);
	assert_int_equal(err->status, 400);
	if (strcmp(wrong.text, field) != 0 || !strstr(err->message, says))
		fail_msg("%s: blames \"%s\" and says: %s", json, wrong.text, err->message);
}

static void each_field_refuses_other_types_and_ranges(void **state)
{
	static const struct {
		const char *json, *field, *says;
	} bad[] = {
		{ "{\"name\": 1}", "name", "must be a string" },
		{ "{\"name\": null}", "name", "must be a string" },
		{ "{\"name\": \"\"}", "name", "empty" },
		{ "{\"profile\": \"  \"}", "profile", "blank" },
		{ "{\"name\": \"a/b\"}", "name", "'/'" },
		{ "{\"name\": \".\"}", "name", "'.'" },
		{ "{\"name\": \"..\"}", "name", "'..'" },
		{ "{\"name\": \"a\\nb\"}", "name", "control" },
		{ "{\"name\": \"a\\u001bb\"}", "name", "control" },
		{ "{\"profile\": \"a\\u007fb\"}", "profile", "control" },
		{ "{\"pool\": \"a\\u0085b\"}", "pool", "control" },
		{ "{\"vm_id\": 0}", "vm_id", "1 to 16777215" },
		{ "{\"vm_id\": 16777216}", "vm_id", "1 to 16777215" },
		{ "{\"vm_id\": -1}", "vm_id", "-1" },
		{ "{\"vm_id\": \"1\"}", "vm_id", "must be an integer" },
		{ "{\"vm_id\": 1.0}", "vm_id", "must be an integer" },
		{ "{\"vm_id\": true}", "vm_id", "must be an integer" },
		{ "{\"profile\": []}", "profile", "must be a string" },
		{ "{\"profile\": \"\"}", "profile", "empty" },
		{ "{\"pool\": {}}", "pool", "must be a string" },
		{ "{\"pool\": \"a\\tb\"}", "pool", "control" },
		{ "{\"priority\": 2}", "priority", "\"low\"" },
		{ "{\"priority\": \"urgent\"}", "priority", "\"low\"" },
		{ "{\"priority\": \"LOW\"}", "priority", "\"low\"" },
		{ "{\"weight\": 0}", "weight", "1 to 10000" },
		{ "{\"weight\": 10001}", "weight", "1 to 10000" },
		{ "{\"weight\": 99999999999999999999}", "weight", "too large" },
		{ "{\"quotas\": {\"burst\": 1e400", "quotas.burst", "too large" },
		{ "{\"link_uid\": -1}", "link_uid", "0 to 4294967294" },
		{ "{\"link_uid\": 4294967295}", "link_uid", "0 to 4294967294" },
		{ "{\"quotas\": []}", "quotas", "must be an object" },
		{ "{\"quotas\": null}", "quotas", "must be an object" },
		{ "{\"quotas\": {\"gpu_memory_bytes\": 1125899906842625}}",
		  "quotas.gpu_memory_bytes", "1125899906842624" },
		{ "{\"quotas\": {\"gpu_memory_bytes\": 9223372036854775807}}",
		  "quotas.gpu_memory_bytes", "1125899906842624" },
		{ "{\"quotas\": {\"window_bytes\": -5}}", "quotas.window_bytes", "-5" },
		{ "{\"quotas\": {\"gpu_time_guaranteed_percent\": 101}}",
		  "quotas.gpu_time_guaranteed_percent", "0 to 100" },
		{ "{\"quotas\": {\"gpu_time_max_percent\": 101}}", "quotas.gpu_time_max_percent",
		  "0 to 100" },
		{ "{\"quotas\": {\"requests_per_second\": 1000000001}}",
		  "quotas.requests_per_second", "1000000000" },
		{ "{\"quotas\": {\"burst\": 1e3}}", "quotas.burst", "must be an integer" },
		{ "{\"quotas\": {\"queue_depth\": 65537}}", "quotas.queue_depth", "65536" },
		{ "{\"quotas\": {\"channels\": 33}}", "quotas.channels", "0 to 32" },
		{ "{\"quotas\": {\"longest_job_ms\": 86400001}}", "quotas.longest_job_ms",
		  "86400000" },
		{ "{\"quotas\": {\"burst\": 4294967297}}", "quotas.burst", "4294967297" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused(bad[i].json, strlen(bad[i].json), bad[i].field, bad[i].says);
}

static void unknown_fields_are_named(void **state)
{
	char json[300], key[200];

	(void)state;
	refused("{\"Name\": \"a\"}", 13, "Name", "unknown field \"Name\"");
	refused("{\"burst\": 1}", 12, "burst", "unknown field");
	refused("{\"quotas.burst\": 1}", 19, "quotas.burst", "unknown field");
	refused("{\"quotas\": {\"name\": 1}}", 23, "quotas.name", "unknown field");
	refused("{\"quotas\": {\"quotas\": {}}}", 26, "quotas.quotas", "unknown field");
	refused("{\"\": 1}", 7, "", "unknown field");
	refused("{\"a\\nb\\u00fc\": 1}", 17, "a?b??", "unknown field");
	/* A long one is cut off. */
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	snprintf(json, sizeof(json), "{\"%s\": 1}", key);
	key[sizeof(((struct vm_field_name *)0)->text) - 1] = '\0';
	refused(json, strlen(json), key, "unknown field");
}

static void a_name_is_any_of_libvirts(void **state)
{
	static const char *const names[] = {
		" ",	" a",	"a b",	 "-x",	      "a\"b'c",		  "%s%n",	 "...",
		"a\tb", "a\rb", "a\x7f", "a\xc2\x9b", "\xf0\x9f\x98\x80", "${HOME}`id`", "<&>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		json_t *json = json_pack("{s:s}", "name", names[i]);
		char *text = json_dumps(json, 0);
		struct vm_layer layer = plane_layer(text);

		assert_string_equal(layer.values.name, names[i]);
		free(text);
		json_decref(json);
	}
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"{",
		"}",
		"{\"name\"",
		"{\"name\": \"a\"",
		"{\"name\": \"a\"} x",
		"{}{}",
		"{'name': 1}",
		"{name: 1}",
		"{\"weight\": 1,}",
		"nul",
		"{\"weight\": 01}",
		"\xef\xbb\xbf{}",
		"// x\n{}",
	};
	static const char duplicate[] = "{\"weight\": 1, \"weight\": 1}";
	static const char escaped_nul[] = "{\"name\": \"a\\u0000b\"}";
	static const char nul_key[] = "{\"na\\u0000me\": \"a\"}";
	static const char nul[] = "{\"name\": \"a\0b\"}";
	static const char nul_after[] = "{}\0";
	static const char surrogate[] = "{\"name\": \"\\ud800\"}";
	static const char utf8[] = "{\"name\": \"a\xff\"}";
	static const char overlong[] = "{\"name\": \"a\xc0\xaf\"}";
	char *deep = malloc(100000);

	(void)state;
	assert_non_null(deep);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused(bad[i], strlen(bad[i]), "", "not valid JSON");
	refused(duplicate, sizeof(duplicate) - 1, "weight", "weight is there twice");
	refused(escaped_nul, sizeof(escaped_nul) - 1, "", "\\u0000");
	refused(nul_key, sizeof(nul_key) - 1, "", "\\u0000");
	refused(nul, sizeof(nul) - 1, "", "not valid JSON");
	refused(nul_after, sizeof(nul_after) - 1, "", "not valid JSON");
	refused(surrogate, sizeof(surrogate) - 1, "", "not valid JSON");
	refused(utf8, sizeof(utf8) - 1, "", "not valid JSON");
	refused(overlong, sizeof(overlong) - 1, "", "not valid JSON");
	memset(deep, '[', 100000);
	refused(deep, 100000, "", "depth");
	free(deep);
	refused("[]", 2, "", "must be a JSON object");
	refused("null", 4, "", "not valid JSON");
	refused("\"name\"", 6, "", "not valid JSON");
	/* A truncated body, at every byte. */
	for (size_t length = 1; length < sizeof(duplicate) - 16; length++)
		refused("{\"weight\": 1}", length < 13 ? length : 12, "", "not valid JSON");
}

static void lengths_are_limited(void **state)
{
	char json[400], text[300];

	(void)state;
	memset(text, 'n', sizeof(text));
	text[VGPU_VM_NAME_MAX] = '\0';
	snprintf(json, sizeof(json), "{\"name\": \"%s\"}", text);
	assert_string_equal(plane_layer(json).values.name, text);
	snprintf(json, sizeof(json), "{\"name\": \"%sn\"}", text);
	refused(json, strlen(json), "name", "256 bytes, at most 255");
	text[VGPU_PROFILE_NAME_MAX] = '\0';
	snprintf(json, sizeof(json), "{\"profile\": \"%sn\"}", text);
	refused(json, strlen(json), "profile", "too long");
	text[VGPU_POOL_NAME_MAX] = '\0';
	snprintf(json, sizeof(json), "{\"pool\": \"%sn\"}", text);
	refused(json, strlen(json), "pool", "too long");
}

static void nothing_is_an_empty_layer(void **state)
{
	(void)state;
	assert_int_equal(plane_layer("").given, 0);
	assert_int_equal(plane_layer("{}").given, 0);
	assert_int_equal(plane_layer(" {\"quotas\": {}}\n").given, 0);
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
	static const char *const good[] = {
		"{\"quotas\":{}}",
		"{\"name\":\"i-2-15-VM\",\"quotas\":{}}",
		"{\"name\":\"m\xc3\xbcnchen \xe2\x9c\x93\",\"quotas\":{\"burst\":0}}",
		"{\"name\":\"n\",\"vm_id\":16777215,\"profile\":\"gold\",\"pool\":\"B\","
		"\"priority\":\"high\",\"weight\":10000,\"link_uid\":4294967294,\"quotas\":{"
		"\"gpu_memory_bytes\":1125899906842624,\"window_bytes\":1125899906842624,"
		"\"gpu_time_guaranteed_percent\":100,\"gpu_time_max_percent\":100,"
		"\"requests_per_second\":1000000000,\"burst\":1000000000,\"queue_depth\":65536,"
		"\"channels\":32,\"longest_job_ms\":86400000}}",
		"{\"vm_id\":1,\"priority\":\"low\",\"weight\":1,\"link_uid\":0,\"quotas\":{"
		"\"gpu_memory_bytes\":0,\"longest_job_ms\":0}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct vm_layer layer = plane_layer(good[i]);
		char *text = vm_layer_encode(&layer);

		assert_string_equal(text, good[i]);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_refuses_other_types_and_ranges),
		cmocka_unit_test(unknown_fields_are_named),
		cmocka_unit_test(a_name_is_any_of_libvirts),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(lengths_are_limited),
		cmocka_unit_test(nothing_is_an_empty_layer),
		cmocka_unit_test(what_is_encoded_decodes_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
