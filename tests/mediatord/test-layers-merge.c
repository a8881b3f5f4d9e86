/* SPDX-License-Identifier: Apache-2.0 */
/* Operator over domain over profile, field by field, and each value shows its source. */
#include "tests/mediatord/plane-check.h"

static struct vm_merged merged;
static struct vm_field_name field;

/* Merges two JSON bodies; returns 0 or the error's status. */
static int merge(const char *domain, const char *operator_body)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct config *config = plane_config(plane_config_text);
	struct vm_layer layers[VM_HANDS];
	int status;

	layers[VM_HAND_DOMAIN] = plane_layer(domain);
	layers[VM_HAND_CLOUDSTACK] = plane_layer("{}");
	layers[VM_HAND_OPERATOR] = plane_layer(operator_body);
	memset(&merged, 0xee, sizeof(merged));
	status = vm_layers_merge(layers, config, &merged, &field, &err);
	config_free(&config);
	return status < 0 ? err->status : 0;
}

static void without_values_the_default_profiles(void **state)
{
	(void)state;
	assert_int_equal(merge("{}", "{}"), 0);
	assert_string_equal(merged.config.name, "");
	assert_int_equal(merged.config.vm_id, 0);
	assert_string_equal(merged.config.profile, "default");
	assert_string_equal(merged.config.pool, "A");
	assert_int_equal(merged.config.priority, VGPU_PRIORITY_MEDIUM);
	assert_int_equal(merged.config.weight, 100);
	assert_false(merged.config.has_link_uid);
	assert_int_equal(merged.config.quotas.gpu_memory_bytes, 1 << 30);
	assert_int_equal(merged.config.quotas.longest_job_ms, 10000);
	for (int i = 0; i < VM_FIELDS; i++)
		assert_int_equal(merged.sources[i], VM_SOURCE_DEFAULT);
}

static void a_named_profile_gives_what_nobody_else_does(void **state)
{
	(void)state;
	assert_int_equal(merge("{\"profile\": \"gold\"}", "{}"), 0);
	assert_string_equal(merged.config.profile, "gold");
	assert_string_equal(merged.config.pool, "B");
	assert_int_equal(merged.config.priority, VGPU_PRIORITY_HIGH);
	assert_int_equal(merged.config.quotas.burst, 7);
	assert_int_equal(merged.sources[VM_FIELD_PROFILE], VM_SOURCE_DOMAIN);
	assert_int_equal(merged.sources[VM_FIELD_POOL], VM_SOURCE_PROFILE);
	assert_int_equal(merged.sources[VM_FIELD_BURST], VM_SOURCE_PROFILE);
	assert_int_equal(merged.sources[VM_FIELD_NAME], VM_SOURCE_DEFAULT);
	/* The operator's profile wins, with all that follows from it. */
	assert_int_equal(merge("{\"profile\": \"gold\"}", "{\"profile\": \"default\"}"), 0);
	assert_string_equal(merged.config.pool, "A");
	assert_int_equal(merged.sources[VM_FIELD_PROFILE], VM_SOURCE_OPERATOR);
	assert_int_equal(merged.sources[VM_FIELD_POOL], VM_SOURCE_PROFILE);
	/* A profile of the domain that is not configured does not matter then. */
	assert_int_equal(merge("{\"profile\": \"lead\"}", "{\"profile\": \"gold\"}"), 0);
}

static void the_operator_wins_over_the_domain_in_each_field(void **state)
{
	static const char domain[] =
		"{\"name\":\"d\",\"vm_id\":1,\"profile\":\"gold\",\"pool\":\"A\","
		"\"priority\":\"low\",\"weight\":1,\"link_uid\":1,\"quotas\":{"
		"\"gpu_memory_bytes\":1,\"window_bytes\":1,\"gpu_time_guaranteed_percent\":1,"
		"\"gpu_time_max_percent\":1,\"requests_per_second\":1,\"burst\":1,"
		"\"queue_depth\":1,\"channels\":1,\"longest_job_ms\":1}}";
	static const char operator_body[] =
		"{\"name\":\"o\",\"vm_id\":2,\"profile\":\"default\",\"pool\":\"B\","
		"\"priority\":\"medium\",\"weight\":2,\"link_uid\":2,\"quotas\":{"
		"\"gpu_memory_bytes\":2,\"window_bytes\":2,\"gpu_time_guaranteed_percent\":2,"
		"\"gpu_time_max_percent\":2,\"requests_per_second\":2,\"burst\":2,"
		"\"queue_depth\":2,\"channels\":2,\"longest_job_ms\":2}}";
	const struct {
		const char *domain, *operator_body;
		enum vm_source source;
	} cases[] = {
		{ domain, "{}", VM_SOURCE_DOMAIN },
		{ "{}", operator_body, VM_SOURCE_OPERATOR },
		{ domain, operator_body, VM_SOURCE_OPERATOR },
	};

	(void)state;
	for (size_t c = 0; c < 3; c++) {
		bool by_domain = cases[c].source == VM_SOURCE_DOMAIN;
		uint32_t n = by_domain ? 1 : 2;
		const struct vgpu_quotas *q = &merged.config.quotas;

		assert_int_equal(merge(cases[c].domain, cases[c].operator_body), 0);
		for (int i = 0; i < VM_FIELDS; i++)
			if (i != VM_FIELD_SEAT && i != VM_FIELD_SEATS)
				assert_int_equal(merged.sources[i], cases[c].source);
		assert_string_equal(merged.config.name, by_domain ? "d" : "o");
		assert_string_equal(merged.config.profile, by_domain ? "gold" : "default");
		assert_string_equal(merged.config.pool, by_domain ? "A" : "B");
		assert_int_equal(merged.config.priority, n - 1);
		assert_int_equal(merged.config.vm_id, n);
		assert_int_equal(merged.config.weight, n);
		assert_true(merged.config.has_link_uid);
		assert_int_equal(merged.config.link_uid, n);
		assert_int_equal(q->gpu_memory_bytes, n);
		assert_int_equal(q->window_bytes, n);
		assert_int_equal(q->gpu_time_guaranteed_percent, n);
		assert_int_equal(q->gpu_time_max_percent, n);
		assert_int_equal(q->requests_per_second, n);
		assert_int_equal(q->burst, n);
		assert_int_equal(q->queue_depth, n);
		assert_int_equal(q->channels, n);
		assert_int_equal(q->longest_job_ms, n);
	}
}

static void what_is_not_configured_is_422(void **state)
{
	(void)state;
	assert_int_equal(merge("{}", "{\"profile\": \"lead\"}"), 422);
	assert_string_equal(field.text, "profile");
	assert_int_equal(merge("{\"pool\": \"Z\"}", "{}"), 422);
	assert_string_equal(field.text, "pool");
}

static void a_guarantee_above_the_maximum_is_400(void **state)
{
	(void)state;
	/* The guarantee of 50 is the profile's. */
	assert_int_equal(
		merge("{\"profile\": \"gold\"}", "{\"quotas\": {\"gpu_time_max_percent\": 49}}"),
		400);
	assert_string_equal(field.text, "quotas.gpu_time_guaranteed_percent");
	assert_int_equal(
		merge("{\"profile\": \"gold\"}", "{\"quotas\": {\"gpu_time_max_percent\": 50}}"),
		0);
	assert_int_equal(
		merge("{\"profile\": \"gold\"}", "{\"quotas\": {\"gpu_time_max_percent\": 0}}"), 0);
}

/* Merges and admits two JSON bodies; returns 0 or the error's status. */
static int admit(const char *domain, const char *operator_body)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct config *config = plane_config(plane_config_text);
	int status;

	assert_int_equal(merge(domain, operator_body), 0);
	status = vm_layers_admit(&merged, config, &field, &err);
	config_free(&config);
	return status < 0 ? err->status : 0;
}

static void a_domains_priority_is_not_above_its_profiles(void **state)
{
	(void)state;
	assert_int_equal(admit("{}", "{}"), 0);
	assert_int_equal(admit("{\"priority\": \"medium\"}", "{}"), 0);
	assert_int_equal(admit("{\"priority\": \"low\"}", "{}"), 0);
	assert_int_equal(admit("{\"priority\": \"high\", \"profile\": \"gold\"}", "{}"), 0);
	assert_int_equal(admit("{\"priority\": \"high\"}", "{}"), 422);
	assert_string_equal(field.text, "priority");
	/* By the profile that is in force. */
	assert_int_equal(admit("{\"priority\": \"high\"}", "{\"profile\": \"gold\"}"), 0);
	assert_int_equal(admit("{\"priority\": \"high\", \"profile\": \"gold\"}",
			       "{\"profile\": \"default\"}"),
			 422);
	/* The operator may say what he likes. */
	assert_int_equal(admit("{\"priority\": \"high\"}", "{\"priority\": \"low\"}"), 0);
	assert_int_equal(admit("{}", "{\"priority\": \"high\"}"), 0);
}

static void json_shows_values_and_sources(void **state)
{
	json_t *json = json_object(), *sources;

	(void)state;
	assert_int_equal(merge("{\"name\": \"d\", \"quotas\": {\"channels\": 3}}",
			       "{\"profile\": \"gold\"}"),
			 0);
	assert_int_equal(vm_merged_to_json(&merged, json), 0);
	sources = json_object_get(json, "sources");
	assert_string_equal(json_string_value(json_object_get(json, "priority")), "high");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(json, "quotas"), "channels")),
		3);
	assert_string_equal(json_string_value(json_object_get(sources, "quotas.channels")),
			    "domain");
	assert_string_equal(json_string_value(json_object_get(sources, "profile")), "operator");
	assert_string_equal(json_string_value(json_object_get(sources, "weight")), "profile");
	assert_string_equal(json_string_value(json_object_get(sources, "vm_id")), "default");
	assert_null(json_object_get(json, "link_uid"));
	assert_null(json_object_get(sources, "link_uid"));
	assert_int_equal(json_object_size(sources), VM_FIELDS - 3); /* no seat, no seats */
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_values_the_default_profiles),
		cmocka_unit_test(a_named_profile_gives_what_nobody_else_does),
		cmocka_unit_test(the_operator_wins_over_the_domain_in_each_field),
		cmocka_unit_test(what_is_not_configured_is_422),
		cmocka_unit_test(a_guarantee_above_the_maximum_is_400),
		cmocka_unit_test(a_domains_priority_is_not_above_its_profiles),
		cmocka_unit_test(json_shows_values_and_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
