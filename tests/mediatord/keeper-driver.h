/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vgpu-keeper as a process of the test, in a folder of its own, and a mediator's end of its
 * protocol. Failures end the test; nothing waits longer than 10 s.
 */
#ifndef VGPU_TESTS_KEEPER_DRIVER_H
#define VGPU_TESTS_KEEPER_DRIVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "mediatord/keeper_protocol.h"

struct keeper_driver {
	char dir[64];
	char socket[96];
	char worker[4096];   /* the program: keeper-stand-in */
	char log[96];	     /* what the keeper says */
	pid_t pid;	     /* 0: none */
	bool passed;	     /* it gets its socket as from a service manager */
	unsigned long files; /* its limit of descriptors; 0: ours */
};

/* What SPAWN carries. */
struct keeper_bundle {
	int fds[VGPU_KEEPER_FDS];
};

/* For cmocka: *state is a struct keeper_driver, without a process yet. */
int keeper_setup(void **state);
int keeper_teardown(void **state);

/* The path of a program of the build. */
void keeper_program(char *path, size_t size, const char *name);

/* Starts the keeper, with --wait where it is not NULL, and returns when it listens. */
void keeper_launch(struct keeper_driver *driver, const char *wait);
/* Executes it without waiting for it to listen. */
void keeper_exec(struct keeper_driver *driver, const char *wait);
/* Sends it a signal and waits for its end. Returns waitpid()'s status. */
int keeper_signal(struct keeper_driver *driver, int number);
/* Waits for its end. */
int keeper_wait_end(struct keeper_driver *driver);

/* Until a process is gone: reaped by whoever has to. */
void keeper_await_gone(pid_t pid);
/* Whether a process is there, as anything but a zombie. */
bool keeper_alive(pid_t pid);

/* A connection that has said nothing yet; -1 with errno where nobody listens. */
int keeper_dial(const struct keeper_driver *driver);
/* One that was welcomed; KEPT and COMPLETE are still to come. */
int keeper_greet(const struct keeper_driver *driver);
/* One that holds nothing: COMPLETE came at once. */
int keeper_greet_empty(const struct keeper_driver *driver);

void keeper_send(int fd, const void *message, size_t length, const int *fds, size_t count);
void keeper_send_hello(int fd, uint32_t version);
void keeper_send_plain(int fd, uint32_t type, uint64_t worker);
void keeper_send_spawn(int fd, uint64_t worker, const struct keeper_bundle *bundle);

/* The next message, which must be of this type. Its descriptors, count of them, are the caller's.
 */
union vgpu_keeper_message keeper_receive(int fd, uint32_t type, int *fds, size_t count);
/* The other side has closed the connection, and said nothing more. */
void keeper_expect_end(int fd);

struct keeper_bundle keeper_bundle_new(void);
void keeper_bundle_close(struct keeper_bundle *bundle);
/* A memfd with these seals. */
int keeper_memfd(size_t bytes, int seals);

/* Spawns a worker, gives the worker's end up, and returns its pid. */
pid_t keeper_spawned(int fd, uint64_t worker, struct keeper_bundle *bundle);

/* The stand-in at the other end of a control socket says who it is. */
pid_t keeper_ask(int control);
/* It is told to exit. */
void keeper_tell_exit(int control, unsigned char status);

#endif
