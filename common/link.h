/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/*
 * The link: a SOCK_SEQPACKET Unix socket between a vGPU device (in QEMU, or in libvgpu's local
 * transport) and the mediator. One packet is one message; both ends are on one host, so values are
 * in its byte order. Neither end believes the other: each checks type, exact size and state.
 *
 *   device                        mediator
 *     HELLO + window memfd  --->
 *                           <---  WELCOME, or REFUSED and close
 *                           <---  CONFIG    (at once, and on every change)
 *                           <---  USAGE     (at once, and when it changed, at most 10 a second)
 *     REQUEST               --->            (one outstanding)
 *                           <---  RESPONSE  (same tag)
 *     RESET                 --->            (forget everything; no response to earlier tags is
 *                                            accepted any more; every channel is closed)
 *     RESUME                --->            (from version 2 on, right after WELCOME: the channels
 *                                            that are open, from earlier links)
 *                           <---  CLOSED    (of those that were lost meanwhile)
 *     OPEN + doorbell and
 *       completion eventfds --->
 *                           <---  OPENED    (or its error)
 *     CLOSE                 --->
 *                           <---  CLOSED    (the region may be used again; also without CLOSE,
 *                                            when the channel broke)
 *
 * A channel is named by its number and by the serial of its OPEN, which is not 0 and which a
 * device never uses twice while it is remembered: a message about an earlier life of the same
 * channel is told apart and ignored, by both ends.
 *
 * A life of a channel begins with OPEN, which one OPENED answers. It ends with an OPENED that has
 * an error, with CLOSED, with RESET, and with the link. CLOSE may come before OPENED: CLOSED may
 * then follow without OPENED. A CLOSED without CLOSE has a reason, and follows OPENED.
 *
 * From version 2 on a channel that is open outlives the link: its worker goes on serving, and the
 * device names it in RESUME on the next one, with the serial that it has. The mediator ends every
 * channel that RESUME does not name. A device that resumes nothing sends RESET, or a RESUME that
 * names none where the mailbox's memory is to stay. With version 1, a channel ends with the link.
 */
#ifndef VGPU_COMMON_LINK_H
#define VGPU_COMMON_LINK_H

#include "common/protocol.h"

#define VGPU_LINK_VERSION	 2u
#define VGPU_LINK_OLDEST	 1u /* that a mediator serves */
#define VGPU_LINK_VERSION_RESUME 2u /* the first that has RESUME */

#define VGPU_MSG_HELLO	  1u
#define VGPU_MSG_WELCOME  2u
#define VGPU_MSG_REFUSED  3u
#define VGPU_MSG_CONFIG	  4u
#define VGPU_MSG_USAGE	  5u
#define VGPU_MSG_REQUEST  6u
#define VGPU_MSG_RESPONSE 7u
#define VGPU_MSG_RESET	  8u
#define VGPU_MSG_OPEN	  9u
#define VGPU_MSG_OPENED	  10u
#define VGPU_MSG_CLOSE	  11u
#define VGPU_MSG_CLOSED	  12u
#define VGPU_MSG_RESUME	  13u

/* Why the mediator refuses a device. */
#define VGPU_REFUSED_VERSION   1u /* no common protocol version */
#define VGPU_REFUSED_BUSY      2u /* another device holds this VM's link */
#define VGPU_REFUSED_IDENTITY  3u /* the peer is not the process that is this VM */
#define VGPU_REFUSED_WINDOW    4u /* the window's memfd is not what HELLO says, or not sealed */
#define VGPU_REFUSED_MALFORMED 5u

/* Whether an error code is one that docs/device-spec.md allows in ERROR_CODE and CHANNEL_ERROR. */
#define VGPU_LINK_ERROR_KNOWN(code)                                                                \
	((code) <= VGPU_ERR_WINDOW_LIMIT || ((code) >= VGPU_ERR_CONTEXT_LOST && (code) <= 0xFFu))

struct vgpu_link_header {
	uint32_t type;
	uint32_t length; /* bytes of the whole message, this header included */
};

/* Carries one descriptor: the window, a memfd of window_bytes sealed against resizing. */
struct vgpu_link_hello {
	struct vgpu_link_header header;
	uint32_t version; /* the highest that the device speaks */
	uint32_t vectors; /* MSI-X vectors */
	uint64_t window_bytes;
	uint32_t reserved[4];
};

struct vgpu_link_welcome {
	struct vgpu_link_header header;
	uint32_t version; /* what both speak: at most HELLO's */
	uint32_t reserved[3];
};

struct vgpu_link_refused {
	struct vgpu_link_header header;
	uint32_t reason; /* VGPU_REFUSED_* */
	uint32_t reserved;
	char text[112]; /* for the log; ended by a zero byte */
};

struct vgpu_link_quotas {
	uint64_t memory_bytes;
	uint64_t window_bytes;
	uint32_t time_guaranteed_percent;
	uint32_t time_max_percent;
	uint32_t requests_per_second;
	uint32_t burst;
	uint32_t queue_depth;
	uint32_t channels;
	uint32_t longest_job_ms;
	uint32_t quarantined; /* 1: all that the VM asks for is refused, VGPU_ERR_QUARANTINED */
};

struct vgpu_link_config {
	struct vgpu_link_header header;
	uint32_t pool_id;
	uint32_t priority;
	uint32_t vm_id;
	uint32_t worker_state; /* VGPU_WORKER_* */
	uint64_t context;      /* differs from the last one: the VM's device memory was lost */
	struct vgpu_link_quotas quotas;
	uint8_t uuid[16];
	char gpu_name[VGPU_GPU_NAME_BYTES];
	char pool_name[VGPU_POOL_NAME_BYTES];
	char vm_name[VGPU_VM_NAME_BYTES];
};

struct vgpu_link_usage {
	struct vgpu_link_header header;
	uint64_t memory_bytes;
	uint64_t window_bytes;
	uint64_t time_ns;
	uint64_t jobs_completed;
	uint64_t jobs_failed;
};

/* Sent cut off after `length` bytes of data. */
struct vgpu_link_request {
	struct vgpu_link_header header;
	uint64_t tag;	 /* the device's; never used twice on one link */
	uint32_t length; /* of data: 1 to VGPU_MAILBOX_BYTES */
	uint32_t reserved;
	uint8_t data[VGPU_MAILBOX_BYTES];
};

/* Sent cut off after `length` bytes of data. */
struct vgpu_link_response {
	struct vgpu_link_header header;
	uint64_t tag;
	uint32_t error_code; /* VGPU_ERR_* */
	uint32_t length;     /* of data: 0 to VGPU_MAILBOX_BYTES */
	uint8_t data[VGPU_MAILBOX_BYTES];
};

struct vgpu_link_reset {
	struct vgpu_link_header header;
};

/*
 * Carries two descriptors: the doorbell's eventfd (the device's ioeventfd writes it, the worker
 * reads it), and the completion's (the other way round). Both are made for this OPEN alone.
 */
struct vgpu_link_open {
	struct vgpu_link_header header;
	uint32_t channel; /* below VGPU_CHANNELS_MAX */
	uint32_t serial;
	uint64_t window_bytes;
	uint32_t entries;
	uint32_t reserved;
};

struct vgpu_link_opened {
	struct vgpu_link_header header;
	uint32_t channel;
	uint32_t serial;
	/*
	 * Where it is in BAR2: at a multiple of VGPU_RING_PAGE, vgpu_ring_window_offset(entries)
	 * plus window_bytes long, apart from every other channel's. Both 0 with an error.
	 */
	uint64_t region;
	uint64_t region_bytes;
	uint32_t error_code; /* VGPU_ERR_* */
	uint32_t reserved;
};

struct vgpu_link_close {
	struct vgpu_link_header header;
	uint32_t channel;
	uint32_t serial;
};

struct vgpu_link_closed {
	struct vgpu_link_header header;
	uint32_t channel;
	uint32_t serial;
	uint32_t error_code; /* why it broke; 0 after CLOSE */
	uint32_t reserved;
};

/* Sent cut off after `count` channels. */
struct vgpu_link_resume {
	struct vgpu_link_header header;
	uint32_t count; /* 0 to VGPU_CHANNELS_MAX; no channel twice */
	uint32_t reserved;
	struct {
		uint32_t channel;
		uint32_t serial; /* of its OPEN, on whatever link; no later OPEN has it */
	} channels[VGPU_CHANNELS_MAX];
};

/* Large enough for any message. */
union vgpu_link_message {
	struct vgpu_link_header header;
	struct vgpu_link_hello hello;
	struct vgpu_link_welcome welcome;
	struct vgpu_link_refused refused;
	struct vgpu_link_config config;
	struct vgpu_link_usage usage;
	struct vgpu_link_request request;
	struct vgpu_link_response response;
	struct vgpu_link_reset reset;
	struct vgpu_link_open open;
	struct vgpu_link_opened opened;
	struct vgpu_link_close close;
	struct vgpu_link_closed closed;
	struct vgpu_link_resume resume;
};

VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_header) == 8, "header");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_hello) == 40, "hello");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_welcome) == 24, "welcome");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_refused) == 128, "refused");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_quotas) == 48, "quotas");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_link_config, context) == 24, "context");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_link_config, quotas) == 32, "quotas");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_link_config, uuid) == 80, "uuid");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_config) == 352, "config");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_usage) == 48, "usage");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_link_request, data) == 24, "request");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_link_response, data) == 24, "response");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_open) == 32, "open");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_opened) == 40, "opened");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_close) == 16, "close");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_link_closed) == 24, "closed");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_link_resume, channels) == 16, "resume");

#endif
