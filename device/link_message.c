/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The one place that decides whether a message of the mediator is what the protocol allows. */
#include "device/core_private.h"

#include <string.h>

static bool terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static const char *check_config(const struct vgpu_link_config *config)
{
	if (config->priority > VGPU_PRIORITY_HIGH)
		return "a CONFIG with a priority above 2";
	if (config->worker_state > VGPU_WORKER_FAILED)
		return "a CONFIG with an unknown worker state";
	if (!terminated(config->gpu_name, sizeof(config->gpu_name)))
		return "a CONFIG whose GPU name has no end";
	if (!terminated(config->pool_name, sizeof(config->pool_name)))
		return "a CONFIG whose pool name has no end";
	if (!terminated(config->vm_name, sizeof(config->vm_name)))
		return "a CONFIG whose VM name has no end";
	return NULL;
}

static const char *check_response(const struct vgpu_link_response *response, size_t length)
{
	const size_t head = offsetof(struct vgpu_link_response, data);

	if (length < head)
		return "a RESPONSE that is cut off";
	if (response->length > VGPU_MAILBOX_BYTES)
		return "a RESPONSE with more data than the mailbox holds";
	if (length != head + response->length)
		return "a RESPONSE whose size and data length disagree";
	if (!VGPU_LINK_ERROR_KNOWN(response->error_code))
		return "a RESPONSE with an unknown error code";
	return NULL;
}

static const char *check_opened(const struct vgpu_link_opened *opened)
{
	if (opened->channel >= VGPU_CHANNELS_MAX)
		return "an OPENED for a channel that does not exist";
	if (!VGPU_LINK_ERROR_KNOWN(opened->error_code))
		return "an OPENED with an unknown error code";
	if (opened->error_code != VGPU_ERR_NONE && (opened->region || opened->region_bytes))
		return "an OPENED with both an error and a region";
	return NULL;
}

static const char *check_closed(const struct vgpu_link_closed *closed)
{
	if (closed->channel >= VGPU_CHANNELS_MAX)
		return "a CLOSED for a channel that does not exist";
	if (!VGPU_LINK_ERROR_KNOWN(closed->error_code))
		return "a CLOSED with an unknown error code";
	return NULL;
}

const char *link_message_check(const union vgpu_link_message *message, size_t length,
			       enum link_phase phase)
{
	bool welcomed = phase == LINK_WELCOMED || phase == LINK_UP;

	if (length < sizeof(message->header))
		return "a message shorter than its header";
	if (message->header.length != length)
		return "a message whose length field is not its length";
	switch (message->header.type) {
	case VGPU_MSG_WELCOME:
		if (phase != LINK_HANDSHAKE)
			return "a second WELCOME";
		if (length != sizeof(message->welcome))
			return "a WELCOME of the wrong size";
		if (message->welcome.version < 1 || message->welcome.version > VGPU_LINK_VERSION)
			return "a WELCOME with a protocol version that was not offered";
		return NULL;
	case VGPU_MSG_REFUSED:
		if (phase != LINK_HANDSHAKE)
			return "a REFUSED after WELCOME";
		if (length != sizeof(message->refused))
			return "a REFUSED of the wrong size";
		if (!terminated(message->refused.text, sizeof(message->refused.text)))
			return "a REFUSED whose text has no end";
		return NULL;
	case VGPU_MSG_CONFIG:
		if (!welcomed)
			return "a CONFIG before WELCOME";
		if (length != sizeof(message->config))
			return "a CONFIG of the wrong size";
		return check_config(&message->config);
	case VGPU_MSG_USAGE:
		if (!welcomed)
			return "a USAGE before WELCOME";
		if (length != sizeof(message->usage))
			return "a USAGE of the wrong size";
		return NULL;
	case VGPU_MSG_RESPONSE:
		if (phase != LINK_UP)
			return "a RESPONSE before any request";
		return check_response(&message->response, length);
	case VGPU_MSG_OPENED:
		if (phase != LINK_UP)
			return "an OPENED before any OPEN";
		if (length != sizeof(message->opened))
			return "an OPENED of the wrong size";
		return check_opened(&message->opened);
	case VGPU_MSG_CLOSED:
		if (phase != LINK_UP)
			return "a CLOSED before any OPEN";
		if (length != sizeof(message->closed))
			return "a CLOSED of the wrong size";
		return check_closed(&message->closed);
	default:
		return "a message of an unknown type";
	}
}

void link_text_clean(char *text, size_t size)
{
	bool ended = false;

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		ended = ended || c == '\0';
		if (ended)
			text[i] = '\0';
		else if (c < 0x20 || c == 0x7f)
			text[i] = '?';
	}
}
