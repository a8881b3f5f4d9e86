/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * A device under test between a guest and a mediator that the test plays: a clock that stands still
 * until the test moves it, callbacks that are recorded, and a real listening socket in a private
 * folder. Every helper fails the test where a step does not work.
 */
#ifndef VGPU_TESTS_DEVICE_FIXTURE_H
#define VGPU_TESTS_DEVICE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/link.h"
#include "device/core.h"

/* A channel's eventfds, as the embedder or the mediator has them; -1 for none. */
struct eventfds {
	int doorbell;
	int completion;
};

struct fixture {
	struct vgpu_core *core;
	char folder[64];
	char path[96];
	int listener; /* -1: no mediator is there */
	int peer;     /* the mediator's end of the link, or -1 */
	int64_t now;
	/* What the device asked of its embedder. */
	int watched;
	bool watch_read;
	bool watch_write;
	int64_t deadline;
	unsigned int interrupts;		   /* of the mailbox */
	unsigned int woken[VGPU_CHANNELS_MAX];	   /* interrupts of the channels */
	struct eventfds hooked[VGPU_CHANNELS_MAX]; /* the core's */
	unsigned int lines;
	char last_line[512];
};

/* cmocka's setup and teardown: a device with 33 vectors, a 1 MiB window and no mediator. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Makes a device with this many vectors; the fixture must have none. */
void fixture_device(struct fixture *fixture, unsigned int vectors);

/* The mediator begins or ends to listen; ending also closes the link. */
void mediator_start(struct fixture *fixture);
void mediator_stop(struct fixture *fixture);
/* Takes the connection and its HELLO, whose descriptor it closes. */
void mediator_accept(struct fixture *fixture);
/* Sends bytes as they are. */
void mediator_send(struct fixture *fixture, const void *message, size_t length);
/* Fills in a message that a good mediator would send. */
void make_welcome(struct vgpu_link_welcome *welcome);
void make_config(struct vgpu_link_config *config, uint64_t context);
void make_usage(struct vgpu_link_usage *usage);
void make_response(struct vgpu_link_response *response, uint64_t tag, uint32_t error,
		   const void *data, uint32_t length);
/* Sends such a message and lets the device take it. */
void mediator_welcome(struct fixture *fixture);
void mediator_welcome_version(struct fixture *fixture, uint32_t version);
void mediator_config(struct fixture *fixture, uint64_t context);
void mediator_respond(struct fixture *fixture, uint64_t tag, uint32_t error, const void *data,
		      uint32_t length);
/* Takes the next message, which must be there; *message holds it afterwards. */
void mediator_expect(struct fixture *fixture, uint32_t type, union vgpu_link_message *message);
/* Takes the next message, a RESUME of so many channels. */
void mediator_expect_resume(struct fixture *fixture, uint32_t count,
			    struct vgpu_link_resume *resume);
/* Takes the next message, an OPEN with two eventfds, which go to fds and are the caller's. */
void mediator_expect_open(struct fixture *fixture, struct vgpu_link_open *open,
			  struct eventfds *fds);
/* Takes the next message, a CLOSE. */
void mediator_expect_close(struct fixture *fixture, struct vgpu_link_close *close);
/* Answers an OPEN as a good mediator would, and lets the device take it. */
void mediator_opened(struct fixture *fixture, const struct vgpu_link_open *open, uint64_t region);
void mediator_open_failed(struct fixture *fixture, const struct vgpu_link_open *open,
			  uint32_t error);
void mediator_closed(struct fixture *fixture, uint32_t channel, uint32_t serial, uint32_t error);
/* Whether nothing waits for the mediator. */
bool mediator_has_nothing(struct fixture *fixture);

/* Starts the mediator and brings the link up with context 1; the first RESET is taken. */
void link_up(struct fixture *fixture);
/* Ends the mediator and its link. */
void link_lose(struct fixture *fixture);
/* Starts the mediator and takes the connection; WELCOME is to come. */
void link_begin(struct fixture *fixture);

/* Writes RING_ENTRIES, WINDOW_BYTES and OPEN. */
void guest_open(struct fixture *fixture, unsigned int channel, uint32_t entries,
		uint64_t window_bytes);
uint32_t guest_channel(struct fixture *fixture, unsigned int channel, uint32_t offset);
void guest_control(struct fixture *fixture, unsigned int channel, uint32_t value);
/* STATE and ERROR must be these. */
void assert_channel(struct fixture *fixture, unsigned int channel, uint32_t state, uint32_t error);
/*
 * Opens a channel with 16 entries and a window of one page at this region, all the way; *open is
 * its OPEN. The mediator's eventfds are closed where fds is NULL.
 */
void channel_up(struct fixture *fixture, unsigned int channel, uint64_t region,
		struct vgpu_link_open *open, struct eventfds *fds);
#define CHANNEL_ENTRIES 16u
#define CHANNEL_WINDOW	4096u
#define CHANNEL_REGION	(3u * 4096u) /* bytes of such a channel */
/* What an eventfd's counter holds, which is 0 afterwards. */
uint64_t eventfd_take(int fd);
/* How many descriptors this process has. */
unsigned int descriptors_open(void);

/* Resets the device until the link's socket takes no more; returns how many RESETs it holds. */
unsigned int fill_socket(struct fixture *fixture);

/* Lets the device handle what its descriptor is ready for, until there is nothing more. */
void device_run(struct fixture *fixture);
/* Moves the clock; the device's timer runs at its times. */
void device_sleep(struct fixture *fixture, int64_t ns);

uint32_t guest_read(struct fixture *fixture, uint64_t offset);
uint64_t guest_read64(struct fixture *fixture, uint64_t offset);
void guest_write(struct fixture *fixture, uint64_t offset, uint32_t value);
/* Writes REQUEST_BUF, REQUEST_LEN and the doorbell. */
void guest_submit(struct fixture *fixture, const void *request, uint32_t length);

#endif
