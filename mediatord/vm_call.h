/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request in the mailbox's format that does not come from the VM's device but from another thread
 * of the mediator, which knows whose it is.
 */
#ifndef VGPU_MEDIATORD_VM_CALL_H
#define VGPU_MEDIATORD_VM_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/protocol.h"

struct mediator;

struct vm_call {
	struct vm_call *next; /* in the queue that it is in */

	uint32_t vm_id;
	const char *fault; /* why it is to be refused, or NULL; static */
	/* What it says about its VM, which is refused where that is not so. */
	bool claims;
	char pool; /* the letter */
	uint32_t priority;
	uint32_t length; /* 1 to VGPU_MAILBOX_BYTES */
	uint8_t request[VGPU_MAILBOX_BYTES];

	uint32_t error; /* VGPU_ERR_* */
	uint32_t response_length;
	uint8_t response[VGPU_MAILBOX_BYTES];

	/*
	 * Called once, by the loop's thread, with the answer in place; the call is its maker's
	 * again. Must not wait, nor ask the loop for anything.
	 */
	void (*answered)(struct vm_call *call);
};

/*
 * Hands a call to its VM: for control_call(). Returns 0, and it is answered, now or later; or -1
 * and err (ENOENT: no such VM), and it is not.
 */
int vm_call_submit(struct mediator *mediator, void *call, struct vgpu_error **err);

#endif
