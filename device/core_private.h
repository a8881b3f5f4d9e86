/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* What the core's own files share: the state of a device, one struct a concept. */
#ifndef VGPU_DEVICE_CORE_PRIVATE_H
#define VGPU_DEVICE_CORE_PRIVATE_H

#include <sys/un.h>

#include "common/link.h"
#include "common/log.h"
#include "device/core.h"

/* The mailbox's registers. BAR0 shows them as they stand here. */
struct mailbox {
	uint32_t status;
	uint32_t error_code;
	uint32_t request_len;
	uint32_t response_len;
	uint32_t interrupt_ctrl;
	uint32_t interrupt_status;
	uint32_t request_id;
	uint32_t scratch;
	uint64_t timestamp_ns;
	uint8_t request[VGPU_MAILBOX_BYTES];
	uint8_t response[VGPU_MAILBOX_BYTES];
};

/* What the mediator reported last; it stays while the link is down and over a reset. */
struct report {
	struct vgpu_link_config config;
	struct vgpu_link_usage usage;
	uint32_t sequence;
	uint32_t generation;
	bool context_known; /* config.context is a mediator's, not the initial 0 */
	/*
	 * A response was accepted since the generation last grew. Before that the guest cannot hold
	 * device memory: a context that changes loses nothing, and everything that the mediator
	 * still holds for this VM is a leftover.
	 */
	bool in_use;
};

enum link_phase {
	LINK_WAITING,	/* no socket; the timer connects again */
	LINK_HANDSHAKE, /* HELLO is out, no WELCOME yet */
	LINK_WELCOMED,	/* no CONFIG yet: the registers do not show this VM's values */
	LINK_UP,
};

struct link {
	struct sockaddr_un address;
	enum link_phase phase;
	int fd;
	uint32_t refused; /* VGPU_REFUSED_* of the last attempt, or 0 */
	bool want_write;  /* what is pending waits for room in the socket */
	int64_t backoff_ns;
	int64_t deadline_ns;  /* of the handshake, or when to connect again; -1 for none */
	uint64_t tag;	      /* of the last request; never used twice */
	bool awaits_response; /* to `tag` */
	/*
	 * What waits for room in the socket: at most one of each, and the resume or reset goes
	 * first. The channels' messages, at most one for each, come last.
	 */
	bool resume_pending;
	bool reset_pending;
	bool request_pending;
	struct vgpu_link_request request;
	struct vgpu_log_limit log_limit;
	char problem[192]; /* the last one that was logged, so that retries do not repeat it */
};

struct channel {
	/* Registers, as they read. */
	uint32_t state; /* VGPU_CHANNEL_STATE_* */
	uint32_t error; /* VGPU_ERR_* */
	uint32_t opens;
	uint32_t entries;
	uint64_t window_bytes;
	uint64_t region; /* they read 0 while the channel is not open */
	uint32_t owner;
	uint64_t owner_start;
	/* Made for each life; -1 unless the state is OPENING or OPEN. */
	int doorbell;
	int completion;
	uint32_t pending; /* VGPU_MSG_OPEN or _CLOSE, which waits for room in the socket; or 0 */
	uint32_t serial;  /* of the life that the mediator knows of; 0 for none */
	uint32_t resumed; /* the one that this link's RESUME named, also when it has ended; or 0 */
	bool placed;	  /* `region` is this life's, until the mediator has closed it */
};

struct channels {
	struct channel channel[VGPU_CHANNELS_MAX];
	uint64_t lives;	       /* OPENs that were sent */
	uint64_t lives_before; /* of them, on earlier links */
};

struct vgpu_core {
	struct vgpu_core_ops ops;
	void *opaque;
	uint64_t window_bytes;
	unsigned int vectors;
	int window_fd;
	int64_t created_ns;
	struct mailbox mailbox;
	struct channels channels;
	struct report report;
	struct link link;
};

/* core.c */
int64_t core_now(const struct vgpu_core *core);
void core_log(struct vgpu_core *core, int level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* mailbox.c */
void mailbox_reset(struct vgpu_core *core);
/* The guest wrote DOORBELL. */
void mailbox_doorbell(struct vgpu_core *core, uint32_t value);
/* Ends the request under way: error is VGPU_ERR_*, length at most VGPU_MAILBOX_BYTES. */
void mailbox_complete(struct vgpu_core *core, uint32_t error, const void *response,
		      uint32_t length);

/* channels.c */
void channels_init(struct channels *channels);
/* Closes all, without a message to the mediator, and sets their registers to the reset values. */
void channels_reset(struct vgpu_core *core);
/* A new link begins: serials of earlier ones mean nothing on it, but for those that it resumes. */
void channels_connected(struct channels *channels);
/* What was to be opened is lost; what is closing has to be closed on the next link. */
void channels_link_lost(struct vgpu_core *core);
/* Whether a mediator may still serve one of them: it is open, or closing. */
bool channels_placed(const struct channels *channels);
/* This link's mediator has none of an earlier link: what is open is lost, what closes is closed. */
void channels_not_resumed(struct vgpu_core *core);
/* Names those of earlier links to the mediator. Returns 0, or -1 with errno as channels_send(). */
int channels_send_resume(struct vgpu_core *core);
/*
 * Sends what is pending. Returns 0, or -1 with errno: EAGAIN where the socket has no room for the
 * rest, another where the link is broken.
 */
int channels_send(struct vgpu_core *core);
/*
 * A message that has passed link_message_check(). Returns NULL, or a phrase (static storage) that
 * says why it cannot be about these channels; nothing has changed then.
 */
const char *channels_opened(struct vgpu_core *core, const struct vgpu_link_opened *opened);
const char *channels_closed(struct vgpu_core *core, const struct vgpu_link_closed *closed);
/* The guest reads or writes the word at this offset, from VGPU_REG_CHANNEL_BLOCK(0) on. */
uint32_t channels_read(const struct vgpu_core *core, uint64_t offset);
void channels_write(struct vgpu_core *core, uint64_t offset, uint32_t value);

/* report.c */
void report_init(struct report *report);
/* The device was reset: the guest holds no device memory any more. */
void report_reset(struct report *report);
/* The message has passed link_message_check(). */
void report_config(struct report *report, const struct vgpu_link_config *config);
void report_usage(struct report *report, const struct vgpu_link_usage *usage);

/* link_message.c */
/*
 * Checks a message of `length` bytes from the mediator in this phase of the link. Returns NULL, or
 * a phrase (static storage) that says what is wrong with it.
 */
const char *link_message_check(const union vgpu_link_message *message, size_t length,
			       enum link_phase phase);
/*
 * Makes a text that holds a terminator safe to show: control characters become '?', and what
 * follows the terminator becomes zero.
 */
void link_text_clean(char *text, size_t size);

/* link.c */
/* The path must fit. Connects on link_connect() only. */
void link_init(struct link *link, const char *path);
/* Tries to connect; where that fails, the timer tries again. */
void link_connect(struct vgpu_core *core);
/* Closes the socket for good, without a word to the guest. */
void link_close(struct vgpu_core *core);
/* What LINK_STATE shows. */
uint32_t link_state(const struct link *link);
/*
 * Sends a request, or keeps it until the socket has room. The link must be up. A link that breaks
 * completes the request before this returns.
 */
void link_submit(struct vgpu_core *core, const uint8_t *request, uint32_t length);
/* Sends what is pending as far as the socket has room; a link that breaks is dropped. */
void link_flush(struct vgpu_core *core);
/* Forgets the request under way and tells the mediator, now or when it is there again. */
void link_reset(struct vgpu_core *core);

#endif
