/* SPDX-License-Identifier: Apache-2.0 */
/* A worker process as the mediator sees it: started, spoken to, killed, reaped. */
#ifndef VGPU_MEDIATORD_WORKER_H
#define VGPU_MEDIATORD_WORKER_H

#include "mediatord/vm.h"
#include "mediatord/worker_protocol.h"

#define WORKER_START_NS (10 * VGPU_NS_PER_SECOND)
#define WORKER_END_NS	(10 * VGPU_NS_PER_SECOND)

enum worker_state {
	WORKER_STARTING,
	WORKER_READY,
	WORKER_ENDING, /* killed, not yet reaped */
};

struct worker {
	struct worker *next; /* among the mediator's */
	struct mediator *mediator;
	struct vm *vm; /* NULL: deleted meanwhile */
	enum worker_state state;
	pid_t pid;
	bool reaped;
	uint32_t gpu;
	int fd; /* control socket; -1 when ending */
	struct source *source;
	struct timer timer; /* of the start, then of the end */
	uint64_t jobs;	    /* completed */
	/* Set when it was killed: the scheduler's channel is still there, with this job running. */
	bool holds_gpu;
	uint64_t last_job;
	int64_t last_job_run_ns;
};

/* Starts the VM's worker. Returns 0 with vm->worker set, or -1 and err. */
int worker_start(struct vm *vm, uint32_t gpu, struct vgpu_error **err);

/* Returns 0, or -1 with errno: the worker is of no use any more. */
int worker_send_job(struct worker *worker, const struct job *job, uint64_t memory_used);

/* Kills it and stops listening to it. It stays the VM's worker until it was reaped. */
void worker_kill(struct worker *worker);

/* Its control socket has packets, or it closed it. */
void worker_readable(struct worker *worker);
void worker_due(struct worker *worker);

/* SIGCHLD: reaps every process that ended. */
void worker_reap(struct mediator *mediator);

#endif
