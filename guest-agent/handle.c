/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/channel.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "guest-agent/last_error.h"

/* What vgpu_close() gives each request, so that closing takes no time where the host is gone. */
#define CLOSE_TIMEOUT_NS (2 * VGPU_NS_PER_SECOND)

static int64_t timeout_ns(unsigned int timeout_ms)
{
	return (timeout_ms ? timeout_ms : VGPU_TIMEOUT_DEFAULT_MS) * VGPU_NS_PER_MS;
}

static uint32_t reg_read(struct vgpu *vgpu, uint32_t offset)
{
	return vgpu->transport->ops->read(vgpu->transport, offset);
}

enum vgpu_result handle_call(struct vgpu *vgpu, const struct mailbox_request *request,
			     struct mailbox_response *response)
{
	return mailbox_call(vgpu->transport, request, response, vgpu_now_ns() + vgpu->timeout_ns);
}

static enum vgpu_result lost(void)
{
	enum vgpu_result result = last_error_set(
		VGPU_E_CONTEXT_LOST,
		"the VM's device memory was lost: its worker on the host ended, or another process "
		"of the VM reset the device");

	last_error_numbers(VGPU_ERR_CONTEXT_LOST, 0);
	return result;
}

enum vgpu_result handle_call_memory(struct vgpu *vgpu, const struct mailbox_request *request,
				    struct mailbox_response *response)
{
	enum vgpu_result result;

	if (vgpu->observe)
		return last_error_set(VGPU_E_ARGUMENT, "this handle was opened for looking only");
	if (vgpu->lost)
		return lost();
	result = handle_call(vgpu, request, response);
	if (!vgpu->allocation_count)
		return result;
	/*
	 * The generation is looked at after the request: whatever it did or refused was then done
	 * in a context that is not the one that the handle's pointers came from.
	 */
	if (result == VGPU_E_CONTEXT_LOST) {
		vgpu->lost = true;
	} else if (reg_read(vgpu, VGPU_REG_GENERATION) != vgpu->generation) {
		vgpu->lost = true;
		result = lost();
	}
	return result;
}

enum vgpu_result handle_reserve(struct vgpu *vgpu)
{
	size_t capacity = vgpu->allocation_capacity ? 2 * vgpu->allocation_capacity : 16;
	vgpu_pointer *grown;

	if (vgpu->allocation_count < vgpu->allocation_capacity)
		return VGPU_OK;
	grown = reallocarray(vgpu->allocations, capacity, sizeof(*grown));
	if (!grown)
		return last_error_set(VGPU_E_NO_MEMORY, "out of memory");
	vgpu->allocations = grown;
	vgpu->allocation_capacity = capacity;
	return VGPU_OK;
}

void handle_remember(struct vgpu *vgpu, vgpu_pointer pointer)
{
	if (!vgpu->allocation_count)
		vgpu->generation = reg_read(vgpu, VGPU_REG_GENERATION);
	vgpu->allocations[vgpu->allocation_count++] = pointer;
}

void handle_forget(struct vgpu *vgpu, vgpu_pointer pointer)
{
	/* What was allocated last is often freed first. */
	for (size_t i = vgpu->allocation_count; i-- > 0;) {
		if (vgpu->allocations[i] == pointer) {
			vgpu->allocations[i] = vgpu->allocations[--vgpu->allocation_count];
			return;
		}
	}
}

enum vgpu_result handle_expect(const struct mailbox_response *response, uint32_t results)
{
	if (response->result_count == results)
		return VGPU_OK;
	return last_error_set(VGPU_E_PROTOCOL,
			      "the vGPU's response makes no sense: it has %u results, not %u",
			      response->result_count, results);
}

static enum vgpu_result open_transport(const char *sysfs, const char *name, int64_t deadline,
				       struct transport **transport)
{
	if (!name || strcmp(name, "pci") == 0)
		return transport_pci_open(sysfs, NULL, transport);
	if (strncmp(name, "pci:", 4) == 0)
		return transport_pci_open(sysfs, name + 4, transport);
	if (strncmp(name, "local:", 6) == 0)
		return transport_local_open(name + 6, deadline, transport);
	if (strncmp(name, "file:", 5) == 0)
		return transport_file_open(name + 5, transport);
	return last_error_set(VGPU_E_ARGUMENT,
			      "'%s' is not a transport: pci, pci:ADDRESS, file:FOLDER or "
			      "local:SOCKET",
			      name);
}

/*
 * A process that was killed could not free its device memory. Whoever opens the device while
 * nobody else has it frees all that is there. That this fails is no reason not to open the device:
 * what is wrong shows in the first request.
 */
static enum vgpu_result clean_up_after_others(struct vgpu *vgpu, int64_t deadline)
{
	const struct transport_ops *ops = vgpu->transport->ops;
	const struct mailbox_request request = { .opcode = VGPU_OP_CONTEXT_RESET };
	struct mailbox_response response;
	enum vgpu_result result;
	bool alone;

	result = ops->enter(vgpu->transport, deadline, &alone);
	if (result != VGPU_OK || !alone)
		return result;
	/* Without a worker there is no memory, and asking would start one. */
	if (reg_read(vgpu, VGPU_REG_LINK_STATE) == VGPU_LINK_UP &&
	    reg_read(vgpu, VGPU_REG_WORKER_STATE) != VGPU_WORKER_NONE)
		mailbox_call(vgpu->transport, &request, &response, deadline);
	return ops->settle(vgpu->transport, vgpu_now_ns() + vgpu->timeout_ns);
}

enum vgpu_result vgpu_open(const char *transport, unsigned int flags, unsigned int timeout_ms,
			   struct vgpu **vgpu)
{
	return handle_open(TRANSPORT_SYSFS, transport, flags, timeout_ms, vgpu);
}

enum vgpu_result handle_open(const char *sysfs, const char *transport, unsigned int flags,
			     unsigned int timeout_ms, struct vgpu **vgpu)
{
	int64_t deadline = vgpu_now_ns() + timeout_ns(timeout_ms);
	enum vgpu_result result;
	struct vgpu *opened;

	if (!vgpu)
		return last_error_set(VGPU_E_ARGUMENT, "vgpu_open: vgpu is NULL");
	*vgpu = NULL;
	if (flags & ~VGPU_OPEN_OBSERVE)
		return last_error_set(VGPU_E_ARGUMENT, "vgpu_open: unknown flags 0x%x", flags);
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return last_error_set(VGPU_E_NO_MEMORY, "out of memory");
	pthread_mutex_init(&opened->mutex, NULL);
	opened->timeout_ns = timeout_ns(timeout_ms);
	opened->observe = flags & VGPU_OPEN_OBSERVE;
	result = open_transport(sysfs, transport, deadline, &opened->transport);
	if (result == VGPU_OK && !opened->observe)
		result = clean_up_after_others(opened, deadline);
	if (result != VGPU_OK) {
		vgpu_close(opened);
		return result;
	}
	*vgpu = opened;
	return VGPU_OK;
}

void vgpu_close(struct vgpu *vgpu)
{
	if (!vgpu)
		return;
	channel_close_all(vgpu);
	if (vgpu->timeout_ns > CLOSE_TIMEOUT_NS)
		vgpu->timeout_ns = CLOSE_TIMEOUT_NS;
	while (vgpu->allocation_count && !vgpu->lost) {
		if (vgpu_mem_free(vgpu, vgpu->allocations[vgpu->allocation_count - 1]) != VGPU_OK)
			break;
	}
	if (vgpu->transport)
		vgpu->transport->ops->close(vgpu->transport);
	pthread_mutex_destroy(&vgpu->mutex);
	free(vgpu->allocations);
	free(vgpu);
}

void vgpu_set_timeout(struct vgpu *vgpu, unsigned int timeout_ms)
{
	HANDLE_LOCK(vgpu);

	vgpu->timeout_ns = timeout_ns(timeout_ms);
}
