/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing channels. A channel belongs to the process that holds its lock in the
 * transport, which goes with the process: one that is open without its lock had its owner die, and
 * is closed by whoever finds it.
 */
#include "guest-agent/channel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/condition.h"
#include "guest-agent/last_error.h"
#include "guest-agent/owner.h"
#include "guest-agent/process.h"

/* Of the handle's mutex while a state is awaited, so that other threads get turns. */
#define STEP_NS VGPU_NS_PER_MS

/* What closing may take; a worker that hangs is killed by its mediator in less. */
#define CLOSE_TIMEOUT_NS (5 * VGPU_NS_PER_SECOND)

#define CHUNK_MIN      UINT64_C(4096)
#define CHUNK_MAX      (UINT64_C(1) << 20)
#define PARAMETERS_MIN (4 * VGPU_PARAMETERS_MAX) /* that one always fits, whatever went before */
#define PARAMETERS_MAX (16 * VGPU_PARAMETERS_MAX)

static uint32_t reg_read(struct vgpu_channel *channel, uint32_t offset)
{
	struct transport *transport = channel->vgpu->transport;

	return transport->ops->read(transport, VGPU_REG_CHANNEL_BLOCK(channel->number) + offset);
}

static void reg_write(struct vgpu_channel *channel, uint32_t offset, uint32_t value)
{
	struct transport *transport = channel->vgpu->transport;

	transport->ops->write(transport, VGPU_REG_CHANNEL_BLOCK(channel->number) + offset, value);
}

static uint64_t reg_read64(struct vgpu_channel *channel, uint32_t offset)
{
	return reg_read(channel, offset) | (uint64_t)reg_read(channel, offset + 4) << 32;
}

static void reg_write64(struct vgpu_channel *channel, uint32_t offset, uint64_t value)
{
	reg_write(channel, offset, (uint32_t)value);
	reg_write(channel, offset + 4, (uint32_t)(value >> 32));
}

/*
 * Whether there is a mediator that could open or close a channel now. An unplugged device has none;
 * its state says so.
 */
static bool link_is_up(struct vgpu_channel *channel, int64_t deadline)
{
	struct transport *transport = channel->vgpu->transport;
	uint32_t state;

	HANDLE_LOCK(channel->vgpu);

	if (transport->ops->await_link)
		transport->ops->await_link(transport, deadline);
	state = transport->ops->read(transport, VGPU_REG_LINK_STATE);
	return state == VGPU_LINK_UP || state > VGPU_LINK_REFUSED;
}

/* Waits until the channel is neither opening nor closing; *state is what it is then. */
static enum vgpu_result settle(struct vgpu_channel *channel, int64_t deadline, uint32_t *state)
{
	struct transport *transport = channel->vgpu->transport;
	int64_t since = vgpu_now_ns();

	for (;;) {
		int64_t now = vgpu_now_ns();

		HANDLE_LOCK(channel->vgpu);

		if (transport->ops->refresh)
			transport->ops->refresh(transport);
		*state = reg_read(channel, VGPU_CHANNEL_STATE);
		if (*state != VGPU_CHANNEL_STATE_OPENING && *state != VGPU_CHANNEL_STATE_CLOSING)
			break;
		if (now >= deadline)
			return last_error_set(VGPU_E_TIMEOUT,
					      "the host has not %s the channel "
					      "within the timeout",
					      *state == VGPU_CHANNEL_STATE_OPENING ? "opened"
										   : "closed");
		transport->ops->wait(transport, since,
				     now + STEP_NS < deadline ? now + STEP_NS : deadline);
	}
	if (*state <= VGPU_CHANNEL_STATE_CLOSING)
		return VGPU_OK;
	return last_error_set(VGPU_E_GONE, "the vGPU no longer answers: it was unplugged");
}

/* Closes the channel as the device sees it, whosever it was. */
static enum vgpu_result close_number(struct vgpu_channel *channel, int64_t deadline)
{
	uint32_t state;
	enum vgpu_result result = settle(channel, deadline, &state);

	if (result != VGPU_OK || state == VGPU_CHANNEL_STATE_CLOSED)
		return result;
	{
		HANDLE_LOCK(channel->vgpu);

		reg_write(channel, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_CLOSE);
	}
	return settle(channel, deadline, &state);
}

/*
 * Takes a channel that nobody has. One that broke or whose owner died is closed first; a device
 * with no room for such a close in time is no reason to fail.
 */
static enum vgpu_result claim(struct vgpu_channel *channel, int64_t deadline)
{
	struct vgpu *vgpu = channel->vgpu;
	struct transport *transport = vgpu->transport;
	enum vgpu_result result = VGPU_OK;
	uint32_t channels;

	{
		HANDLE_LOCK(vgpu);

		channels = transport->ops->read(transport, VGPU_REG_CHANNELS);
		if (channels > VGPU_CHANNELS_MAX)
			channels = VGPU_CHANNELS_MAX;
	}
	for (unsigned int n = 0; n < channels; n++) {
		{
			HANDLE_LOCK(vgpu);

			if (vgpu->claimed & 1u << n || !transport->ops->claim(transport, n))
				continue;
			vgpu->claimed |= 1u << n;
		}
		channel->number = n;
		result = close_number(channel, deadline);
		if (result == VGPU_OK)
			return VGPU_OK;

		HANDLE_LOCK(vgpu);

		transport->ops->unclaim(transport, n);
		vgpu->claimed &= ~(1u << n);
	}
	if (result != VGPU_OK)
		return result;
	last_error_set(VGPU_E_CHANNEL_LIMIT, "all %u channels of the vGPU are in use", channels);
	last_error_numbers(VGPU_ERR_CHANNEL_LIMIT, 0);
	return VGPU_E_CHANNEL_LIMIT;
}

static void unclaim(struct vgpu_channel *channel)
{
	struct transport *transport = channel->vgpu->transport;

	HANDLE_LOCK(channel->vgpu);

	transport->ops->unclaim(transport, channel->number);
	channel->vgpu->claimed &= ~(1u << channel->number);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* Divides the window. Returns its size, or 0 where that is too large for any. */
static uint64_t lay_out(struct vgpu_channel *channel, uint64_t bytes)
{
	if (bytes == 0)
		bytes = VGPU_CHANNEL_WINDOW_DEFAULT;
	if (bytes > VGPU_WINDOW_SIZE_MAX)
		return 0;
	channel->window_bytes = vgpu_align_up(bytes, VGPU_RING_PAGE);
	/* Of a small window the library takes little. */
	channel->chunk_bytes =
		clamp(channel->window_bytes / 32 / CHUNK_MIN * CHUNK_MIN, CHUNK_MIN, CHUNK_MAX);
	channel->parameters = channel->window_bytes;
	channel->parameter_bytes = (uint32_t)clamp(
		channel->window_bytes / 16 / CHUNK_MIN * CHUNK_MIN, PARAMETERS_MIN, PARAMETERS_MAX);
	for (int i = 0; i < CHANNEL_CHUNKS; i++)
		channel->chunks[i].offset = channel->parameters + channel->parameter_bytes +
					    (uint64_t)i * channel->chunk_bytes;
	return channel->parameters + channel->parameter_bytes +
	       CHANNEL_CHUNKS * channel->chunk_bytes;
}

static enum vgpu_result refused(struct vgpu_channel *channel, uint32_t error)
{
	enum vgpu_result result = (enum vgpu_result)(32 + (error & 0xff));
	struct transport *transport = channel->vgpu->transport;
	const char *problem = NULL;

	if (error == VGPU_ERR_NONE)
		return last_error_set(VGPU_E_PROTOCOL,
				      "the vGPU's channel failed without a reason");
	if (error == VGPU_ERR_UNAVAILABLE && transport->ops->problem) {
		HANDLE_LOCK(channel->vgpu);

		problem = transport->ops->problem(transport);
	}
	last_error_set(result, "opening a channel: %s%s%s", vgpu_strerror(result),
		       problem && *problem ? ": " : "", problem ? problem : "");
	last_error_numbers(error, 0);
	return result;
}

/* Has the device open the channel, and reads where its memory is. */
static enum vgpu_result open_number(struct vgpu_channel *channel, uint32_t entries,
				    uint64_t window_bytes, int64_t deadline, uint64_t *region)
{
	enum vgpu_result result;
	uint32_t state, error;

	{
		HANDLE_LOCK(channel->vgpu);

		reg_write(channel, VGPU_CHANNEL_RING_ENTRIES, entries);
		reg_write64(channel, VGPU_CHANNEL_WINDOW_BYTES, window_bytes);
		reg_write(channel, VGPU_CHANNEL_OWNER, (uint32_t)getpid());
		reg_write64(channel, VGPU_CHANNEL_OWNER_START, process_start_time(0));
		reg_write(channel, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_OPEN);
	}
	result = settle(channel, deadline, &state);
	if (result != VGPU_OK)
		return result;
	{
		HANDLE_LOCK(channel->vgpu);

		error = reg_read(channel, VGPU_CHANNEL_ERROR);
		*region = reg_read64(channel, VGPU_CHANNEL_REGION);
		channel->region_bytes = reg_read64(channel, VGPU_CHANNEL_REGION_BYTES);
	}
	if (state != VGPU_CHANNEL_STATE_OPEN)
		return refused(channel, error);
	if (channel->region_bytes != vgpu_ring_window_offset(entries) + window_bytes)
		return last_error_set(VGPU_E_PROTOCOL,
				      "the vGPU's channel has %" PRIu64 " bytes of memory, not "
				      "%" PRIu64,
				      channel->region_bytes,
				      vgpu_ring_window_offset(entries) + window_bytes);
	return VGPU_OK;
}

/* Maps the channel's memory and readies all that uses it. */
static enum vgpu_result set_up(struct vgpu_channel *channel, uint32_t entries, uint64_t region)
{
	struct transport *transport = channel->vgpu->transport;
	enum vgpu_result result;
	bool combining;

	{
		HANDLE_LOCK(channel->vgpu);

		result = transport->ops->map(transport, region, channel->region_bytes,
					     &channel->region, &combining);
		if (result == VGPU_OK)
			result = transport->ops->eventfds(transport, channel->number,
							  &channel->doorbell, &channel->completion);
	}
	if (result != VGPU_OK)
		return result;
	channel->window = (uint8_t *)channel->region + vgpu_ring_window_offset(entries);
	channel->allocated.bytes = channel->window_bytes;
	return channel_queue_init(channel, entries, combining);
}

static void channel_free(struct vgpu_channel *channel)
{
	if (channel->region)
		munmap(channel->region, channel->region_bytes);
	if (channel->doorbell >= 0)
		close(channel->doorbell);
	if (channel->completion >= 0)
		close(channel->completion);
	channel_queue_free(channel);
	window_free(&channel->allocated);
	pthread_cond_destroy(&channel->moved);
	pthread_cond_destroy(&channel->chunk_freed);
	pthread_mutex_destroy(&channel->window_mutex);
	pthread_mutex_destroy(&channel->mutex);
	free(channel);
}

static struct vgpu_channel *channel_new(struct vgpu *vgpu, unsigned int flags)
{
	struct vgpu_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	channel->vgpu = vgpu;
	channel->check = flags & VGPU_CHANNEL_CHECK;
	channel->doorbell = -1;
	channel->completion = -1;
	pthread_mutex_init(&channel->mutex, NULL);
	pthread_mutex_init(&channel->window_mutex, NULL);
	vgpu_condition_init(&channel->chunk_freed);
	vgpu_condition_init(&channel->moved);
	return channel;
}

static enum vgpu_result open_channel(struct vgpu_channel *channel, uint32_t entries,
				     uint64_t window_bytes)
{
	int64_t deadline = vgpu_now_ns() + channel_timeout(channel);
	enum vgpu_result result;
	uint64_t total = lay_out(channel, window_bytes), region;

	if (total == 0)
		return last_error_set(VGPU_E_ARGUMENT,
				      "vgpu_channel_open: a window of %" PRIu64
				      " bytes: no vGPU has "
				      "that much",
				      window_bytes);
	/* Before what would wait for it: channels that are closing stay so without a mediator. */
	if (!link_is_up(channel, deadline))
		return refused(channel, VGPU_ERR_UNAVAILABLE);
	owner_close_abandoned(channel->vgpu, deadline);
	result = claim(channel, deadline);
	if (result != VGPU_OK)
		return result;
	result = open_number(channel, entries, total, deadline, &region);
	if (result == VGPU_OK)
		result = set_up(channel, entries, region);
	if (result != VGPU_OK) {
		struct last_error reason;

		last_error_save(&reason);
		close_number(channel, vgpu_now_ns() + CLOSE_TIMEOUT_NS);
		last_error_restore(&reason);
		unclaim(channel);
	}
	return result;
}

enum vgpu_result vgpu_channel_open(struct vgpu *vgpu, uint32_t entries, uint64_t window_bytes,
				   unsigned int flags, struct vgpu_channel **channel)
{
	struct vgpu_channel *opened;
	enum vgpu_result result;

	if (!channel)
		return last_error_set(VGPU_E_ARGUMENT, "vgpu_channel_open: channel is NULL");
	*channel = NULL;
	if (flags & ~VGPU_CHANNEL_CHECK)
		return last_error_set(VGPU_E_ARGUMENT, "vgpu_channel_open: unknown flags 0x%x",
				      flags);
	if (entries == 0)
		entries = VGPU_RING_ENTRIES;
	if (entries < VGPU_RING_ENTRIES_MIN || entries > VGPU_RING_ENTRIES_MAX ||
	    entries & (entries - 1))
		return last_error_set(VGPU_E_ARGUMENT,
				      "vgpu_channel_open: %u entries: not a power of two from %u "
				      "to %u",
				      entries, VGPU_RING_ENTRIES_MIN, VGPU_RING_ENTRIES_MAX);
	{
		HANDLE_LOCK(vgpu);

		if (vgpu->transport->ops->refresh)
			vgpu->transport->ops->refresh(vgpu->transport);
		if (!(vgpu->transport->ops->read(vgpu->transport, VGPU_REG_CAPABILITIES) &
		      VGPU_CAP_CHANNELS))
			return last_error_set(VGPU_E_UNSUPPORTED, "this vGPU has no channels");
	}
	opened = channel_new(vgpu, flags);
	if (!opened)
		return last_error_set(VGPU_E_NO_MEMORY, "out of memory");
	result = open_channel(opened, entries, window_bytes);
	if (result != VGPU_OK) {
		channel_free(opened);
		return result;
	}

	HANDLE_LOCK(vgpu);

	opened->next = vgpu->channels;
	vgpu->channels = opened;
	*channel = opened;
	return VGPU_OK;
}

void vgpu_channel_close(struct vgpu_channel *channel)
{
	int64_t deadline = vgpu_now_ns() + CLOSE_TIMEOUT_NS;
	struct vgpu_channel **at;

	if (!channel)
		return;
	{
		HANDLE_LOCK(channel->vgpu);

		for (at = &channel->vgpu->channels; *at != channel;)
			at = &(*at)->next;
		*at = channel->next;
	}
	/* Without a mediator the device tells the next one; that is not waited for. */
	if (!link_is_up(channel, deadline))
		deadline = 0;
	/* One that cannot be closed now is closed by its next opener. */
	close_number(channel, deadline);
	unclaim(channel);
	channel_free(channel);
}

void channel_close_all(struct vgpu *vgpu)
{
	while (vgpu->channels)
		vgpu_channel_close(vgpu->channels);
}
