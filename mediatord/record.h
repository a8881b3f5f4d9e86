/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a mediator that is started anew has to know of a worker: one page that only mediator and
 * keeper can reach, and that the mediator keeps true at every instruction, so that it may be killed
 * at any. Where two things change, the record errs on the side of more memory held, never of less.
 */
#ifndef VGPU_MEDIATORD_RECORD_H
#define VGPU_MEDIATORD_RECORD_H

#include "common/error.h"
#include "common/protocol.h"

#define RECORD_MAGIC   0x52757076u /* "vpuR" */
#define RECORD_VERSION 1u
#define RECORD_OLDEST  1u
#define RECORD_BYTES   4096u

enum record_kind {
	RECORD_WARM = 1, /* no VM's yet */
	RECORD_MAILBOX,
	RECORD_CHANNEL,
};

/* Its later versions only append. */
struct record {
	uint32_t magic;
	uint32_t version;
	uint32_t kind;	  /* enum record_kind, stored last with release when it changes */
	uint32_t backend; /* VGPU_BACKEND_* */
	uint32_t gpu;
	uint32_t worker_version; /* PREPARED's; 0: not prepared yet */
	uint32_t ready;		 /* 1: READY came */
	uint32_t ending;	 /* 1: it was told to end, or killed, or its channel broke */
	int64_t start_ns;	 /* CLOCK_MONOTONIC */
	uint64_t memory_used;	 /* its part of what the VM holds */
	uint64_t released_bytes; /* the sum of its RELEASEs */
	uint64_t jobs;
	char gpu_name[VGPU_GPU_NAME_BYTES];
	uint8_t uuid[16]; /* the VM's */
	uint32_t vm_id;
	uint32_t context; /* 1: it has a context on the GPU */
	/* The mailbox's: the VM's context, as the device knows it. */
	uint64_t vm_context;
	uint64_t async_jobs; /* that were accepted, and have not ended; failed ones until told of */
	uint64_t job;	     /* that it was given last and has not done; 0: none */
	/* A channel's. */
	uint32_t channel; /* the device's number */
	uint32_t serial;
	uint32_t entries;
	uint32_t opened; /* 1: OPENED was sent */
	uint64_t region;
	uint64_t region_bytes;
	uint64_t bar_device, bar_inode; /* of BAR2's memfd */
	uint64_t bar_bytes;
	int32_t device_pid; /* the process with the device */
	uint32_t reserved;
	uint64_t device_start; /* its start time, /proc/PID/stat's field 22 */
	/* Believed so far of its grant page. */
	uint64_t submissions, errors, gpu_time_ns, bytes_in, bytes_out, jobs_seen;
	uint64_t moving; /* bytes of the RESERVE or RELEASE that is being handled */
};

VGPU_STATIC_ASSERT(sizeof(struct record) <= RECORD_BYTES, "record");

/*
 * Changes a value at once, and after all that the calling thread changed before. Whoever kills the
 * mediator in between leaves the record as it was up to there.
 */
#define RECORD_SET(record, field, value) __atomic_store_n(&(record)->field, value, __ATOMIC_RELEASE)

/*
 * Makes a record that is all 0 but for magic and version, and its memfd, sealed against any change
 * of size; both are the caller's, and the record outlives the descriptor. Returns 0, or -1 and err.
 */
int record_make(struct record **record, int *fd, struct vgpu_error **err);

/*
 * Maps the record in a memfd that somebody else had. Returns NULL and *record, for record_free(),
 * or what is wrong with it.
 */
const char *record_map(int fd, struct record **record);

/* Unmaps it. NULL is fine. */
void record_free(struct record **record);

/* NULL where a worker with this record can be gone on with, as far as it shows by itself; or why
 * not. */
const char *record_fault(const struct record *record);

#endif
