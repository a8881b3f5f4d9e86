/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * Channels: their registers, their states, and what link and embedder hear of them.
 *
 *   CLOSED    OPEN: OPENING, or FAILED where the device itself says no
 *   OPENING   OPENED: OPEN, or FAILED; CLOSE: CLOSING; link lost: FAILED
 *   OPEN      CLOSE: CLOSING; CLOSED with a reason: FAILED; not resumed: FAILED
 *   FAILED    CLOSE: CLOSED
 *   CLOSING   CLOSED, or an OPENED with an error: CLOSED; not resumed: CLOSED
 *
 * A life of a channel, as far as the mediator knows of one, begins when its OPEN goes into the
 * socket and has a serial from then on. It ends with an OPENED that has an error, with a CLOSED,
 * with a reset, and, while it is opening, with the link. What is open stays so without a link: its
 * worker goes on serving. The next link's RESUME names it, and what is closing, whose CLOSE is
 * repeated then. A mediator that knows no RESUME has none of them left.
 */
#include "device/core_private.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/packet.h"
#include "common/ring.h"

#define BLOCK_BYTES 0x40u

/*
 * A serial names its channel in the low bits; lives are counted above, from 1 on, over all channels
 * and links.
 */
#define SERIAL_CHANNEL_MASK (VGPU_CHANNELS_MAX - 1)
#define SERIAL_LIFE_SHIFT   5
#define SERIAL_LIFE_MAX	    (UINT32_MAX >> SERIAL_LIFE_SHIFT)

VGPU_STATIC_ASSERT(SERIAL_CHANNEL_MASK < 1u << SERIAL_LIFE_SHIFT, "a channel fits its bits");
VGPU_STATIC_ASSERT(VGPU_REG_CHANNEL_BLOCK(1) - VGPU_REG_CHANNEL_BLOCK(0) == BLOCK_BYTES, "blocks");

void channels_init(struct channels *channels)
{
	memset(channels, 0, sizeof(*channels));
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		channels->channel[n].doorbell = -1;
		channels->channel[n].completion = -1;
	}
}

static unsigned int number_of(const struct vgpu_core *core, const struct channel *channel)
{
	return (unsigned int)(channel - core->channels.channel);
}

static uint64_t region_bytes(const struct channel *channel)
{
	return vgpu_ring_window_offset(channel->entries) + channel->window_bytes;
}

static void hook(struct vgpu_core *core, const struct channel *channel, bool on)
{
	unsigned int n = number_of(core, channel);

	if (core->ops.doorbell)
		core->ops.doorbell(core->opaque, n, on ? channel->doorbell : -1);
	if (core->ops.completion)
		core->ops.completion(core->opaque, n, on ? channel->completion : -1);
}

static void close_eventfds(struct channel *channel)
{
	if (channel->doorbell >= 0)
		close(vgpu_steal_fd(&channel->doorbell));
	if (channel->completion >= 0)
		close(vgpu_steal_fd(&channel->completion));
}

/* Leaves the state with what belonged to it. Only CLOSING keeps a message to send and a serial. */
static void set_state(struct vgpu_core *core, struct channel *channel, uint32_t state)
{
	if (channel->state == VGPU_CHANNEL_STATE_OPEN)
		hook(core, channel, false);
	channel->state = state;
	switch (state) {
	case VGPU_CHANNEL_STATE_OPEN:
		channel->opens++;
		hook(core, channel, true);
		break;
	case VGPU_CHANNEL_STATE_CLOSING:
		close_eventfds(channel);
		break;
	case VGPU_CHANNEL_STATE_CLOSED:
	case VGPU_CHANNEL_STATE_FAILED:
		close_eventfds(channel);
		channel->pending = 0;
		channel->serial = 0;
		channel->placed = false;
		break;
	default:
		break;
	}
}

/* Completions came, or the state changed that a guest may wait for asleep. */
static void interrupt(struct vgpu_core *core, const struct channel *channel)
{
	unsigned int vector = 1 + number_of(core, channel);

	if (vector < core->vectors)
		core->ops.interrupt(core->opaque, vector);
}

static void fail(struct vgpu_core *core, struct channel *channel, uint32_t error)
{
	channel->error = error;
	set_state(core, channel, VGPU_CHANNEL_STATE_FAILED);
	interrupt(core, channel);
}

static void end_closing(struct vgpu_core *core, struct channel *channel)
{
	set_state(core, channel, VGPU_CHANNEL_STATE_CLOSED);
	interrupt(core, channel);
}

/* What the device itself can say against an open: VGPU_ERR_*. */
static uint32_t check_open(const struct vgpu_core *core, const struct channel *channel)
{
	uint32_t entries = channel->entries;

	if (entries < VGPU_RING_ENTRIES_MIN || entries > VGPU_RING_ENTRIES_MAX ||
	    (entries & (entries - 1)) != 0)
		return VGPU_ERR_INVALID_REQUEST;
	if (channel->window_bytes == 0 || channel->window_bytes % VGPU_RING_PAGE != 0)
		return VGPU_ERR_INVALID_REQUEST;
	/* Compared first, so that the sum cannot overflow. */
	if (channel->window_bytes > core->window_bytes ||
	    region_bytes(channel) > core->window_bytes)
		return VGPU_ERR_WINDOW_LIMIT;
	if (core->link.phase != LINK_UP)
		return VGPU_ERR_UNAVAILABLE;
	return VGPU_ERR_NONE;
}

static void open_channel(struct vgpu_core *core, struct channel *channel)
{
	uint32_t error = check_open(core, channel);

	channel->error = VGPU_ERR_NONE;
	if (error == VGPU_ERR_NONE) {
		/* Whoever held an earlier pair can neither ring this life nor hear it. */
		channel->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		channel->completion = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (channel->doorbell < 0 || channel->completion < 0) {
			core_log(core, VGPU_LOG_WARNING, "channel %u: cannot make an eventfd: %s",
				 number_of(core, channel), strerror(errno));
			error = VGPU_ERR_UNAVAILABLE;
		}
	}
	if (error != VGPU_ERR_NONE) {
		fail(core, channel, error);
		return;
	}
	channel->pending = VGPU_MSG_OPEN;
	set_state(core, channel, VGPU_CHANNEL_STATE_OPENING);
	link_flush(core);
}

static void close_channel(struct vgpu_core *core, struct channel *channel)
{
	switch (channel->state) {
	case VGPU_CHANNEL_STATE_FAILED:
		set_state(core, channel, VGPU_CHANNEL_STATE_CLOSED);
		break;
	case VGPU_CHANNEL_STATE_OPENING:
		if (channel->pending == VGPU_MSG_OPEN) {
			/* The mediator never heard of it. */
			set_state(core, channel, VGPU_CHANNEL_STATE_CLOSED);
			break;
		}
		/* fall through */
	case VGPU_CHANNEL_STATE_OPEN:
		channel->pending = VGPU_MSG_CLOSE;
		set_state(core, channel, VGPU_CHANNEL_STATE_CLOSING);
		link_flush(core);
		break;
	default: /* nothing to close, or being closed */
		break;
	}
}

void channels_link_lost(struct vgpu_core *core)
{
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		struct channel *channel = &core->channels.channel[n];

		if (channel->state == VGPU_CHANNEL_STATE_OPENING)
			fail(core, channel, VGPU_ERR_UNAVAILABLE);
		else if (channel->state == VGPU_CHANNEL_STATE_CLOSING)
			channel->pending = VGPU_MSG_CLOSE; /* it may not have been read */
	}
}

void channels_connected(struct channels *channels)
{
	channels->lives_before = channels->lives;
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		channels->channel[n].resumed = 0;
}

bool channels_placed(const struct channels *channels)
{
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		if (channels->channel[n].placed)
			return true;
	return false;
}

void channels_not_resumed(struct vgpu_core *core)
{
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		struct channel *channel = &core->channels.channel[n];

		if (channel->state == VGPU_CHANNEL_STATE_OPEN)
			fail(core, channel, VGPU_ERR_CONTEXT_LOST);
		else if (channel->state == VGPU_CHANNEL_STATE_CLOSING)
			end_closing(core, channel);
	}
}

void channels_reset(struct vgpu_core *core)
{
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		struct channel *channel = &core->channels.channel[n];

		set_state(core, channel, VGPU_CHANNEL_STATE_CLOSED);
		channel->error = VGPU_ERR_NONE;
		channel->entries = 0;
		channel->window_bytes = 0;
		channel->owner = 0;
		channel->owner_start = 0;
	}
}

int channels_send_resume(struct vgpu_core *core)
{
	struct vgpu_link_resume resume = { .header = { .type = VGPU_MSG_RESUME } };

	/* No OPEN has gone into this link's socket yet: every serial is of an earlier one. */
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		if (core->channels.channel[n].serial == 0)
			continue;
		resume.channels[resume.count].channel = n;
		resume.channels[resume.count].serial = core->channels.channel[n].serial;
		resume.count++;
	}
	resume.header.length = (uint32_t)(offsetof(struct vgpu_link_resume, channels) +
					  resume.count * sizeof(resume.channels[0]));
	if (vgpu_packet_send(core->link.fd, &resume, resume.header.length, NULL, 0) < 0)
		return -1;
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		core->channels.channel[n].resumed = core->channels.channel[n].serial;
	return 0;
}

int channels_send(struct vgpu_core *core)
{
	struct channels *channels = &core->channels;

	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		struct channel *channel = &channels->channel[n];
		uint32_t life = (uint32_t)(channels->lives % SERIAL_LIFE_MAX) + 1;
		const struct vgpu_link_open open = {
			.header = { .type = VGPU_MSG_OPEN, .length = sizeof(open) },
			.channel = n,
			.serial = life << SERIAL_LIFE_SHIFT | n,
			.window_bytes = channel->window_bytes,
			.entries = channel->entries,
		};
		const struct vgpu_link_close close = {
			.header = { .type = VGPU_MSG_CLOSE, .length = sizeof(close) },
			.channel = n,
			.serial = channel->serial,
		};
		const int fds[] = { channel->doorbell, channel->completion };
		int sent;

		if (channel->pending == 0)
			continue;
		if (channel->pending == VGPU_MSG_OPEN)
			sent = vgpu_packet_send(core->link.fd, &open, sizeof(open), fds, 2);
		else
			sent = vgpu_packet_send(core->link.fd, &close, sizeof(close), NULL, 0);
		if (sent < 0 && errno == ETOOMANYREFS) {
			/* Descriptors that others of this user have under way; the link is fine. */
			core_log(core, VGPU_LOG_WARNING, "channel %u: cannot pass its eventfds: %s",
				 n, strerror(errno));
			fail(core, channel, VGPU_ERR_UNAVAILABLE);
			continue;
		}
		if (sent < 0)
			return -1;
		if (channel->pending == VGPU_MSG_OPEN) {
			channel->serial = open.serial;
			channels->lives++;
		}
		channel->pending = 0;
	}
	return 0;
}

/* Whether this link carried an OPEN or a RESUME with this serial for the channel. */
static bool explained(const struct channels *channels, uint32_t channel, uint32_t serial)
{
	uint32_t life = serial >> SERIAL_LIFE_SHIFT;
	uint64_t age = (channels->lives + SERIAL_LIFE_MAX - life) % SERIAL_LIFE_MAX;

	if (life == 0 || (serial & SERIAL_CHANNEL_MASK) != channel)
		return false;
	return serial == channels->channel[channel].resumed ||
	       age < channels->lives - channels->lives_before;
}

/*
 * The channel whose present life a message is about. NULL where there is none: *problem is then
 * NULL for a message about an earlier life, which is ignored.
 */
static struct channel *find_life(struct channels *channels, uint32_t n, uint32_t serial,
				 const char **problem)
{
	struct channel *channel = &channels->channel[n];

	*problem = NULL;
	if (!explained(channels, n, serial))
		*problem = "a message about a channel with a serial that was never sent";
	else if (channel->serial == serial)
		return channel;
	return NULL;
}

static bool overlaps(const struct channels *channels, uint64_t region, uint64_t bytes)
{
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		const struct channel *other = &channels->channel[n];

		if (other->placed && region < other->region + region_bytes(other) &&
		    other->region < region + bytes)
			return true;
	}
	return false;
}

static const char *check_region(const struct vgpu_core *core, const struct channel *channel,
				const struct vgpu_link_opened *opened)
{
	if (opened->region_bytes != region_bytes(channel))
		return "an OPENED whose region has another size than was asked for";
	if (opened->region % VGPU_RING_PAGE != 0)
		return "an OPENED whose region does not begin at a page";
	if (!vgpu_range_ok(opened->region, opened->region_bytes, core->window_bytes))
		return "an OPENED whose region is not within the window";
	if (overlaps(&core->channels, opened->region, opened->region_bytes))
		return "an OPENED whose region is another channel's";
	return NULL;
}

const char *channels_opened(struct vgpu_core *core, const struct vgpu_link_opened *opened)
{
	const char *problem;
	struct channel *channel =
		find_life(&core->channels, opened->channel, opened->serial, &problem);

	if (!channel)
		return problem;
	if (channel->placed)
		return "a second OPENED";
	if (opened->error_code != VGPU_ERR_NONE) {
		if (channel->state == VGPU_CHANNEL_STATE_OPENING) {
			fail(core, channel, opened->error_code);
		} else {
			/* There is nothing left that a CLOSE could close. */
			end_closing(core, channel);
		}
		return NULL;
	}
	problem = check_region(core, channel, opened);
	if (problem)
		return problem;
	channel->region = opened->region;
	channel->placed = true;
	if (channel->state == VGPU_CHANNEL_STATE_OPENING) {
		set_state(core, channel, VGPU_CHANNEL_STATE_OPEN);
		interrupt(core, channel);
	}
	return NULL;
}

const char *channels_closed(struct vgpu_core *core, const struct vgpu_link_closed *closed)
{
	const char *problem;
	struct channel *channel =
		find_life(&core->channels, closed->channel, closed->serial, &problem);

	if (!channel)
		return problem;
	switch (channel->state) {
	case VGPU_CHANNEL_STATE_OPENING:
		return "a CLOSED before OPENED";
	case VGPU_CHANNEL_STATE_OPEN:
		if (closed->error_code == VGPU_ERR_NONE)
			return "a CLOSED without CLOSE or reason";
		fail(core, channel, closed->error_code);
		return NULL;
	default: /* CLOSING: it may have broken before the mediator read the CLOSE */
		end_closing(core, channel);
		return NULL;
	}
}

/* The word of a 64-bit register that an offset in the block names: LO first. */
static uint32_t half(uint64_t value, uint32_t at, uint32_t start)
{
	return (uint32_t)(at == start ? value : value >> 32);
}

static void set_half(uint64_t *value, uint32_t at, uint32_t start, uint32_t word)
{
	unsigned int shift = at == start ? 0 : 32;

	*value = (*value & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)word << shift;
}

static uint32_t read_block(const struct channel *channel, uint32_t at)
{
	bool open = channel->state == VGPU_CHANNEL_STATE_OPEN;

	switch (at) {
	case VGPU_CHANNEL_STATE:
		return channel->state;
	case VGPU_CHANNEL_ERROR:
		return channel->error;
	case VGPU_CHANNEL_OPENS:
		return channel->opens;
	case VGPU_CHANNEL_RING_ENTRIES:
		return channel->entries;
	case VGPU_CHANNEL_WINDOW_BYTES:
	case VGPU_CHANNEL_WINDOW_BYTES + 4:
		return half(channel->window_bytes, at, VGPU_CHANNEL_WINDOW_BYTES);
	case VGPU_CHANNEL_REGION:
	case VGPU_CHANNEL_REGION + 4:
		return open ? half(channel->region, at, VGPU_CHANNEL_REGION) : 0;
	case VGPU_CHANNEL_REGION_BYTES:
	case VGPU_CHANNEL_REGION_BYTES + 4:
		return open ? half(region_bytes(channel), at, VGPU_CHANNEL_REGION_BYTES) : 0;
	case VGPU_CHANNEL_OWNER:
		return channel->owner;
	case VGPU_CHANNEL_OWNER_START:
	case VGPU_CHANNEL_OWNER_START + 4:
		return half(channel->owner_start, at, VGPU_CHANNEL_OWNER_START);
	default:
		return 0;
	}
}

uint32_t channels_read(const struct vgpu_core *core, uint64_t offset)
{
	uint64_t at = offset - VGPU_REG_CHANNEL_BLOCK(0);

	if (offset < VGPU_REG_CHANNEL_BLOCK(0) || at >= VGPU_CHANNELS_MAX * BLOCK_BYTES)
		return 0;
	return read_block(&core->channels.channel[at / BLOCK_BYTES], (uint32_t)(at % BLOCK_BYTES));
}

static void write_block(struct vgpu_core *core, struct channel *channel, uint32_t at,
			uint32_t value)
{
	bool closed = channel->state == VGPU_CHANNEL_STATE_CLOSED;

	switch (at) {
	case VGPU_CHANNEL_CONTROL:
		if (value == VGPU_CHANNEL_OPEN && closed)
			open_channel(core, channel);
		else if (value == VGPU_CHANNEL_CLOSE)
			close_channel(core, channel);
		break;
	case VGPU_CHANNEL_RING_ENTRIES:
		if (closed)
			channel->entries = value;
		break;
	case VGPU_CHANNEL_WINDOW_BYTES:
	case VGPU_CHANNEL_WINDOW_BYTES + 4:
		if (closed)
			set_half(&channel->window_bytes, at, VGPU_CHANNEL_WINDOW_BYTES, value);
		break;
	case VGPU_CHANNEL_OWNER:
		channel->owner = value;
		break;
	case VGPU_CHANNEL_OWNER_START:
	case VGPU_CHANNEL_OWNER_START + 4:
		set_half(&channel->owner_start, at, VGPU_CHANNEL_OWNER_START, value);
		break;
	default: /* read-only or unassigned */
		break;
	}
}

/* Only what the embedder did not hook comes here. */
static void ring(const struct channel *channel)
{
	const uint64_t one = 1;
	ssize_t written;

	if (channel->state != VGPU_CHANNEL_STATE_OPEN)
		return;
	/* EAGAIN: the counter is full, so the worker has reason enough to wake up. */
	do
		written = write(channel->doorbell, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

void channels_write(struct vgpu_core *core, uint64_t offset, uint32_t value)
{
	uint64_t at = offset - VGPU_REG_CHANNEL_BLOCK(0);
	uint64_t bell = offset - VGPU_REG_CHANNEL_DOORBELL(0);

	if (offset < VGPU_REG_CHANNEL_BLOCK(0))
		return;
	if (at < VGPU_CHANNELS_MAX * BLOCK_BYTES)
		write_block(core, &core->channels.channel[at / BLOCK_BYTES],
			    (uint32_t)(at % BLOCK_BYTES), value);
	else if (offset >= VGPU_REG_CHANNEL_DOORBELL(0) && bell / 4 < VGPU_CHANNELS_MAX)
		ring(&core->channels.channel[bell / 4]);
}

void vgpu_core_completion(struct vgpu_core *core, unsigned int n)
{
	uint64_t count;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };
	struct channel *channel;
	ssize_t got;

	if (n >= VGPU_CHANNELS_MAX)
		return;
	channel = &core->channels.channel[n];
	if (channel->state != VGPU_CHANNEL_STATE_OPEN)
		return;
	/*
	 * The worker shares the description, so it could have cleared O_NONBLOCK and emptied the
	 * counter since the embedder looked: it must not be able to make this wait.
	 */
	do
		got = preadv2(channel->completion, &iov, 1, -1, RWF_NOWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EOPNOTSUPP) /* a kernel that knows no RWF_NOWAIT for eventfds */
		got = read(channel->completion, &count, sizeof(count));
	if (got == (ssize_t)sizeof(count))
		interrupt(core, channel);
}
