/* SPDX-License-Identifier: Apache-2.0 */
/* A device as tests need one: it speaks common/link.h, also wrongly. Failures end the test. */
#ifndef VGPU_TESTS_LOOP_CLIENT_H
#define VGPU_TESTS_LOOP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/link.h"
#include "tests/wait.h"

#define CLIENT_WINDOW_BYTES (UINT64_C(1) << 20)
#define CLIENT_TIMEOUT_MS   WAIT_MS

struct client {
	int fd;
	uint64_t tag;			/* of the last request */
	struct vgpu_link_config config; /* the last that arrived */
	struct vgpu_link_usage usage;
};

/* Connects, and says nothing. */
void client_connect(struct client *client, const char *path);
/* A memfd of that size with those seals. */
int client_window(uint64_t bytes, int seals);
/* Sends any bytes with at most one descriptor (-1: none). Returns 0, or -1 with errno. */
int client_send(struct client *client, const void *bytes, size_t length, int fd);
struct vgpu_link_hello client_hello(void);
/* Says, after WELCOME, that nothing is to be resumed. */
void client_begin(struct client *client);
/* Connects, says HELLO, takes WELCOME and the first CONFIG, and resumes nothing. */
void client_open(struct client *client, const char *path);
void client_close(struct client *client);

/*
 * The next message, which must come within timeout_ms. Returns its type, 0 at the end of the
 * stream, or -1 where the time passed. CONFIG and USAGE are kept as well.
 */
int client_receive(struct client *client, union vgpu_link_message *message, int timeout_ms);
/* Skips CONFIG and USAGE. */
int client_receive_answer(struct client *client, union vgpu_link_message *message, int timeout_ms);
/* Waits for the end of the stream; false where the time passed. */
bool client_sees_end(struct client *client, int timeout_ms);

/* Makes a request of header and kernel name or parameters; returns its length. */
uint32_t client_request(uint8_t *bytes, uint32_t opcode, uint32_t flags, const uint32_t *params,
			uint32_t count);
uint32_t client_kernel(uint8_t *bytes, const char *name, uint32_t flags);

void client_submit(struct client *client, const uint8_t *bytes, uint32_t length);
/* Submits, and returns the answer's error code; the answer goes to *response where not NULL. */
uint32_t client_call(struct client *client, const uint8_t *bytes, uint32_t length,
		     struct vgpu_link_response *response);
uint32_t client_nop(struct client *client);
uint32_t client_run_kernel(struct client *client, const char *name);
/* A request of two parameters: bytes or a pointer. */
uint32_t client_memory(struct client *client, uint32_t opcode, uint64_t value);

#endif
