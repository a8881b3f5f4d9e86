/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a channel's tenant has on the GPU, and how its submissions act on it: from a submission's
 * copy through channel_validate() to the backend. Knows no ring; ring.h has that.
 */
#ifndef VGPU_WORKER_CHANNEL_H
#define VGPU_WORKER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/ring.h"
#include "mediatord/worker/allocations.h"
#include "mediatord/worker/backend.h"
#include "mediatord/worker/handles.h"
#include "mediatord/worker/jobs.h"
#include "mediatord/worker/memory_ledger.h"
#include "mediatord/worker_protocol.h"

/* The longest name of a function or global; C++'s can be long. */
#define CHANNEL_NAME_MAX 4096u
/* The largest module image; the worker holds a copy of it while it is loaded. */
#define CHANNEL_IMAGE_MAX (UINT64_C(256) << 20)

struct channel {
	struct backend *backend;
	const struct memory_ledger *mediator; /* who grants memory */
	/* Shared with the mediator; ours is everything from `submissions` on. */
	struct vgpu_grant_page *grant;
	uint8_t *window; /* shared with the guest, which may change it at any time */
	uint64_t window_bytes;

	struct memory_ledger ledger; /* asks the mediator, and keeps count */
	uint64_t released_bytes;     /* the sum of our RELEASEs */
	bool over_quota;	     /* what is executed now was refused memory by the mediator */
	struct allocation_table allocations;
	struct handle_table handles[HANDLE_KINDS];
	/* The first error of a submission without a reply: the next synchronisation gives it. */
	cuda_error kept;
	uint64_t kept_limit; /* and the result that came with it */
	/* There is a context; one that holds nothing is given back after so long. 0: never. */
	bool context;
	uint32_t idle_ms;
	int64_t nothing_since_ns; /* 0: it holds something, or was not looked at since */
	struct jobs jobs;
};

/*
 * A submission that was decoded, and whose every field was checked. Which fields are set follows
 * from the opcode; handles are the backend's by now, and ranges lie where they may.
 */
struct channel_request {
	uint16_t opcode;
	bool no_reply;
	bool nothing; /* 0 bytes: there is nothing to do */
	bool on_gpu;  /* it has work for the GPU */
	uint32_t attribute, index, flags, width;
	int32_t value; /* or a stream's priority */
	uint32_t set_value;
	uint64_t pointer, source, count, bytes;
	uint8_t *window;
	struct handle *handle; /* what the operation is on; NULL for stream 0 */
	uint32_t number;       /* its number; 0 for stream 0 */
	uint64_t object;       /* its backend's handle, or 0 for stream 0 */
	uint64_t stream, event, end_event;
	struct allocation *allocation;
	struct vgpu_launch launch;
	/* By channel_admits(): what is to be started next; of a copy or set, so many bytes. */
	struct inflight_work next;
};

struct channel_result {
	cuda_error status;
	uint64_t value[2];
};

/* What a synchronisation waits for. */
struct channel_wait {
	uint16_t opcode;
	uint32_t number; /* of the stream or event; 0: stream 0, or the context */
};

enum channel_outcome {
	CHANNEL_DONE,
	CHANNEL_WAITS, /* a synchronisation whose work is not done */
	CHANNEL_MORE,  /* a piece of it was started: it is to be executed again */
};

/*
 * Opens a channel: becomes the backend's ledger, takes its context and registers the window.
 * backend, mediator, grant, window, window_bytes and idle_ms are the caller's to set before, and
 * the pointers to keep. Returns 0, or -1 and err.
 */
int channel_open(struct channel *channel, struct vgpu_error **err);

/*
 * Frees the tables. What is on the GPU goes with the backend, which the channel must outlive: it is
 * its ledger.
 */
void channel_close(struct channel *channel);

/*
 * Decodes a submission that nobody else can change any more, and checks all of it. Returns 0, or
 * the error that the tenant gets and *reason, a static text that says what is wrong.
 */
cuda_error channel_validate(const struct channel *channel, const struct vgpu_submission *submission,
			    struct channel_request *request, const char **reason);

/*
 * Whether the bounds on what is on the GPU let a request with work for it be executed at now_ns.
 * Those without need not be asked for.
 */
bool channel_admits(const struct channel *channel, struct channel_request *request, int64_t now_ns);

/*
 * Runs a request that channel_validate() has passed, and that has the context which it needs
 * (channel_take_context()), at now_ns, which only work for the GPU needs.
 * Returns CHANNEL_DONE and *result; CHANNEL_WAITS and *wait, which channel_poll() then is to be
 * asked about; CHANNEL_MORE, and channel_admits() is to be asked again; or -1 and err: the ledger
 * is gone.
 */
int channel_execute(struct channel *channel, struct channel_request *request, int64_t now_ns,
		    struct channel_result *result, struct channel_wait *wait,
		    struct vgpu_error **err);

/* A submission ends with an error, which is counted; that of a silent one is kept. */
void channel_failed(struct channel *channel, const struct channel_request *request,
		    const struct channel_result *result);

/* Whether a wait is over; then *result is what its completion is to say. Does not block. */
bool channel_poll(struct channel *channel, const struct channel_wait *wait,
		  struct channel_result *result);

/* The context that a channel begins with, which nobody is asked about, and its window. */
cuda_error channel_context_first(struct channel *channel);

/*
 * Takes a context where this operation needs one and there is none. Returns 0 and *error, which is
 * CUDA_ERROR_OUT_OF_MEMORY where the mediator does not allow it; or -1 and err: the ledger is gone.
 */
int channel_take_context(struct channel *channel, uint16_t opcode, cuda_error *error,
			 struct vgpu_error **err);

/*
 * To be called when there is nothing to do, and no wait pending: gives the context back where it
 * has held nothing for long enough. *due_ns is when to call again, in CLOCK_MONOTONIC's time, or 0.
 * Returns 0, or -1 and err: the ledger is gone.
 */
int channel_idle_due(struct channel *channel, int64_t now_ns, int64_t *due_ns,
		     struct vgpu_error **err);

/* For the mediator, in the grant page. */
void channel_count_submission(struct channel *channel);
void channel_count_error(struct channel *channel);

/* Asks the GPU whether what is on it has ended. Returns whether something is. */
bool channel_settle(struct channel *channel);

#endif
