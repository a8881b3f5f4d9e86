/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real vgpu-mediatord with the real vgpu-worker, in folders of their own, and one VM that this
 * test's uid may connect to. Failures end the test.
 */
#ifndef VGPU_TESTS_LOOP_DAEMON_H
#define VGPU_TESTS_LOOP_DAEMON_H

#include <stddef.h>
#include <sys/types.h>

#define DAEMON_UUID	"6f1d6c1e-0f5e-4c55-9d3a-0123456789ab"
#define DAEMON_UID_BASE 1900000000u
#define DAEMON_VM_ID	5u

struct daemon {
	char dir[64];
	char config[128], control[128], link[128], log[128];
	char program[256];
	pid_t pid;
};

/* For cmocka's setup and teardown: *state is a struct daemon. */
int daemon_setup(void **state);
/* The same with these further lines, or others, in its configuration. */
int daemon_setup_with(void **state, const char *lines);
int daemon_teardown(void **state);

/* Starts it, and waits until it answers. */
void daemon_start(struct daemon *daemon);
/* Starts one beside it, and does not wait. */
void daemon_start_another(struct daemon *daemon, pid_t *pid);
/* Ends it with a signal; returns its status as waitpid() gives it. */
int daemon_end(struct daemon *daemon, int sig);

/* Sends one request, and puts the answer's head and body into `answer`. Returns the status. */
int daemon_http(struct daemon *daemon, const char *method, const char *path, const char *body,
		char *answer, size_t size);
/* The process of the mailbox's worker, as REST reports it. */
pid_t daemon_worker_pid(struct daemon *daemon);

/* Waits up to 5 s until a process was reaped. */
void daemon_wait_until_gone(pid_t pid);
/* How many descriptors a process has open. */
unsigned int daemon_descriptors_of(pid_t pid);

#endif
