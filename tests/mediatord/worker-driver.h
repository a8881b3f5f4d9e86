/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a vgpu-worker and drives it over its socket, as the mediator does. */
#ifndef VGPU_TESTS_WORKER_DRIVER_H
#define VGPU_TESTS_WORKER_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mediatord/worker_protocol.h"
#include "tests/mediatord/request-maker.h"

/* Who the workers of tests run as, where the tests run as root. */
#define DRIVER_UID 1879048193u

/* The mediator's side: the socket, the process, and the ledger that it keeps for the VM. */
struct driver {
	int socket;
	pid_t pid;
	uint64_t quota;	       /* 0: no limit */
	uint64_t reserved;     /* bytes that the worker holds by its own word */
	unsigned int reserves; /* that it asked for */
	char *log; /* a file with its standard error; freed and removed by driver_stop() */
};

/* VGPU_BACKEND_CUDA where the environment has VGPU_TEST_BACKEND=cuda, else VGPU_BACKEND_CPU. */
uint32_t driver_backend(void);

/* Skips the test where a GPU does otherwise than the cpu backend; says what it is about. */
void driver_cpu_only(const char *reason);

/* What a first allocation of so many bytes counts: on a GPU, blocks of 2 MiB. */
uint64_t driver_footprint(uint64_t bytes);

/* PREPARE as the mediator would send it for a worker of the tests' backend. */
struct vgpu_worker_prepare driver_prepare(void);

/* Starts a worker of the built program, with these further arguments (NULL ends them; may be NULL).
 * Nothing is sent yet. */
struct driver driver_spawn(const char *const *arguments);

/* As above, with the sandbox and ids that the mediator would use; sends PREPARE and
 * START, waits for READY. *prepared, where it is not NULL, is what the worker said of its GPU. */
struct driver driver_start(uint64_t quota, struct vgpu_worker_prepared *prepared);

/* Receives PREPARED, and READY. */
struct vgpu_worker_prepared driver_receive_prepared(struct driver *driver);
void driver_receive_ready(struct driver *driver);

void driver_send(struct driver *driver, const void *message, size_t length);

/* Receives one message within 10 s; returns its length, 0 at the end of the stream. */
size_t driver_receive(struct driver *driver, union vgpu_worker_message *message);

/* Runs one request to its DONE, granting what the quota allows. */
struct vgpu_worker_done driver_run(struct driver *driver, const struct made_request *made);

/* The same, and fails the test unless it ends with this error code. */
struct vgpu_worker_done driver_expect(struct driver *driver, const struct made_request *made,
				      uint32_t error_code);

/* The same for an error 5 with this CUresult, whose text holds `word`. */
void driver_expect_cuda(struct driver *driver, const struct made_request *made, uint32_t cuda_error,
			const char *word);

/* Allocates, which must work, and returns the device pointer. */
uint64_t driver_alloc(struct driver *driver, uint64_t bytes);

/* Waits for its end, and returns what waitpid() said. */
int driver_wait(struct driver *driver);

/* Closes the socket; the worker must exit 0. Frees everything. */
void driver_stop(struct driver *driver);

/* Frees everything of a worker that has ended already. */
void driver_forget(struct driver *driver);

/* One line of /proc/PID/status has this value; and no set of capabilities holds one. */
void driver_assert_status(pid_t pid, const char *field, const char *expected);
void driver_assert_no_capabilities(pid_t pid);

/* What is in a response. */
uint32_t response_word(const struct vgpu_worker_done *done, uint32_t index);
uint64_t response_pointer(const struct vgpu_worker_done *done);
const uint8_t *response_data(const struct vgpu_worker_done *done, uint32_t *length);

#endif
