/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is killed in the middle of writing loses nothing that it had answered: a child
 * stores VMs and tells the number of each over a pipe when state_put() has returned; it is killed
 * at a moment that differs from round to round.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "mediatord/state/state.h"
#include "tests/mediatord/plane-check.h"

#define ROUNDS 30u

static void store_until_killed(const char *path, uint32_t first, int answers)
{
	struct state *state;

	if (state_open(path, &state, NULL) < 0)
		_exit(1);
	for (uint32_t n = first;; n++) {
		struct state_vm vm = { .vm_id = n };

		memcpy(vm.uuid, &n, sizeof(n));
		vm.layers[VM_HAND_OPERATOR].given = UINT32_C(1) << VM_FIELD_WEIGHT;
		vm.layers[VM_HAND_OPERATOR].values.weight = 1 + n % 10000;
		if (state_put(state, &vm, NULL) < 0 || write(answers, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

static int count_and_check(const struct state_vm *vm, void *opaque, struct vgpu_error **err)
{
	uint32_t *count = opaque, n;

	(void)err;
	memcpy(&n, vm->uuid, sizeof(n));
	assert_int_equal(vm->vm_id, n);
	assert_int_equal(vm->layers[VM_HAND_OPERATOR].values.weight, 1 + n % 10000);
	++*count;
	return 0;
}

static void what_was_answered_is_there(void **unused)
{
	char *folder = plane_folder(), path[128];
	uint32_t stored = 0;

	(void)unused;
	plane_path(path, folder, "state.db");
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t n, last = stored, found = 0;
		struct timespec pause = { .tv_nsec = 1000000L + round * 733333L };
		struct state *state;
		int answers[2], status;
		pid_t child;

		assert_int_equal(pipe(answers), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			store_until_killed(path, stored + 1, answers[1]);
		close(answers[1]);
		/* The first answer shows that it writes; then a little more of it. */
		if (read(answers[0], &n, sizeof(n)) == sizeof(n))
			last = n;
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		while (read(answers[0], &n, sizeof(n)) == sizeof(n))
			last = n;
		close(answers[0]);
		assert_true(last > stored);

		assert_int_equal(state_open(path, &state, NULL), 0);
		assert_int_equal(state_each(state, count_and_check, &found, NULL), 0);
		/* One more may have been on its way. */
		assert_in_range(found, last, last + 1);
		stored = found;
		state_close(&state);
	}
	print_message("%u records over %u kills\n", stored, ROUNDS);
	plane_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_answered_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
