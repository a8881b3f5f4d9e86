/* SPDX-License-Identifier: Apache-2.0 */
/* One mailbox request and its response, in one turn. */
#ifndef VGPU_GUEST_MAILBOX_H
#define VGPU_GUEST_MAILBOX_H

#include "guest-agent/transport.h"

#define MAILBOX_RESULTS_MAX 16u

struct mailbox_request {
	uint32_t opcode;
	uint32_t flags;
	const uint32_t *params;
	uint32_t param_count;
	const void *data;
	uint32_t data_length;
};

struct mailbox_response {
	uint32_t results[MAILBOX_RESULTS_MAX];
	uint32_t result_count;
	uint32_t data_length;
	uint32_t exec_time_us;
	uint8_t data[VGPU_MAILBOX_BYTES];
};

/*
 * Submits a request, which must fit the mailbox, and waits for its response until deadline.
 * Anything but a success of the device is returned as what it means, with the mediator's text as
 * the error.
 */
enum vgpu_result mailbox_call(struct transport *transport, const struct mailbox_request *request,
			      struct mailbox_response *response, int64_t deadline);

/* Whether what was read is what a device that is no longer there reads as. */
bool mailbox_device_gone(struct transport *transport, uint32_t value);

#endif
