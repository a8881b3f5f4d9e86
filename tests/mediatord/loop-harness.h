/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mediator in a thread of the test, with folders of its own, loop-fake-worker as its worker
 * program, and one VM that this test's uid may connect to. Failures end the test.
 */
#ifndef VGPU_TESTS_LOOP_HARNESS_H
#define VGPU_TESTS_LOOP_HARNESS_H

#include <pthread.h>

#include "mediatord/config.h"
#include "mediatord/control.h"
#include "tests/wait.h"

struct harness {
	char dir[64];
	char *link_path; /* of the VM */
	struct config *config;
	struct vm_config vm;
	struct control *control;
	pthread_t thread;
};

/* For cmocka's setup and teardown: *state is a struct harness. */
int harness_setup(void **state);
/*
 * The same with these lines at the end of the configuration's section [mediatord], and more; and
 * with others at the end of [scheduler].
 */
int harness_setup_with(void **state, const char *lines, const char *scheduler);
int harness_teardown(void **state);

/* Puts harness->vm in force. */
void harness_put(struct harness *harness);
struct vm_status harness_status(struct harness *harness);
/* How many descriptors this process has open. */
unsigned int harness_descriptors(void);

/* Waits for a condition on `status` (struct vm_status), which is read again and again. */
#define harness_wait(harness, status, condition)                                                   \
	wait_until(((status) = harness_status(harness), (condition)))

#endif
