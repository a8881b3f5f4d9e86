/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between mediator and worker: a SOCK_SEQPACKET socket pair, one packet one message, in the host's
 * byte order. The mediator treats every message of a worker as hostile: a tenant may control it.
 *
 *   mediator                      worker
 *     START                 --->
 *                           <---  READY, or FAILED and exit
 *     JOB                   --->            (in order; at most VGPU_WORKER_JOBS_MAX outstanding)
 *                           <---  RESERVE   (before memory is taken; one outstanding)
 *     RESERVED              --->
 *                           <---  RELEASE   (after memory was given back)
 *                           <---  DONE
 *
 * The end of the stream ends the worker.
 *
 * A worker that serves a channel gets no JOBs: its work comes from the ring. START then carries
 * four descriptors: BAR2's memfd, the doorbell's eventfd, the completion's eventfd, and the memfd
 * of the grant page.
 *
 *                           <---  FAILED    (after READY: the guest broke its ring; exit follows)
 *     END                   --->            (finish, empty the region, exit; the mediator kills a
 *                                            worker that has not within its bound)
 */
#ifndef VGPU_MEDIATORD_WORKER_PROTOCOL_H
#define VGPU_MEDIATORD_WORKER_PROTOCOL_H

#include "common/protocol.h"

#define VGPU_WORKER_PROTOCOL_VERSION 1u
#define VGPU_WORKER_CONTROL_FD	     3 /* the socket's number in the worker */
#define VGPU_WORKER_JOBS_MAX	     1u

#define VGPU_WORKER_START	   1u
#define VGPU_WORKER_READY_MESSAGE  2u
#define VGPU_WORKER_FAILED_MESSAGE 3u
#define VGPU_WORKER_JOB		   4u
#define VGPU_WORKER_RESERVE	   5u
#define VGPU_WORKER_RESERVED	   6u
#define VGPU_WORKER_RELEASE	   7u
#define VGPU_WORKER_DONE	   8u
#define VGPU_WORKER_END		   9u

struct vgpu_worker_header {
	uint32_t type;
	uint32_t length; /* bytes of the whole message, this header included */
};

/* Run also where the GPU can reach the worker's ordinary memory. */
#define VGPU_WORKER_START_ALLOW_PAGEABLE (1u << 0)

struct vgpu_worker_start {
	struct vgpu_worker_header header;
	uint32_t version;
	uint32_t backend;      /* VGPU_BACKEND_* */
	uint32_t gpu;	       /* index among the backend's GPUs */
	uint32_t flags;	       /* VGPU_WORKER_START_* */
	uint64_t memory_bytes; /* the VM's quota, for GET_DEVICE_INFO; 0: no limit */
	/* The channel's memory in BAR2; all 0 for the mailbox's worker. */
	uint64_t region;
	uint64_t region_bytes; /* rings and window: vgpu_ring_window_offset(entries) + window */
	uint32_t entries;
	uint32_t reserved2;
};

/*
 * The grant page: one page, shared by the mediator and one channel's worker alone. Neither believes
 * the other's half. Its memfd is sealed against shrinking.
 *
 * After it has stored 1 to `granted` the mediator writes the doorbell's eventfd, which wakes a
 * worker that waits for it. What the VM uses is `used_bytes` less what this worker has released and
 * the mediator has not seen yet: upon a RELEASE the mediator stores `released_bytes` first, then
 * `used_bytes` with release; the worker loads `used_bytes` with acquire, then `released_bytes`.
 * Upon a RESERVE that it grants it stores `used_bytes` before it answers.
 */
struct vgpu_grant_page {
	/* Written by the mediator. */
	uint32_t granted; /* 1: the worker may start work on the GPU; 0: not now */
	uint32_t reserved0;
	uint64_t quota_bytes;	 /* of the VM's GPU memory; 0: no limit */
	uint64_t used_bytes;	 /* of it, over all the VM's workers */
	uint64_t released_bytes; /* the sum of this worker's RELEASEs that used_bytes knows */
	uint64_t reserved1[4];
	/* Written by the worker: what it did so far. */
	uint64_t submissions; /* taken */
	uint64_t errors;      /* of them, that failed */
	uint64_t gpu_time_ns;
	uint64_t bytes_in;	    /* copied to the GPU */
	uint64_t bytes_out;	    /* copied from it */
	uint64_t memory_used_bytes; /* by this worker: its RESERVEs less its RELEASEs */
	uint64_t reserved2[2];
};

struct vgpu_worker_ready {
	struct vgpu_worker_header header;
	uint32_t version;
	uint32_t reserved;
	uint64_t gpu_memory_bytes;
	char gpu_name[VGPU_GPU_NAME_BYTES]; /* UTF-8, ended by a zero byte */
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

struct vgpu_worker_reserve {
	struct vgpu_worker_header header;
	uint64_t bytes;
};

struct vgpu_worker_end {
	struct vgpu_worker_header header;
};

struct vgpu_worker_reserved {
	struct vgpu_worker_header header;
	uint32_t granted; /* 1, or 0: the VM's quota does not allow it */
	uint32_t reserved;
};

struct vgpu_worker_release {
	struct vgpu_worker_header header;
	uint64_t bytes;
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
	struct vgpu_worker_start start;
	struct vgpu_worker_ready ready;
	struct vgpu_worker_failed failed;
	struct vgpu_worker_job job;
	struct vgpu_worker_reserve reserve;
	struct vgpu_worker_reserved reserved;
	struct vgpu_worker_release release;
	struct vgpu_worker_done done;
	struct vgpu_worker_end end;
};

VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_start) == 56, "start");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_grant_page, submissions) == 64, "grant page's halves");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_grant_page) == 128, "grant page");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_ready) == 88, "ready");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_worker_failed) == 256, "failed");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_worker_job, request) == 32, "job");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_worker_done, response) == 32, "done");

#endif
