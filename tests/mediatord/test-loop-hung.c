/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks a loop that hangs whether it serves is told so, and takes nobody's command along. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediatord/actions.h"
#include "tests/mediatord/loop-harness.h"

static int hold[2];
static atomic_bool held;
static atomic_uint done;

/* On the loop, which must not wait, but does here. */
static int hang(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	char byte;

	(void)mediator;
	(void)argument;
	(void)err;
	atomic_store(&held, true);
	return read(hold[0], &byte, 1) == 1 ? 0 : -1;
}

static int count(struct mediator *mediator, void *argument, struct vgpu_error **err)
{
	(void)mediator;
	(void)argument;
	(void)err;
	atomic_fetch_add(&done, 1);
	return 0;
}

static void *call_hang(void *control)
{
	control_call(control, hang, NULL, NULL);
	return NULL;
}

static void *call_count(void *control)
{
	control_call(control, count, NULL, NULL);
	return NULL;
}

static void *ping(void *control)
{
	struct vgpu_error *err = NULL;
	intptr_t status = action_ping(control, &err) < 0 ? err->status : 0;

	vgpu_error_free(&err);
	return (void *)status;
}

static void a_loop_that_hangs_is_not_ready(void **state)
{
	struct harness *harness = *state;
	void *(*const calls[])(void *) = { call_count, ping, call_count, ping };
	pthread_t threads[4], hanging;
	void *status;

	assert_int_equal(pipe(hold), 0);
	assert_null(ping(harness->control));
	assert_int_equal(pthread_create(&hanging, NULL, call_hang, harness->control), 0);
	wait_until(atomic_load(&held));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, calls[i], harness->control), 0);
	for (size_t i = 1; i < 4; i += 2) {
		assert_int_equal(pthread_join(threads[i], &status), 0);
		assert_int_equal((intptr_t)status, ETIMEDOUT);
	}
	assert_int_equal(atomic_load(&done), 0);
	assert_int_equal(write(hold[1], "", 1), 1);
	pthread_join(hanging, NULL);
	pthread_join(threads[0], NULL);
	pthread_join(threads[2], NULL);
	assert_int_equal(atomic_load(&done), 2);
	assert_null(ping(harness->control));
	close(hold[0]);
	close(hold[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_loop_that_hangs_is_not_ready, harness_setup,
						harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
