/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/mailbox.h"

#include <string.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "guest-agent/last_error.h"

static uint32_t reg_read(struct transport *transport, uint32_t offset)
{
	return transport->ops->read(transport, offset);
}

static void reg_write(struct transport *transport, uint32_t offset, uint32_t value)
{
	transport->ops->write(transport, offset, value);
}

/* No register that is looked at this way holds all ones; PCI reads so where nobody answers. */
bool mailbox_device_gone(struct transport *transport, uint32_t value)
{
	return value == UINT32_MAX && reg_read(transport, VGPU_REG_PROTOCOL_VER) == UINT32_MAX;
}

static enum vgpu_result gone(void)
{
	return last_error_set(VGPU_E_GONE,
			      "the vGPU no longer answers: it was unplugged, or its VM was reset");
}

/* Waits until the device is not busy. `whose` names the request for the error. */
static enum vgpu_result wait_idle(struct transport *transport, int64_t deadline, const char *whose,
				  uint32_t *status)
{
	int64_t since = vgpu_now_ns();

	for (;;) {
		*status = reg_read(transport, VGPU_REG_STATUS);
		if (*status != VGPU_STATUS_BUSY)
			break;
		if (vgpu_now_ns() >= deadline)
			return last_error_set(VGPU_E_TIMEOUT,
					      "%s is not answered yet: the timeout has passed",
					      whose);
		transport->ops->wait(transport, since, deadline);
	}
	if (*status <= VGPU_STATUS_ERROR)
		return VGPU_OK;
	if (mailbox_device_gone(transport, *status))
		return gone();
	return last_error_set(VGPU_E_PROTOCOL, "the vGPU's status register holds 0x%x", *status);
}

static void submit(struct transport *transport, const struct mailbox_request *request)
{
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	uint32_t data_offset = 32 + 4 * request->param_count;
	uint32_t length = data_offset + request->data_length;

	memset(bytes, 0, 32);
	vgpu_store32(bytes, VGPU_PROTOCOL_VERSION);
	vgpu_store32(bytes + 4, request->opcode);
	vgpu_store32(bytes + 8, request->flags);
	vgpu_store32(bytes + 12, request->param_count);
	vgpu_store32(bytes + 16, request->data_length ? data_offset : 0);
	vgpu_store32(bytes + 20, request->data_length);
	for (uint32_t i = 0; i < request->param_count; i++)
		vgpu_store32(bytes + 32 + 4 * i, request->params[i]);
	if (request->data_length)
		memcpy(bytes + data_offset, request->data, request->data_length);
	/* The last word may be written in part: what follows the request must not be old memory. */
	while (length % 4)
		bytes[length++] = 0;

	reg_write(transport, VGPU_REG_REQUEST_LEN, data_offset + request->data_length);
	for (uint32_t i = 0; i < length; i += 4)
		reg_write(transport, VGPU_REG_REQUEST_BUF + i, vgpu_load32(bytes + i));
	/* The registers are uncached, so they are written in order; this orders the compiler. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	reg_write(transport, VGPU_REG_DOORBELL, 1);
}

static enum vgpu_result bad_response(const char *what, uint32_t value)
{
	return last_error_set(VGPU_E_PROTOCOL, "the vGPU's response makes no sense: %s is %u", what,
			      value);
}

/* Copies the response out of the registers once, and checks the copy. */
static enum vgpu_result read_response(struct transport *transport,
				      struct mailbox_response *response, uint32_t error_code)
{
	uint8_t bytes[VGPU_MAILBOX_BYTES];
	uint32_t length = reg_read(transport, VGPU_REG_RESPONSE_LEN);
	uint32_t offset;

	response->result_count = 0;
	response->data_length = 0;
	response->exec_time_us = 0;
	/* The device's own errors have no response. */
	if (length == 0 && error_code != VGPU_ERR_NONE)
		return VGPU_OK;
	if (length < 32 || length > VGPU_MAILBOX_BYTES)
		return bad_response("its length", length);
	for (uint32_t i = 0; i < length; i += 4)
		vgpu_store32(bytes + i, reg_read(transport, VGPU_REG_RESPONSE_BUF + i));
	if (vgpu_load32(bytes) >> 16 != VGPU_PROTOCOL_VERSION >> 16)
		return bad_response("its version", vgpu_load32(bytes));
	if (vgpu_load32(bytes + 4) != error_code)
		return bad_response("its status", vgpu_load32(bytes + 4));
	response->result_count = vgpu_load32(bytes + 8);
	if (response->result_count > MAILBOX_RESULTS_MAX ||
	    response->result_count > (length - 32) / 4)
		return bad_response("its result count", response->result_count);
	for (uint32_t i = 0; i < response->result_count; i++)
		response->results[i] = vgpu_load32(bytes + 32 + 4 * i);
	offset = vgpu_load32(bytes + 12);
	response->data_length = vgpu_load32(bytes + 16);
	if (!vgpu_range_ok(offset, response->data_length, length))
		return bad_response("its data length", response->data_length);
	memcpy(response->data, bytes + offset, response->data_length);
	response->exec_time_us = vgpu_load32(bytes + 20);
	return VGPU_OK;
}

static const char *cuda_error_text(uint32_t error)
{
	switch (error) {
	case 1:
		return "invalid value";
	case 2:
		return "out of memory";
	case 4:
		return "deinitialized";
	case 100:
		return "no device";
	case 201:
		return "invalid context";
	case 209:
		return "no binary for this GPU";
	case 400:
		return "invalid handle";
	case 500:
		return "not found";
	case 700:
		return "illegal address";
	case 701:
		return "launch out of resources";
	case 702:
		return "launch timeout";
	case 716:
		return "misaligned address";
	case 719:
		return "launch failed";
	default:
		return "see CUresult";
	}
}

/* What to do about errors whose name does not say it. */
static const char *advice(uint32_t error_code)
{
	switch (error_code) {
	case VGPU_ERR_UNAVAILABLE:
		return "; ask the host's operator to start vgpu-mediatord, or try again";
	case VGPU_ERR_QUEUE_FULL:
	case VGPU_ERR_RATE_LIMITED:
		return "; try again later";
	default:
		return "";
	}
}

static enum vgpu_result device_error(struct transport *transport,
				     const struct mailbox_response *response, uint32_t error_code)
{
	enum vgpu_result result = (enum vgpu_result)(32 + (error_code & 0xff));
	const char *text = vgpu_device_error_name(error_code);
	uint32_t cuda = 0;

	if (error_code == VGPU_ERR_NONE || error_code > 0xff)
		return last_error_set(VGPU_E_PROTOCOL,
				      "the vGPU reports an error with error code %u", error_code);
	if (error_code == VGPU_ERR_CUDA && response->result_count) {
		cuda = response->results[0];
		last_error_set(result, "%s %u (%s)", text, cuda, cuda_error_text(cuda));
	} else {
		const char *problem = NULL;

		if (error_code == VGPU_ERR_UNAVAILABLE && transport->ops->problem)
			problem = transport->ops->problem(transport);
		if (problem && *problem)
			last_error_set(result, "%s%s (%s)", text, advice(error_code), problem);
		else
			last_error_set(result, "%s%s", text, advice(error_code));
	}
	if (response->data_length)
		last_error_prefix(result, "%.*s", (int)response->data_length, response->data);
	last_error_numbers(error_code, cuda);
	return result;
}

static enum vgpu_result turn(struct transport *transport, const struct mailbox_request *request,
			     struct mailbox_response *response, int64_t deadline)
{
	enum vgpu_result result;
	uint32_t status, error_code;
	int64_t since;

	/* A process that was killed in its turn left its request to finish. */
	result = wait_idle(transport, deadline, "an earlier request", &status);
	if (result != VGPU_OK)
		return result;
	since = vgpu_now_ns();
	submit(transport, request);
	result = wait_idle(transport, deadline, "the request", &status);
	if (result != VGPU_OK)
		return result;
	if (transport->ops->answered)
		transport->ops->answered(transport, vgpu_now_ns() - since);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (status == VGPU_STATUS_IDLE)
		return last_error_set(VGPU_E_PROTOCOL,
				      "the vGPU was reset while it worked on the request");
	error_code = status == VGPU_STATUS_ERROR ? reg_read(transport, VGPU_REG_ERROR_CODE)
						 : VGPU_ERR_NONE;
	result = read_response(transport, response, error_code);
	if (result == VGPU_OK && status == VGPU_STATUS_ERROR)
		result = device_error(transport, response, error_code);
	return result;
}

enum vgpu_result mailbox_call(struct transport *transport, const struct mailbox_request *request,
			      struct mailbox_response *response, int64_t deadline)
{
	enum vgpu_result result = transport->ops->lock(transport, deadline);

	if (result != VGPU_OK)
		return result;
	result = turn(transport, request, response, deadline);
	transport->ops->unlock(transport);
	return result;
}
