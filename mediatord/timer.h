/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines: a heap ordered by time, whose entries lie in their owners. Never allocates on setting.
 */
#ifndef VGPU_MEDIATORD_TIMER_H
#define VGPU_MEDIATORD_TIMER_H

#include <stddef.h>
#include <stdint.h>

/* What has come due; each kind has one kind of owner. */
enum timer_kind {
	TIMER_SCHEDULER,       /* struct mediator: sched_deadline() */
	TIMER_LINK_HELLO,      /* struct link: it has said no HELLO */
	TIMER_LINK_REPORT,     /* struct vm: usage or configuration is to be sent */
	TIMER_QUARANTINE,      /* struct vm: its quarantine is over */
	TIMER_MAILBOX_START,   /* struct vm: the mailbox's worker may be started */
	TIMER_CHANNELS_START,  /* struct vm: a channel that waits may be started */
	TIMER_CHANNELS_SAMPLE, /* struct vm: what its channels did is to be read */
	TIMER_CHANNELS_EXPIRE, /* struct vm: a job of its channels may be too long */
	TIMER_WARM,	       /* struct warm: a warm worker may have to be started or ended */
	TIMER_WORKER_START,    /* struct worker: it has not become ready */
	TIMER_WORKER_END,      /* struct worker: it was killed and is still there */
	TIMER_WORKER_LISTEN,   /* struct worker: what it sends may be read again */
	TIMER_KEEPER,	       /* struct keeper_client: connect, or send what is owed */
};

struct timer {
	enum timer_kind kind;
	void *owner;
	int64_t deadline_ns; /* of vgpu_now_ns() */
	size_t place;	     /* in the heap, counted from 1; 0: not set */
};

struct timers {
	struct timer **heap;
	size_t count;
	size_t room;
};

/*
 * Makes room for `more` timers in all, so that timer_set() cannot fail. Whoever creates an owner
 * of timers calls it, and timers_unreserve() when the owner goes. Returns 0, or -1 with ENOMEM.
 */
int timers_reserve(struct timers *timers, size_t more);
void timers_unreserve(struct timers *timers, size_t less);
void timers_free(struct timers *timers);

/* Sets or moves a timer. */
void timer_set(struct timers *timers, struct timer *timer, int64_t deadline_ns);
/* Nothing happens where it is not set. */
void timer_cancel(struct timers *timers, struct timer *timer);
/* The earliest deadline, or -1. */
int64_t timers_next(const struct timers *timers);
/* Takes out and returns a timer whose time has come, or NULL. */
struct timer *timers_due(struct timers *timers, int64_t now_ns);

#endif
