/* SPDX-License-Identifier: Apache-2.0 */
/* What was stored is there after closing and opening, byte for byte. */
#include <sqlite3.h>
#include <sys/stat.h>

#include "mediatord/state/state.h"
#include "tests/mediatord/plane-check.h"

static struct state *open_state(const char *path)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct state *state = NULL;

	if (state_open(path, &state, &err) < 0)
		fail_msg("%s", err->message);
	return state;
}

static struct state_vm a_vm(uint8_t n, uint32_t vm_id)
{
	struct state_vm vm = { .vm_id = vm_id, .attached = n % 2 };

	memcpy(vm.uuid, plane_uuid(n), 16);
	vm.layers[VM_HAND_DOMAIN] = plane_layer("{\"name\": \"d\", \"quotas\": {\"burst\": 5}}");
	vm.layers[VM_HAND_OPERATOR] = plane_layer("{\"weight\": 77}");
	return vm;
}

static int note(const struct state_vm *vm, void *opaque, struct vgpu_error **err)
{
	struct state_vm **next = opaque;

	(void)err;
	*(*next)++ = *vm;
	return 0;
}

static size_t read_all(struct state *state, struct state_vm vms[8])
{
	struct state_vm *next = vms;

	assert_int_equal(state_each(state, note, &next, NULL), 0);
	return (size_t)(next - vms);
}

static void records_survive(void **unused)
{
	char *folder = plane_folder(), path[128];
	struct state_vm vms[8], vm;
	struct state *state;
	struct stat st;

	(void)unused;
	plane_path(path, folder, "state.db");
	state = open_state(path);
	assert_int_equal(read_all(state, vms), 0);
	for (uint8_t n = 3; n >= 1; n--) {
		vm = a_vm(n, n * 10u);
		assert_int_equal(state_put(state, &vm, NULL), 0);
	}
	vm = a_vm(2, 21);
	vm.layers[VM_HAND_OPERATOR] = plane_layer("{}");
	assert_int_equal(state_put(state, &vm, NULL), 0);
	assert_int_equal(state_delete(state, plane_uuid(3), NULL), 0);
	assert_int_equal(state_delete(state, plane_uuid(99), NULL), 0);
	state_close(&state);
	assert_null(state);

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state = open_state(path);
	assert_int_equal(read_all(state, vms), 2);
	assert_memory_equal(vms[0].uuid, plane_uuid(1), 16);
	assert_int_equal(vms[0].vm_id, 10);
	assert_true(vms[0].attached);
	assert_string_equal(vms[0].layers[VM_HAND_DOMAIN].values.name, "d");
	assert_int_equal(vms[0].layers[VM_HAND_DOMAIN].values.quotas.burst, 5);
	assert_int_equal(vms[0].layers[VM_HAND_OPERATOR].values.weight, 77);
	assert_int_equal(vms[0].layers[VM_HAND_OPERATOR].given, UINT32_C(1) << VM_FIELD_WEIGHT);
	assert_int_equal(vms[1].vm_id, 21);
	assert_false(vms[1].attached);
	assert_int_equal(vms[1].layers[VM_HAND_OPERATOR].given, 0);
	state_close(&state);
	plane_folder_remove(folder);
}

static void a_vm_id_is_used_once(void **unused)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char *folder = plane_folder(), path[128];
	struct state_vm vms[8], vm = a_vm(1, 5);
	struct state *state;

	(void)unused;
	plane_path(path, folder, "state.db");
	state = open_state(path);
	assert_int_equal(state_put(state, &vm, NULL), 0);
	assert_int_equal(state_put(state, &vm, NULL), 0);
	vm = a_vm(2, 5);
	assert_int_equal(state_put(state, &vm, &err), -1);
	assert_int_equal(err->status, EEXIST);
	assert_int_equal(read_all(state, vms), 1);
	/* The failure leaves nothing behind that would disturb the next change. */
	vm.vm_id = 6;
	assert_int_equal(state_put(state, &vm, NULL), 0);
	assert_int_equal(read_all(state, vms), 2);
	state_close(&state);
	plane_folder_remove(folder);
}

static void a_record_that_does_not_decode_is_an_error(void **unused)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	char *folder = plane_folder(), path[128];
	struct state_vm vms[8], *next = vms, vm = a_vm(1, 5);
	struct state *state;
	sqlite3 *db;

	(void)unused;
	plane_path(path, folder, "state.db");
	state = open_state(path);
	assert_int_equal(state_put(state, &vm, NULL), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "UPDATE vm SET operator = '{\"weight\": 0}'", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(state_each(state, note, &next, &err), -1);
	assert_int_equal(err->status, EILSEQ);
	assert_non_null(strstr(err->message, "weight"));
	state_close(&state);
	plane_folder_remove(folder);
}

static int count_seat(const struct state_seat *seat, void *opaque, struct vgpu_error **err)
{
	(void)seat;
	(void)err;
	++*(int *)opaque;
	return 0;
}

/* What the first version of all wrote, with a VM whose number is its uuid's last byte. */
static void the_first_version_is_brought_up_to_date(void **unused)
{
	static const char sql[] = "CREATE TABLE vm ("
				  " uuid TEXT PRIMARY KEY NOT NULL CHECK (length(uuid) = 36),"
				  " vm_id INTEGER NOT NULL UNIQUE CHECK (vm_id > 0),"
				  " attached INTEGER NOT NULL CHECK (attached IN (0, 1)),"
				  " domain TEXT NOT NULL,"
				  " operator TEXT NOT NULL"
				  ") WITHOUT ROWID;"
				  "INSERT INTO vm VALUES"
				  " ('abababab-abab-abab-abab-ababababab01', 5, 1,"
				  "  '{\"name\": \"db1\"}', '{\"weight\": 77}');"
				  "PRAGMA application_id = 0x76475055;"
				  "PRAGMA user_version = 1";
	char *folder = plane_folder(), path[128];
	struct state_vm vms[8], vm;
	struct state *state;
	sqlite3 *db;
	int seats = 0;

	(void)unused;
	plane_path(path, folder, "state.db");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	for (int i = 0; i < 2; i++) {
		state = open_state(path);
		assert_int_equal(read_all(state, vms), 1);
		assert_memory_equal(vms[0].uuid, plane_uuid(1), 16);
		assert_int_equal(vms[0].vm_id, 5);
		assert_true(vms[0].attached);
		assert_int_equal(vms[0].hold, VM_HOLD_NONE);
		assert_string_equal(vms[0].layers[VM_HAND_DOMAIN].values.name, "db1");
		assert_int_equal(vms[0].layers[VM_HAND_OPERATOR].values.weight, 77);
		assert_int_equal(vms[0].layers[VM_HAND_CLOUDSTACK].given, 0);
		assert_int_equal(state_each_seat(state, count_seat, &seats, NULL), 0);
		assert_int_equal(seats, 0);
		state_close(&state);
	}
	state = open_state(path);
	vm = a_vm(2, 6);
	vm.layers[VM_HAND_CLOUDSTACK] = plane_layer("{\"weight\": 3}");
	assert_int_equal(state_put(state, &vm, NULL), 0);
	assert_int_equal(read_all(state, vms), 2);
	assert_int_equal(vms[1].layers[VM_HAND_CLOUDSTACK].values.weight, 3);
	state_close(&state);
	plane_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_survive),
		cmocka_unit_test(a_vm_id_is_used_once),
		cmocka_unit_test(a_record_that_does_not_decode_is_an_error),
		cmocka_unit_test(the_first_version_is_brought_up_to_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
