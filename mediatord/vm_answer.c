/* SPDX-License-Identifier: Apache-2.0 */
/* Answers, to whoever asked. */
#include <errno.h>
#include <string.h>

#include "mediatord/link.h"
#include "mediatord/request.h"
#include "mediatord/vm.h"

/* The answer to the device's outstanding request. May drop the link, and with it all jobs. */
static void answer_device(struct vm *vm, uint64_t tag, uint32_t error, const uint8_t *response,
			  uint32_t length)
{
	const size_t head = offsetof(struct vgpu_link_response, data);
	struct vgpu_link_response message;

	if (!vm->link)
		return;
	memset(&message, 0, head);
	message.header.type = VGPU_MSG_RESPONSE;
	message.header.length = (uint32_t)(head + length);
	message.tag = tag;
	message.error_code = error;
	message.length = length;
	memcpy(message.data, response, length);
	vm->link->outstanding = false;
	if (link_send(vm->link, &message.header) < 0)
		link_drop(vm->link, errno == EAGAIN ? "it does not read its answers" : NULL);
}

void vm_answer(struct vm *vm, struct vm_asker asker, uint32_t error, const uint8_t *response,
	       uint32_t length)
{
	struct vm_call *call = asker.call;

	if (!call) {
		answer_device(vm, asker.tag, error, response, length);
		return;
	}
	call->error = error;
	call->response_length = length;
	memcpy(call->response, response, length);
	call->answered(call);
}

void vm_answer_text(struct vm *vm, struct vm_asker asker, uint32_t error, const char *text)
{
	uint8_t response[VGPU_MAILBOX_BYTES];
	uint32_t length = vgpu_response_build(response, error, NULL, 0, text, strlen(text), 0);

	vm_answer(vm, asker, error, response, length);
}

void vm_refuse(struct vm *vm, struct vm_asker asker, uint32_t error, const char *text)
{
	vm->usage.failed++;
	vm_count_refusal(vm, error);
	vm_report_usage(vm);
	vm_answer_text(vm, asker, error, text);
}
