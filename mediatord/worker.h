/* SPDX-License-Identifier: Apache-2.0 */
/* A worker process as the mediator sees it: started, adopted, spoken to, killed, reaped. */
#ifndef VGPU_MEDIATORD_WORKER_H
#define VGPU_MEDIATORD_WORKER_H

#include "mediatord/keeper_client.h"
#include "mediatord/record.h"
#include "mediatord/vm.h"
#include "mediatord/worker_protocol.h"

#define WORKER_START_NS (10 * VGPU_NS_PER_SECOND)
#define WORKER_END_NS	(10 * VGPU_NS_PER_SECOND)

/* How long a channel's worker may take to empty its region and exit. */
#define WORKER_FINISH_NS (2 * VGPU_NS_PER_SECOND)

enum worker_state {
	WORKER_KEPT,	 /* an earlier mediator's, of which nothing is decided yet */
	WORKER_WARM,	 /* PREPARE was sent; it is nobody's yet */
	WORKER_STARTING, /* PREPARE and START were sent */
	WORKER_ADOPTING, /* ADOPT was sent */
	WORKER_READY,
	WORKER_FINISHING, /* told to end; a channel's only */
	WORKER_ENDING,	  /* killed, not yet reaped */
};

/* The descriptors of a channel's START, in their order, but for the grant page. */
enum worker_fd {
	WORKER_FD_BAR,
	WORKER_FD_DOORBELL,
	WORKER_FD_COMPLETION,
	WORKER_FDS
};

/* What a channel's worker is given; the descriptors stay the caller's. */
struct worker_rings {
	uint64_t region;
	uint64_t region_bytes;
	uint32_t entries;
	int fds[WORKER_FDS];
	struct grant *grant; /* where the worker's grant page goes */
};

struct worker {
	struct worker *next; /* among the mediator's */
	struct mediator *mediator;
	struct vm *vm;		 /* NULL: deleted meanwhile, or there never was one */
	struct channel *channel; /* NULL: it serves the mailbox */
	struct warm_gpu *warm;	 /* NULL: warm.c does not know it, or no more */
	enum worker_state state;
	struct keeper_worker *process;
	struct record *record; /* NULL: of no use */
	struct grant grant;    /* until a channel takes it */
	bool prepared;	       /* PREPARED came */
	bool context;	       /* it has one on its GPU, or makes it; the pools count it */
	bool reaped;
	uint32_t gpu;
	struct source *source; /* of the control socket; NULL where nobody listens any more */
	struct timer timer;    /* of the start, then of the end */
	struct timer listen;   /* it sent too much: nobody listens until then */
	int64_t start_ns;
	char gpu_name[VGPU_GPU_NAME_BYTES]; /* once it is prepared */
	struct ledger memory;		    /* its part of what the VM holds */
	uint64_t released_bytes;	    /* the sum of its RELEASEs */
	uint64_t window_bytes;		    /* that the pools count for it until it was reaped */
	uint64_t jobs;			    /* completed */
	bool adopted;			    /* an earlier mediator started it */
	uint64_t old_job;		    /* that an earlier mediator gave it; 0: none */
	/* Set when it was killed: the scheduler's channel is still there, with this job running. */
	bool holds_gpu;
	uint64_t last_job;
	int64_t last_job_run_ns;
};

/*
 * Starts a process that opens the GPU and is nobody's yet, WORKER_WARM. Returns 0 with *worker set,
 * which frees itself when it was reaped, or -1 and err.
 */
int worker_prepare(struct mediator *mediator, uint32_t gpu, struct worker **worker,
		   struct vgpu_error **err);

/*
 * Starts a worker of the VM for its mailbox, or, where channel and rings are not NULL, for a
 * channel; the VM has a link. It is a warm one where there is one. Returns 0 with *worker set,
 * which frees itself when it was reaped, or -1 and err.
 */
int worker_start(struct vm *vm, uint32_t gpu, struct channel *channel,
		 const struct worker_rings *rings, struct worker **worker, struct vgpu_error **err);

/*
 * A worker that an earlier mediator started becomes one of ours, WORKER_KEPT and without a VM.
 * Returns 0, or -1 with ENOMEM.
 */
int worker_keep(struct mediator *mediator, struct keeper_worker *process);

/*
 * Goes on with a worker that was kept, once it has its VM, its channel if it serves one, its record
 * and what it holds: sends ADOPT and listens to it. Returns 0, or -1 with errno.
 */
int worker_adopt(struct worker *worker);

/* Returns 0, or -1 with errno: the worker is of no use any more. */
int worker_send_job(struct worker *worker, const struct job *job, uint64_t memory_used);

/* Tells a channel's worker, which is ready, to end by itself, and kills it if it has not in time.
 */
void worker_end(struct worker *worker);

/* Has it look at its grant page; it looks by itself when it reads no messages. */
void worker_wake(struct worker *worker);

/* Kills it and stops listening to it. It stays the VM's worker until it was reaped. */
void worker_kill(struct worker *worker);

/* Forgets it here, not in the keeper: it goes on, for the next mediator. */
void worker_leave(struct worker *worker);

/* For the log; 0 before it is running. */
pid_t worker_pid(const struct worker *worker);

/*
 * As vm_log(), about a worker, also of a VM that was deleted, and with fields that name it, its
 * channel and its GPU, and the event (or NULL).
 */
void worker_log_event(const struct worker *worker, int level, const char *event, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));
#define worker_log(worker, level, ...) worker_log_event(worker, level, NULL, __VA_ARGS__)

/* Watches its control socket. Returns 0, or -1 with errno. */
int worker_listen(struct worker *worker);
/* Its control socket has packets, or it closed it. */
void worker_readable(struct worker *worker);
void worker_due(struct worker *worker);
void worker_listen_due(struct worker *worker);

/* From keeper_client.h. */
void worker_spawned(void *owner);
void worker_failed(void *owner, const struct vgpu_error *err);
void worker_ended(void *owner, int status);

#endif
