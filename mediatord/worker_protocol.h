/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between mediator and worker: a SOCK_SEQPACKET socket pair, one packet one message, in the host's
 * byte order. The mediator treats every message of a worker as hostile: a tenant may control it.
 *
 *   mediator                      worker
 *     PREPARE               --->            (open the GPU: nothing of any tenant yet)
 *                           <---  PREPARED, or FAILED and exit
 *     START                 --->            (whose worker it is; may be sent before PREPARED came)
 *                           <---  READY, or FAILED and exit
 *     JOB                   --->            (in order; at most VGPU_WORKER_JOBS_MAX outstanding)
 *                           <---  RESERVE   (before memory is taken; one outstanding)
 *     RESERVED              --->            (to the RESERVE with this number)
 *                           <---  RELEASE   (after memory was given back)
 *                           <---  DONE
 *     ADOPT                 --->            (a mediator that did not start it takes it over)
 *                           <---  ADOPTED   (then once more what waits for an answer)
 *
 * The end of the stream ends the worker. It has not ended while vgpu-keeper holds the mediator's
 * end: a worker goes on while the mediator is down, and waits where it must ask it.
 *
 * A worker that serves a channel gets no JOBs: its work comes from the ring. START then carries
 * four descriptors: BAR2's memfd, the doorbell's eventfd, the completion's eventfd, and the memfd
 * of the grant page.
 *
 *                           <---  WANT      (work that the grant page does not allow; once, until
 *                                            it allows it, and after each WAKE that found it so)
 *                           <---  YIELDED   (nothing of it is on the GPU any more; where the
 *                                            grant was revoked, nothing will be before the next)
 *     WAKE                  --->            (look at the grant page)
 *                           <---  FAILED    (after READY: the guest broke its ring; exit follows)
 *     END                   --->            (finish, empty the region, exit; the mediator kills a
 *                                            worker that has not within its bound)
 */
#ifndef VGPU_MEDIATORD_WORKER_PROTOCOL_H
#define VGPU_MEDIATORD_WORKER_PROTOCOL_H

#include "common/protocol.h"

#ifndef VGPU_WORKER_PROTOCOL_VERSION /* a test builds the next release's mediator */
#define VGPU_WORKER_PROTOCOL_VERSION 2u
#endif
/* A worker of an earlier version than ours, from here on, is adopted as well. */
#define VGPU_WORKER_PROTOCOL_OLDEST 2u
#define VGPU_WORKER_CONTROL_FD	    3 /* the socket's number in the worker */
#define VGPU_WORKER_JOBS_MAX	    1u

#define VGPU_WORKER_PREPARE	     1u
#define VGPU_WORKER_PREPARED_MESSAGE 2u
#define VGPU_WORKER_START	     3u
#define VGPU_WORKER_READY_MESSAGE    4u
#define VGPU_WORKER_FAILED_MESSAGE   5u
#define VGPU_WORKER_JOB		     6u
#define VGPU_WORKER_RESERVE	     7u
#define VGPU_WORKER_RESERVED	     8u
#define VGPU_WORKER_RELEASE	     9u
#define VGPU_WORKER_DONE	     10u
#define VGPU_WORKER_END		     11u
#define VGPU_WORKER_ADOPT	     12u
#define VGPU_WORKER_ADOPTED	     13u
#define VGPU_WORKER_WANT	     14u
#define VGPU_WORKER_YIELDED	     15u
#define VGPU_WORKER_WAKE	     16u

struct vgpu_worker_header {
	uint32_t type;
	uint32_t length; /* bytes of the whole message, this header included */
};

/* Run also where the GPU can reach the worker's ordinary memory. */
#define VGPU_WORKER_PREPARE_ALLOW_PAGEABLE (1u << 0)

struct vgpu_worker_prepare {
	struct vgpu_worker_header header;
	uint32_t version;
	uint32_t backend; /* VGPU_BACKEND_* */
	uint32_t gpu;	  /* index among the backend's GPUs */
	uint32_t flags;	  /* VGPU_WORKER_PREPARE_* */
};

struct vgpu_worker_prepared {
	struct vgpu_worker_header header;
	uint32_t version;
	uint32_t reserved;
	uint64_t gpu_memory_bytes;
	char gpu_name[VGPU_GPU_NAME_BYTES]; /* UTF-8, ended by a zero byte */
};

#define VGPU_WORKER_NO_ID UINT32_MAX

struct vgpu_worker_start {
	struct vgpu_worker_header header;
	uint32_t uid; /* whom it becomes; VGPU_WORKER_NO_ID: it was not started as root */
	uint32_t gid;
	uint64_t memory_bytes; /* the VM's quota, for GET_DEVICE_INFO; 0: no limit */
	/* The channel's memory in BAR2; all 0 for the mailbox's worker. */
	uint64_t region;
	uint64_t region_bytes; /* rings and window: vgpu_ring_window_offset(entries) + window */
	uint32_t entries;
	/* A channel that has held nothing on the GPU for so long gives its context back; 0: never.
	 */
	uint32_t idle_ms;
};

struct vgpu_worker_ready {
	struct vgpu_worker_header header;
};

/* What the worker may do on the GPU: bits of vgpu_grant_page.grant. */
#define VGPU_GRANT_RUN	     (1u << 0) /* it may start work */
#define VGPU_GRANT_CONTENDED (1u << 1) /* others wait: yield as soon as there is no work */

#define VGPU_GRANT_NO_LIMIT UINT64_MAX

/*
 * Histograms of times: bucket 0 is below 1 us; then four buckets an octave, bucket 1 + 4 o + q from
 * (1 + q / 4) * 2^o us on; the last holds what is longer, too.
 */
#define VGPU_HISTOGRAM_BUCKETS 96u

/*
 * The grant page: one page, shared by the mediator and one channel's worker alone. Neither believes
 * the other's half. Its memfd is sealed against shrinking.
 *
 * Order on the GPU. Before it starts work where it had none, a worker stores 1 to `holding`,
 * executes a full fence and loads `grant`; without VGPU_GRANT_RUN it stores 0 again and sends
 * YIELDED and WANT. To revoke, the mediator stores `grant`, executes a full fence and loads
 * `holding`: 0 means that the worker has nothing there and will start nothing; 1, that YIELDED will
 * come. A worker that finds its grant revoked, or that has no work under VGPU_GRANT_CONTENDED,
 * starts nothing more, waits until its work is done, stores 0 to `holding`, executes a full fence,
 * and sends YIELDED. It also stores 0 before it sleeps with nothing on the GPU; then it sends
 * YIELDED where, after the fence, `grant` says one of the two. A standing grant is only read. After
 * a change that a sleeping worker should see the mediator sends WAKE.
 *
 * A YIELDED may be an old one: the worker may have begun again under VGPU_GRANT_CONTENDED, or not
 * be asked any more. So a mediator that gives the GPU to another upon it still revokes, as above.
 * Under one contention a worker that pauses often sends it once, until WAKE comes; then it sends it
 * anew before it sleeps: the mediator may have let it go on, and waits for its next pause.
 *
 * Memory. What the VM uses is `used_bytes` less what this worker has released and the mediator has
 * not seen yet: upon a RELEASE the mediator stores `released_bytes` first, then `used_bytes` with
 * release; the worker loads `used_bytes` with acquire, then `released_bytes`. Upon a RESERVE that
 * it grants it stores `used_bytes` before it answers.
 *
 * Times are nanoseconds; points in time are CLOCK_MONOTONIC's.
 */
struct vgpu_grant_page {
	/* Written by the mediator. */
	uint32_t grant;		 /* VGPU_GRANT_* */
	uint32_t queue_depth;	 /* of work started and not done, at most so many; 0: no limit */
	uint64_t quota_bytes;	 /* of the VM's GPU memory; 0: no limit */
	uint64_t used_bytes;	 /* of it, over all the VM's workers */
	uint64_t released_bytes; /* the sum of this worker's RELEASEs that used_bytes knows */
	uint64_t tokens;	 /* submissions it may take, from its start; VGPU_GRANT_NO_LIMIT */
	uint64_t inflight_ns;	 /* work started ahead is bounded to about so long; 0: no bound */
	uint64_t reserved0[2];
	/* Written by the worker: what it does, and what it did so far. */
	uint64_t submissions;	    /* taken */
	uint64_t errors;	    /* of them, that failed */
	uint64_t gpu_time_ns;	    /* the union of the times in which its work was on the GPU */
	uint64_t bytes_in;	    /* copied to the GPU */
	uint64_t bytes_out;	    /* copied from it */
	uint64_t memory_used_bytes; /* by this worker: its RESERVEs less its RELEASEs */
	uint64_t jobs;		    /* started on the GPU: launches, copies, sets */
	uint64_t job_since_ns;	    /* since when the GPU has not been seen idle; 0: it is */
	uint32_t holding;
	uint32_t reserved1;
	uint64_t queue_ns; /* the sums of what queue_times and run_times count */
	uint64_t run_ns;
	uint64_t reserved2[5];
	/*
	 * Of jobs: from the first in the ring until started, on the GPU, and both; counters that
	 * wrap. The end of a job is when the GPU, with all that was started, was next seen idle.
	 */
	uint32_t queue_times[VGPU_HISTOGRAM_BUCKETS];
	uint32_t run_times[VGPU_HISTOGRAM_BUCKETS];
	uint32_t total_times[VGPU_HISTOGRAM_BUCKETS];
};

struct vgpu_worker_failed {
	struct vgpu_worker_header header;
	char text[248]; /* why, for the log; ended by a zero byte */
};

/* Sent cut off after `length` bytes of request, which vgpu_request_validate() has passed. */
struct vgpu_worker_job {
	struct vgpu_worker_header header;
	uint64_t job;
	uint64_t memory_used; /* bytes that the VM holds now, over all its workers */
	uint32_t length;
	uint32_t reserved;
	uint8_t request[VGPU_MAILBOX_BYTES];
};

/* What is asked for, or given back. */
#define VGPU_WORKER_KIND_MEMORY	 0u /* of the VM's quota */
#define VGPU_WORKER_KIND_CONTEXT 1u /* the channel's context on the GPU; bytes is 0 */

struct vgpu_worker_reserve {
	struct vgpu_worker_header header;
	uint32_t number; /* of this RESERVE; a repetition has a new one */
	uint32_t kind;	 /* VGPU_WORKER_KIND_* */
	uint64_t bytes;
};

struct vgpu_worker_end {
	struct vgpu_worker_header header;
};

struct vgpu_worker_reserved {
	struct vgpu_worker_header header;
	uint32_t number;  /* of the RESERVE; the worker ignores one that it does not wait for */
	uint32_t granted; /* 1, or 0: the VM's quota, or the GPU's, does not allow it */
};

struct vgpu_worker_release {
	struct vgpu_worker_header header;
	uint32_t kind; /* VGPU_WORKER_KIND_* */
	uint32_t reserved;
	uint64_t bytes;
};

struct vgpu_worker_adopt {
	struct vgpu_worker_header header;
	uint32_t version; /* the mediator's */
	uint32_t reserved;
};

/*
 * Sent between two jobs, or submissions. A RESERVE that is not answered follows with a new number,
 * and a WANT that was not heard.
 */
struct vgpu_worker_adopted {
	struct vgpu_worker_header header;
	uint32_t version;    /* the worker's */
	uint32_t context;    /* 1: it has one on the GPU */
	uint64_t held_bytes; /* its RESERVEs that were granted less its RELEASEs */
};

/* What a worker waits for. */
#define VGPU_WORKER_WANT_GRANT	(1u << 0)
#define VGPU_WORKER_WANT_TOKENS (1u << 1)

struct vgpu_worker_want {
	struct vgpu_worker_header header;
	uint32_t what; /* VGPU_WORKER_WANT_* */
	uint32_t reserved;
};

struct vgpu_worker_yielded {
	struct vgpu_worker_header header;
};

struct vgpu_worker_wake {
	struct vgpu_worker_header header;
};

/* Sent cut off after `length` bytes of response. */
struct vgpu_worker_done {
	struct vgpu_worker_header header;
	uint64_t job;
	uint64_t gpu_time_ns;
	uint32_t error_code; /* VGPU_ERR_* */
	uint32_t length;     /* of response: 32 to VGPU_MAILBOX_BYTES */
	uint8_t response[VGPU_MAILBOX_BYTES];
};

union vgpu_worker_message {
	struct vgpu_worker_header header;
	struct vgpu_worker_prepare prepare;
	struct vgpu_worker_prepared prepared;
	struct vgpu_worker_start start;
	struct vgpu_worker_ready ready;
	struct vgpu_worker_failed failed;
	struct vgpu_worker_job job;
	struct vgpu_worker_reserve reserve;
	struct vgpu_worker_reserved reserved;
	struct vgpu_worker_release release;
	struct vgpu_worker_done done;
	struct vgpu_worker_end end;
	struct vgpu_worker_adopt adopt;
	struct vgpu_worker_adopted adopted;
	struct vgpu_worker_want want;
	struct vgpu_worker_yielded yielded;
	struct vgpu_worker_wake wake;
};

VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_prepare) == 24, "prepare");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_prepared) == 88, "prepared");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_start) == 48, "start");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_grant_page, submissions) == 64, "grant page's halves");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_grant_page, queue_times) == 192, "grant page's times");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_grant_page) == 1344, "grant page");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_failed) == 256, "failed");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_worker_job, request) == 32, "job");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_worker_done, response) == 32, "done");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_reserve) == 24, "reserve");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_adopted) == 24, "adopted");

#endif
