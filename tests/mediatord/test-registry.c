/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change is stored and in force, or neither. The loop is played by the test: control.h's
 * functions keep what is in force in an array, and fail when they are told to.
 */
#include "mediatord/registry/registry.h"
#include "tests/mediatord/plane-check.h"

struct control {
	struct {
		bool in_force;
		struct vm_config config;
	} vms[256]; /* by the last byte of the uuid */
	int fail;   /* an errno value for the next call, or 0 */
};

static struct control control;

int control_vm_put(struct control *c, const struct vm_config *config, struct vgpu_error **err)
{
	if (c->fail)
		return vgpu_error_set(err, c->fail, "told to fail");
	c->vms[config->uuid[15]].in_force = true;
	c->vms[config->uuid[15]].config = *config;
	return 0;
}

int control_usage_restore(struct control *c, const struct vm_usage *usage, struct vgpu_error **err)
{
	(void)c;
	(void)usage;
	(void)err;
	return 0;
}

int control_vm_delete(struct control *c, const uint8_t uuid[16], struct vgpu_error **err)
{
	if (c->fail)
		return vgpu_error_set(err, c->fail, "told to fail");
	c->vms[uuid[15]].in_force = false;
	return 0;
}

static struct {
	char *folder;
	char path[128];
	struct config *config;
	struct state *state;
	struct registry *registry;
	struct registry_vm vm; /* of the last put or get */
	struct vm_field_name field;
	bool created;
} t;

static size_t start(const char *config_text)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	memset(&control, 0, sizeof(control));
	t.config = plane_config(config_text);
	if (state_open(t.path, &t.state, &err) < 0 ||
	    registry_open(t.config, t.state, &t.registry, &err) < 0)
		fail_msg("%s", err->message);
	return registry_start(t.registry, &control);
}

static void stop(void)
{
	registry_close(&t.registry);
	state_close(&t.state);
	config_free(&t.config);
}

static int set_up(void **unused)
{
	(void)unused;
	t.folder = plane_folder();
	plane_path(t.path, t.folder, "state.db");
	start(plane_config_text);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	stop();
	plane_folder_remove(t.folder);
	return 0;
}

static const struct registry_condition no_condition;

/* Returns 0 or the error's status. */
static int put(uint8_t n, enum vm_hand hand, const char *json)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_layer layer = plane_layer(json);

	if (registry_put(t.registry, plane_uuid(n), hand, &layer, &no_condition, &t.created, &t.vm,
			 &t.field, &err) == 0)
		return 0;
	return err->status;
}

static int get(uint8_t n)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	return registry_get(t.registry, plane_uuid(n), &t.vm, &err) == 0 ? 0 : err->status;
}

static int delete (uint8_t n)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	return registry_delete(t.registry, plane_uuid(n), &no_condition, &err) == 0 ? 0
										    : err->status;
}

static int detach(uint8_t n)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

	return registry_detach(t.registry, plane_uuid(n), &err) == 0 ? 0 : err->status;
}

static size_t count(void)
{
	struct vm_text **vms;
	bool more;
	size_t n;

	assert_int_equal(registry_texts(t.registry, NULL, 256, &vms, &n, &more, NULL), 0);
	assert_false(more);
	for (size_t i = 0; i < n; i++)
		vm_text_release(&vms[i]);
	free(vms);
	return n;
}

static void a_put_is_in_force_and_survives(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"name\": \"a\", \"weight\": 5}"), 0);
	assert_true(t.created);
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"name\": \"a\", \"weight\": 6}"), 0);
	assert_false(t.created);
	assert_true(control.vms[1].in_force);
	assert_int_equal(control.vms[1].config.weight, 6);
	assert_int_equal(control.vms[1].config.vm_id, 1);
	assert_memory_equal(control.vms[1].config.uuid, plane_uuid(1), 16);
	assert_false(t.vm.stored.attached);
	stop();
	assert_int_equal(start(plane_config_text), 0);
	assert_true(control.vms[1].in_force);
	assert_int_equal(control.vms[1].config.weight, 6);
	assert_string_equal(control.vms[1].config.name, "a");
	assert_int_equal(get(1), 0);
	assert_int_equal(t.vm.merged.config.weight, 6);
}

static void a_put_replaces_all_that_the_hand_said(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"weight\": 5, \"priority\": \"low\"}"), 0);
	assert_int_equal(put(1, VM_HAND_DOMAIN, "{\"weight\": 7}"), 0);
	assert_int_equal(control.vms[1].config.weight, 5);
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{}"), 0);
	assert_int_equal(control.vms[1].config.weight, 7);
	assert_int_equal(control.vms[1].config.priority, VGPU_PRIORITY_MEDIUM);
	assert_int_equal(t.vm.merged.sources[VM_FIELD_WEIGHT], VM_SOURCE_DOMAIN);
}

static void detached_is_not_forgotten(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_DOMAIN, "{\"name\": \"d\"}"), 0);
	assert_true(t.vm.stored.attached);
	assert_int_equal(detach(1), 0);
	assert_int_equal(detach(1), 0);
	stop();
	start(plane_config_text);
	assert_int_equal(get(1), 0);
	assert_false(t.vm.stored.attached);
	assert_string_equal(t.vm.merged.config.name, "d");
	assert_true(control.vms[1].in_force);
	assert_int_equal(detach(2), 404);
}

static void a_new_vm_that_cannot_be_in_force_is_not_stored(void **unused)
{
	(void)unused;
	control.fail = EACCES;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{}"), 500);
	control.fail = EINVAL;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{}"), 422);
	control.fail = 0;
	assert_int_equal(get(1), 404);
	stop();
	start(plane_config_text);
	assert_int_equal(count(), 0);
}

static void a_change_that_cannot_be_in_force_is_taken_back(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"weight\": 5}"), 0);
	control.fail = EACCES;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"weight\": 6}"), 500);
	assert_int_equal(delete (1), 500);
	control.fail = 0;
	assert_int_equal(get(1), 0);
	assert_int_equal(t.vm.merged.config.weight, 5);
	stop();
	start(plane_config_text);
	assert_int_equal(control.vms[1].config.weight, 5);
}

static void a_refused_put_changes_nothing(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"weight\": 5}"), 0);
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"pool\": \"Z\"}"), 422);
	assert_string_equal(t.field.text, "pool");
	assert_int_equal(put(1, VM_HAND_DOMAIN, "{\"profile\": \"Z\"}"), 422);
	assert_string_equal(t.field.text, "profile");
	assert_int_equal(get(1), 0);
	assert_int_equal(t.vm.merged.config.weight, 5);
	assert_false(t.vm.stored.attached);
	assert_int_equal(put(2, VM_HAND_OPERATOR, "{\"pool\": \"Z\"}"), 422);
	assert_int_equal(get(2), 404);
}

static void ids_are_the_smallest_free_and_unique(void **unused)
{
	(void)unused;
	for (uint8_t n = 1; n <= 4; n++) {
		assert_int_equal(put(n, VM_HAND_OPERATOR, "{}"), 0);
		assert_int_equal(t.vm.merged.config.vm_id, n);
	}
	assert_int_equal(delete (2), 0);
	assert_int_equal(put(9, VM_HAND_OPERATOR, "{}"), 0);
	assert_int_equal(t.vm.merged.config.vm_id, 2);
	assert_int_equal(put(8, VM_HAND_OPERATOR, "{\"vm_id\": 3}"), 409);
	assert_string_equal(t.field.text, "vm_id");
	assert_int_equal(put(8, VM_HAND_OPERATOR, "{\"vm_id\": 5}"), 0);
	assert_int_equal(put(7, VM_HAND_OPERATOR, "{}"), 0);
	assert_int_equal(t.vm.merged.config.vm_id, 6);
	/* One that has an id keeps it where nobody gives another, also after it was given. */
	assert_int_equal(put(7, VM_HAND_OPERATOR, "{\"vm_id\": 700}"), 0);
	assert_int_equal(put(7, VM_HAND_OPERATOR, "{}"), 0);
	assert_int_equal(t.vm.merged.config.vm_id, 700);
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"vm_id\": 1}"), 0);
}

static void a_name_is_used_once(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"name\": \"a\"}"), 0);
	assert_int_equal(put(2, VM_HAND_OPERATOR, "{\"name\": \"a\"}"), 409);
	assert_string_equal(t.field.text, "name");
	/* The operator's word about VM 1 stands also against libvirt. */
	assert_int_equal(put(2, VM_HAND_DOMAIN, "{\"name\": \"a\"}"), 409);
	assert_int_equal(put(3, VM_HAND_DOMAIN, "{\"name\": \"b\"}"), 0);
	assert_int_equal(put(4, VM_HAND_DOMAIN, "{\"name\": \"b\"}"), 409);
	assert_int_equal(put(5, VM_HAND_OPERATOR, "{}"), 0);
	assert_int_equal(put(6, VM_HAND_OPERATOR, "{}"), 0);
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{}"), 0);
	assert_int_equal(put(2, VM_HAND_OPERATOR, "{\"name\": \"a\"}"), 0);
}

static void libvirt_moves_a_name_from_a_vm_that_it_does_not_run(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_DOMAIN, "{\"name\": \"a\", \"weight\": 9}"), 0);
	assert_int_equal(detach(1), 0);
	assert_int_equal(put(2, VM_HAND_OPERATOR, "{\"name\": \"a\"}"), 409);
	assert_int_equal(put(2, VM_HAND_DOMAIN, "{\"name\": \"a\"}"), 0);
	assert_string_equal(control.vms[2].config.name, "a");
	assert_string_equal(control.vms[1].config.name, "");
	assert_int_equal(control.vms[1].config.vm_id, 1);
	assert_int_equal(control.vms[1].config.weight, 9);
	stop();
	start(plane_config_text);
	assert_int_equal(get(1), 0);
	assert_string_equal(t.vm.merged.config.name, "");
	assert_int_equal(get(2), 0);
	assert_string_equal(t.vm.merged.config.name, "a");
}

static void deleted_is_gone(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{}"), 0);
	assert_int_equal(delete (1), 0);
	assert_false(control.vms[1].in_force);
	assert_int_equal(delete (1), 404);
	assert_int_equal(get(1), 404);
	stop();
	start(plane_config_text);
	assert_int_equal(count(), 0);
}

static void a_vm_that_lost_its_profile_does_not_keep_the_others_down(void **unused)
{
	(void)unused;
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"profile\": \"gold\", \"name\": \"a\"}"), 0);
	assert_int_equal(put(2, VM_HAND_OPERATOR, "{}"), 0);
	stop();
	assert_int_equal(start("[pool A]\ngpus = 0\n"), 1);
	assert_false(control.vms[1].in_force);
	assert_true(control.vms[2].in_force);
	assert_int_equal(get(1), 0);
	assert_non_null(strstr(t.vm.problem, "gold"));
	assert_int_equal(t.vm.stored.vm_id, 1);
	/* Its name stays its own; a better configuration brings it back. */
	assert_int_equal(put(3, VM_HAND_OPERATOR, "{\"name\": \"a\"}"), 409);
	assert_int_equal(put(1, VM_HAND_OPERATOR, "{\"name\": \"a\"}"), 0);
	assert_true(control.vms[1].in_force);
	assert_string_equal(t.vm.problem, "");
	assert_int_equal(control.vms[1].config.vm_id, 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_put_is_in_force_and_survives),
		TEST(a_put_replaces_all_that_the_hand_said),
		TEST(detached_is_not_forgotten),
		TEST(a_new_vm_that_cannot_be_in_force_is_not_stored),
		TEST(a_change_that_cannot_be_in_force_is_taken_back),
		TEST(a_refused_put_changes_nothing),
		TEST(ids_are_the_smallest_free_and_unique),
		TEST(a_name_is_used_once),
		TEST(libvirt_moves_a_name_from_a_vm_that_it_does_not_run),
		TEST(deleted_is_gone),
		TEST(a_vm_that_lost_its_profile_does_not_keep_the_others_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
