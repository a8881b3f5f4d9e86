/* SPDX-License-Identifier: Apache-2.0 */
/* A mediator for tests: the other end of a vGPU's link, moved by the test step by step. */
#ifndef VGPU_TESTS_QEMU_MEDIATOR_H
#define VGPU_TESTS_QEMU_MEDIATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/link.h"

struct mediator {
	int listener;
	int link;   /* the device's, or -1 */
	int window; /* its memfd, or -1 */
	struct vgpu_link_hello hello;
};

/* Listens at the path, which must be free. */
void mediator_listen(struct mediator *mediator, const char *path);
/* Waits for a device and its HELLO, and checks both. */
void mediator_accept(struct mediator *mediator);
void mediator_welcome(struct mediator *mediator);
/* Sends a CONFIG with values that no reset value equals. */
void mediator_config(struct mediator *mediator, uint64_t context);
void mediator_refuse(struct mediator *mediator, uint32_t reason, const char *text);
/* accept, welcome and config. */
void mediator_serve(struct mediator *mediator);

/* Waits for the next message that is not a RESET, or for a RESET. */
void mediator_receive_request(struct mediator *mediator, struct vgpu_link_request *request);
void mediator_receive_reset(struct mediator *mediator);
/* Waits for a RESUME, which must name this many channels: those of these OPENs, in their order. */
void mediator_receive_resume(struct mediator *mediator, uint32_t count,
			     const struct vgpu_link_open opens[]);
void mediator_respond(struct mediator *mediator, uint64_t tag, uint32_t error, const void *bytes,
		      uint32_t length);

/* Waits for an OPEN; fds are the doorbell's and the completion's eventfd, the caller's. */
void mediator_receive_open(struct mediator *mediator, struct vgpu_link_open *open, int fds[2]);
/* Answers it with a region at this offset. */
void mediator_opened(struct mediator *mediator, const struct vgpu_link_open *open, uint64_t region);
/* Waits for a CLOSE of this life and answers it. */
void mediator_close_channel(struct mediator *mediator, const struct vgpu_link_open *open);
/* Says that the channel broke. */
void mediator_break_channel(struct mediator *mediator, const struct vgpu_link_open *open,
			    uint32_t error);

/* Whether the device closes the link within the tests' patience. */
bool mediator_sees_end(struct mediator *mediator);
/* Closes the link, the window, or everything. */
void mediator_drop(struct mediator *mediator);
void mediator_end(struct mediator *mediator, const char *path);

#endif
