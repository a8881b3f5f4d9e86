/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM: its configuration, its link, its mailbox's jobs from the request to the answer, their
 * worker, and what the VM holds; channel.h has its channels. This file's functions keep the VM, its
 * worker and the scheduler in step:
 *
 *   A request waits in `pending` until there is a worker that is ready; so a worker that starts
 *   never holds up a GPU. Then it is submitted to the scheduler and queued. The first of the queue
 *   may run; it is the scheduler that says when.
 *
 *   The scheduler's channel lives as long as the worker's process: it is added when that is
 *   started, and removed when it was reaped (or sooner, where nothing of it ran). So a GPU is never
 *   given to another while a killed worker may still be using it.
 */
#ifndef VGPU_MEDIATORD_VM_H
#define VGPU_MEDIATORD_VM_H

#include "common/link.h"
#include "common/log.h"
#include "mediatord/backoff.h"
#include "mediatord/channel.h"
#include "mediatord/events.h"
#include "mediatord/ledger.h"
#include "mediatord/mediator.h"
#include "mediatord/pace.h"
#include "mediatord/resume.h"
#include "mediatord/vm_call.h"
#include "mediatord/vm_config.h"

struct link;
struct worker;

/* Whom an answer goes to: the VM's device, or, with `call`, another way in (vm_call.h). */
struct vm_asker {
	struct vm_call *call;
	uint64_t tag; /* the device's */
};

struct job {
	struct job *next;
	uint64_t id;
	struct vm_asker asker;
	bool answered; /* asynchronous, and already accepted */
	bool async;
	uint32_t opcode;
	int64_t arrived_ns;
	int64_t run_ns; /* when it went to the worker; 0 before */
	uint32_t length;
	uint8_t request[];
};

struct vm {
	struct vm *next_uuid, *next_id; /* in the mediator's tables */
	struct mediator *mediator;
	struct vm_config config;
	const struct config_pool *pool;
	char label[VGPU_VM_NAME_MAX + 32]; /* for log lines */

	char *link_path;
	int listen_fd;
	struct source *listener;
	struct link *link;		 /* the device that was welcomed, or NULL */
	struct link *half_open;		 /* connected, but no HELLO yet */
	unsigned int half_open_count[2]; /* of peers that are this VM [1], and that are not [0] */
	struct vgpu_log_limit refusal_log, event_log, channel_log, told_limit;

	struct job *pending; /* wait for the worker: at most one of each way in */
	struct job *queue;   /* submitted, in order */
	struct job **queue_end;
	uint32_t queued;
	uint32_t accepted;    /* of them, that were answered */
	uint32_t async_error; /* the first of an asynchronous request; for the next SYNCHRONIZE */

	struct worker *worker;	/* the mailbox's, or NULL */
	struct backoff backoff; /* of workers lost in a row, none of which completed a job */
	bool start_failed;	/* the last could not be started */
	struct pace pace;	/* of starts: a reset ends the worker, and a guest can have many */
	struct timer start;	/* one that is wanted may be started */
	struct pace messages;	/* of all its workers */
	uint64_t context;
	char gpu_name[VGPU_GPU_NAME_BYTES]; /* of the last ready worker */

	struct channels channels;
	struct quarantine quarantine;
	struct usage_quarantine quarantine_kept;
	struct timer release; /* the quarantine is over */
	struct resume resume;

	struct ledger memory; /* over all workers that were not reaped yet */
	struct usage usage;   /* with what its channels' workers did, as far as it was looked at */
	struct vm_usage kept; /* what control_usages() said last */

	/* What the device was told last, and when. */
	struct timer report;
	struct vgpu_link_config sent_config;
	struct vgpu_link_usage sent_usage;
	int64_t sent_usage_ns;
};

/*
 * Makes a VM with its link socket and its place in the scheduler. Returns 0 and a VM to end with
 * vm_free(), or -1 and err.
 */
int vm_new(struct mediator *mediator, const struct vm_config *config, struct vm **vm,
	   struct vgpu_error **err);

/* Closes the link, kills the worker (which is reaped later), removes the link socket. */
void vm_free(struct vm **vm);

/* The mediator goes, and its workers stay: closes the link and removes its socket. */
void vm_leave(struct vm **vm);

/*
 * Changes a VM at run time. Another pool or vm_id ends its worker. Returns 0, or -1 and err with
 * the configuration as it was.
 */
int vm_change(struct vm *vm, const struct vm_config *config, struct vgpu_error **err);

/* Also reads what the channels' workers did so far. */
void vm_status(struct vm *vm, struct vm_status *status);

/*
 * A request: `length` bytes that nobody else can change. Answers it, or queues it. The answer may
 * find the device's socket full and drop the link: look at vm->link afterwards.
 */
void vm_request(struct vm *vm, struct vm_asker asker, const uint8_t *bytes, uint32_t length);

/*
 * vm_answer.c. The answer to a request, of which nothing is kept any more; counts nothing. May drop
 * the link, and with it all jobs.
 */
void vm_answer(struct vm *vm, struct vm_asker asker, uint32_t error, const uint8_t *response,
	       uint32_t length);
void vm_answer_text(struct vm *vm, struct vm_asker asker, uint32_t error, const char *text);

/* Answers and counts a request that comes to nothing, for what text says. May drop the link. */
void vm_refuse(struct vm *vm, struct vm_asker asker, uint32_t error, const char *text);

/* The device or its link went, or was reset: forgets all jobs, unanswered, and ends all workers. */
void vm_reset(struct vm *vm);

/* The scheduler's decisions. */
void vm_run(struct vm *vm, uint64_t job);
void vm_expire(struct vm *vm, uint64_t job);

/* The GPU of its mailbox's worker failed. */
void vm_gpu_lost(struct vm *vm);

/* From worker.c. */
void vm_worker_ready(struct vm *vm);
/* A job's result; returns false where no such job is running, which no honest worker reports. */
bool vm_worker_done(struct vm *vm, uint64_t job, uint64_t gpu_time_ns, uint32_t error,
		    const uint8_t *response, uint32_t length);
/* The worker is of no use any more, for a reason that was not ours; text says it to the tenant. */
void vm_worker_lost(struct vm *vm, const char *text);
/* Its process was reaped. */
void vm_worker_gone(struct vm *vm);
/* It was killed long ago and is still there. */
void vm_worker_stuck(struct vm *vm);

/*
 * Where a request waits and there is no worker, starts one, now or when that is allowed, or refuses
 * the request. May drop the link.
 */
void vm_want_worker(struct vm *vm);

/*
 * Ends its workers: the device is told with this error of its channels and of the request under
 * way. May drop the link.
 */
void vm_end(struct vm *vm, uint32_t error, const char *text);

/* Counts a job of the mailbox that has ended now, and its times. */
void vm_count_job(struct vm *vm, const struct job *job, uint64_t gpu_time_ns, int64_t now_ns);

/* Counts a request, or an OPEN, that was refused with this VGPU_ERR_*. */
void vm_count_refusal(struct vm *vm, uint32_t error);

/* vm_quarantine.c */
#define VM_QUARANTINE_TEXT                                                                         \
	"the VM is in quarantine, until its time is over or the host's operator releases it"
#define VM_QUARANTINE_BY_OPERATOR "by the operator"
/*
 * Something went wrong that is the VM's doing; text says what. Too many of them quarantine it. May
 * drop the link.
 */
void vm_count_fault(struct vm *vm, const char *text);
/* Whether it is in quarantine now: what it asks for is refused, with VGPU_ERR_QUARANTINED. */
bool vm_quarantined(struct vm *vm);
/* Puts it there until then (CLOCK_MONOTONIC), and ends what it has; may drop the link. */
void vm_quarantine(struct vm *vm, int64_t until_ns);
/* Takes it out again. */
void vm_release(struct vm *vm);
/* Its time is over. */
void vm_quarantine_due(struct vm *vm);
/* Goes on with one that an earlier mediator began, where its time is not over. */
void vm_quarantine_restore(struct vm *vm, const struct usage_quarantine *kept);

/* vm_event.c: what those are told who follow the events; text may be "". */
void vm_tell(struct vm *vm, enum event_type type, pid_t pid, const char *text);
void vm_tell_channel(struct vm *vm, enum event_type type, uint32_t channel);

/* vm_tenant.c: gives the scheduler what the configuration says. Returns 0, or -1 and err. */
int vm_tenant_set(struct mediator *mediator, const struct vm_config *config,
		  const struct config_pool *pool, struct vgpu_error **err);
/* The same for one that is there, of which no channel is where its pool or id changes. */
int vm_tenant_change(const struct vm *vm, const struct vm_config *config,
		     const struct config_pool *pool, struct vgpu_error **err);
/* Whether a pool, its own or another, can promise it what the configuration says. */
int vm_tenant_check(const struct vm *vm, const struct vm_config *config,
		    const struct config_pool *pool, struct vgpu_error **err);

/* vm_log.c */
void vm_log_init(struct vm *vm);
/*
 * One log line, begun with the VM's label and with fields that name the VM beside those given (or
 * NULL), about what its device or its worker did. A tenant can bring such events about without end,
 * so only so many lines of each VM are written.
 */
void vm_log_fields(struct vm *vm, int level, const struct vgpu_log_field *fields,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));
#define vm_log(vm, level, ...) vm_log_fields(vm, level, NULL, __VA_ARGS__)
/* Of what those who follow the events are told, too. */
#define vm_log_event(vm, level, type, ...)                                                         \
	vm_log_fields(vm, level, (const struct vgpu_log_field[])LOG_EVENT(type), __VA_ARGS__)
/*
 * That a channel was opened or closed; with a bound of its own, so that they do not keep what its
 * workers do out of the log.
 */
void vm_log_channel(struct vm *vm, enum event_type type, uint32_t channel);
/* Without that bound, for what has one of its own. */
void vm_log_always(const struct vm *vm, int level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Tells the device what changed: at once, or (usage) when 100 ms have passed since the last. */
void vm_report(struct vm *vm);
/* The same of its usage alone. */
void vm_report_usage(struct vm *vm);

#endif
