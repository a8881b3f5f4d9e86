/* SPDX-License-Identifier: Apache-2.0 */
/* A full disk refuses a change with ENOSPC, changes nothing, and is over once there is room. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "mediatord/state/state.h"
#include "tests/mediatord/plane-check.h"

static int count(const struct state_vm *vm, void *opaque, struct vgpu_error **err)
{
	(void)vm;
	(void)err;
	++*(uint32_t *)opaque;
	return 0;
}

static void a_refused_change_leaves_no_trace(void **unused)
{
	char *folder = plane_folder(), path[128], wal[128];
	struct rlimit unlimited, limit;
	uint32_t stored = 0, found = 0;
	struct state *state;
	struct stat st;

	(void)unused;
	plane_path(path, folder, "state.db");
	plane_path(wal, folder, "state.db-wal");
	assert_int_equal(state_open(path, &state, NULL), 0);
	/* No file may grow beyond this: to SQLite the same as a disk that is full. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_int_equal(stat(wal, &st), 0);
	limit = unlimited;
	limit.rlim_cur = (rlim_t)st.st_size + 50000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (;;) {
		VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
		struct state_vm vm = { .vm_id = stored + 1 };

		memcpy(vm.uuid, &vm.vm_id, sizeof(vm.vm_id));
		if (state_put(state, &vm, &err) == 0) {
			stored++;
			assert_true(stored < 1000);
			continue;
		}
		if (err->status != ENOSPC)
			fail_msg("status %d: %s", err->status, err->message);
		break;
	}
	assert_true(stored > 0);
	assert_int_equal(state_each(state, count, &found, NULL), 0);
	assert_int_equal(found, stored);
	/* A removal needs room too. */
	assert_int_equal(state_delete(state, plane_uuid(1), NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);

	/* With room again the next change works, and nothing was lost. */
	{
		struct state_vm vm = { .vm_id = 5000 };

		memcpy(vm.uuid, plane_uuid(7), 16);
		assert_int_equal(state_put(state, &vm, NULL), 0);
	}
	state_close(&state);
	assert_int_equal(state_open(path, &state, NULL), 0);
	found = 0;
	assert_int_equal(state_each(state, count, &found, NULL), 0);
	assert_int_equal(found, stored + 1);
	state_close(&state);
	plane_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_change_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
