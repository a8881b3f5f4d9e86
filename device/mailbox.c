/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The mailbox: one request at a time, from the doorbell to its completion. */
#include "device/core_private.h"

#include <string.h>

void mailbox_reset(struct vgpu_core *core)
{
	memset(&core->mailbox, 0, sizeof(core->mailbox));
}

void mailbox_complete(struct vgpu_core *core, uint32_t error, const void *response, uint32_t length)
{
	struct mailbox *mailbox = &core->mailbox;

	if (length)
		memcpy(mailbox->response, response, length);
	mailbox->response_len = length;
	mailbox->error_code = error;
	mailbox->timestamp_ns = (uint64_t)(core_now(core) - core->created_ns);
	mailbox->status = error == VGPU_ERR_NONE ? VGPU_STATUS_DONE : VGPU_STATUS_ERROR;
	mailbox->interrupt_status |= 1;
	if ((mailbox->interrupt_ctrl & 1) && core->vectors > VGPU_MSIX_MAILBOX)
		core->ops.interrupt(core->opaque, VGPU_MSIX_MAILBOX);
}

static void submit(struct vgpu_core *core)
{
	struct mailbox *mailbox = &core->mailbox;

	mailbox->status = VGPU_STATUS_BUSY;
	mailbox->error_code = VGPU_ERR_NONE;
	mailbox->response_len = 0;
	memset(mailbox->response, 0, sizeof(mailbox->response));
	if (mailbox->request_len == 0)
		mailbox_complete(core, VGPU_ERR_ZERO_LENGTH, NULL, 0);
	else if (mailbox->request_len > VGPU_MAILBOX_BYTES)
		mailbox_complete(core, VGPU_ERR_TOO_LARGE, NULL, 0);
	else if (core->link.phase != LINK_UP)
		mailbox_complete(core, VGPU_ERR_UNAVAILABLE, NULL, 0);
	else
		link_submit(core, mailbox->request, mailbox->request_len);
}

void mailbox_doorbell(struct vgpu_core *core, uint32_t value)
{
	if (core->mailbox.status == VGPU_STATUS_BUSY)
		return;
	if (value & 1)
		submit(core);
	else
		core->mailbox.status = VGPU_STATUS_IDLE;
}
