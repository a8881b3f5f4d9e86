/* SPDX-License-Identifier: Apache-2.0 */
/* A real vgpu-worker that serves a channel, with the test as its mediator and as its guest. */
#ifndef VGPU_TESTS_CHANNEL_DRIVER_H
#define VGPU_TESTS_CHANNEL_DRIVER_H

#include "tests/mediatord/guest-ring.h"
#include "tests/mediatord/worker-driver.h"

#define CHANNEL_ENTRIES VGPU_RING_ENTRIES_MIN
#define CHANNEL_WINDOW	(UINT64_C(1) << 20)

/* BAR2 as the mediator sees it: the channel's region is in the middle of it. */
#define CHANNEL_REGION	 (UINT64_C(1) << 20)
#define CHANNEL_BAR_TAIL (UINT64_C(1) << 20)

struct channel_driver {
	struct driver driver;
	struct guest_ring ring;
	uint8_t *bar;
	uint64_t bar_bytes;
	uint64_t region_bytes;
	struct vgpu_grant_page *grant;
	/* The context: whether the worker has one, how often it took one again, and may it? */
	bool context, refuses_context;
	uint32_t contexts_taken;
	uint64_t builtin; /* channel_function()'s module; 0: not yet */
	int fds[4];	  /* as START carries them */
	/* What came of the scheduler's messages. */
	unsigned int wants, yields;
	uint32_t wanted; /* by the last WANT */
};

/* Makes memory, eventfds and START for a channel; starts nothing. */
struct channel_driver channel_make(uint32_t entries, uint64_t window_bytes,
				   struct vgpu_worker_start *start);

/* Starts a worker and sends PREPARE, and START with the descriptors. */
void channel_spawn(struct channel_driver *channel, const struct vgpu_worker_start *start,
		   const int *fds, size_t fd_count);

/* A channel that is ready; quota of the VM's GPU memory, 0 for none. */
struct channel_driver channel_begin(uint32_t entries, uint64_t window_bytes, uint64_t quota);

/*
 * Answers what the worker asked of the mediator, and counts what it tells the scheduler. Returns
 * false at the end of the stream.
 */
bool channel_ledger(struct channel_driver *channel);

/* Stores what the worker may do, as a mediator that revokes does; returns `holding`. */
uint32_t channel_set_grant(struct channel_driver *channel, uint32_t grant);

/* Tells the worker to look at the page. */
void channel_wake(struct channel_driver *channel);

/* Waits for so many WANTs or YIELDEDs since the beginning. */
void channel_await_wants(struct channel_driver *channel, unsigned int count);
void channel_await_yields(struct channel_driver *channel, unsigned int count);

/* Plays the mediator until the worker's context is there, or gone. */
void channel_await_context(struct channel_driver *channel, bool context);

/* Waits until the worker says in the ring that it sleeps. */
void channel_await_sleep(const struct channel_driver *channel);

/* Takes the next completion; the mediator's part is played meanwhile. */
struct vgpu_completion channel_wait(struct channel_driver *channel);

/* Runs one submission and takes its completion, which must have its tag. */
struct vgpu_completion channel_run(struct channel_driver *channel,
				   struct vgpu_submission submission);

/* The same for an operation and its arguments. */
struct vgpu_completion channel_call(struct channel_driver *channel, uint16_t opcode, uint64_t a,
				    uint64_t b, uint64_t c, uint64_t d, uint64_t e);

/* The same; fails the test unless it ends with this status. Returns the first result. */
uint64_t channel_expect_at(struct channel_driver *channel, uint16_t opcode, uint64_t a, uint64_t b,
			   uint64_t c, uint64_t d, uint64_t e, uint32_t status, const char *file,
			   int line);
#define channel_expect(channel, opcode, a, b, c, d, e, status)                                     \
	channel_expect_at(channel, opcode, a, b, c, d, e, status, __FILE__, __LINE__)
#define channel_must(channel, opcode, a, b, c, d, e)                                               \
	channel_expect(channel, opcode, a, b, c, d, e, 0)

/* A function of the built-in module; the name goes to the window's start. */
uint64_t channel_function(struct channel_driver *channel, const char *name);

/* A launch in one dimension, whose parameters go to the window's start. */
struct vgpu_submission channel_launch(struct channel_driver *channel, uint64_t function,
				      uint32_t grid, uint16_t block, const void *parameters,
				      uint16_t bytes);

/* Sends END; the worker must exit 0 and leave an empty region. Frees everything. */
void channel_end(struct channel_driver *channel);

/* Frees everything of a worker that has ended, or is to be killed. */
void channel_forget(struct channel_driver *channel);

#endif
