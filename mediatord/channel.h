/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: rings in a region of the VM's BAR2, each served by a worker of its own.
 *
 *   WAITING -> STARTING -> OPEN -> CLOSING        the device's OPEN, READY, the device's CLOSE
 *                  \         \---> BROKEN         its worker was lost
 *                   \------------> ORPHANED       the device was reset, or went
 *
 * A channel whose worker an earlier mediator started begins as OPEN, or, where nobody can go on
 * with it, as ORPHANED.
 *
 * A channel holds its region, its part of the window quota, its place among the VM's channels and
 * what its worker reserved of the GPU's memory until that worker's process was reaped: only then is
 * it certain that nobody writes there any more. The device is told at that time, too. So a device
 * that opens a channel right after it closed, broke or forgot others may have to wait for them: its
 * OPEN is kept as WAITING where it would succeed once they are gone.
 *
 * Memory and descriptors are bounded: a VM has at most VGPU_CHANNELS_MAX channels with a worker,
 * and as many that wait; only those that wait hold the device's eventfds.
 */
#ifndef VGPU_MEDIATORD_CHANNEL_H
#define VGPU_MEDIATORD_CHANNEL_H

#include "common/link.h"
#include "mediatord/backoff.h"
#include "mediatord/grant.h"
#include "mediatord/ledger.h"
#include "mediatord/pace.h"
#include "mediatord/region.h"
#include "mediatord/timer.h"
#include "mediatord/vm_config.h"

struct vm;
struct worker;

enum channel_state {
	CHANNEL_WAITING,  /* has no worker yet */
	CHANNEL_STARTING, /* its worker is not ready */
	CHANNEL_OPEN,
	CHANNEL_CLOSING,  /* its worker was told to end, or killed */
	CHANNEL_BROKEN,	  /* its worker was lost, and killed */
	CHANNEL_ORPHANED, /* killed as well; the device knows nothing of it */
};

struct channel {
	struct channel *next; /* among the VM's, in the order of their OPENs */
	struct vm *vm;
	uint32_t number; /* the device's */
	uint32_t serial; /* of its OPEN */
	enum channel_state state;
	bool opened;	/* the device was told that it is open */
	uint32_t error; /* BROKEN: what the device is to be told */
	uint32_t entries;
	uint64_t bytes; /* rings and window */
	int doorbell;	/* WAITING only, as completion; else -1 */
	int completion;
	/* From STARTING on. */
	struct region region;
	struct worker *worker;
	uint32_t sched_channel;
	bool scheduled; /* the scheduler has the channel */
	bool granted;	/* and let it have the GPU; it has not yielded since */
	bool contended; /* while others wait for it */
	bool revoked;	/* and it is to yield */
	bool wants;	/* and has said already that it wants it again */
	bool stuck;	/* killed long ago: nothing waits for its end any more */
	struct grant grant;
};

/* What a VM has of them. */
struct channels {
	struct channel *first;
	struct region_map bar;
	struct ledger window; /* bytes of regions */
	struct backoff backoff;
	struct pace pace;    /* of starts */
	struct timer start;  /* one that waits may be started */
	struct timer sample; /* what the workers did is to be read */
	struct timer expire; /* a job of theirs may be too long */
	int64_t sample_interval_ns;
};

/* Timers that channels_init()'s caller reserves. */
#define CHANNELS_TIMERS 3

void channels_init(struct vm *vm);
/* The VM goes; workers that are still there have no VM from now on. */
void channels_free(struct vm *vm);

/* A device with a BAR2 of that many bytes was welcomed. */
void channels_attach(struct vm *vm, uint64_t window_bytes);

/*
 * The device's OPEN, with two descriptors that are its own eventfds; both move here. What a guest
 * can ask for, and a correct device pass on, is answered with OPENED and an error: rings of a wrong
 * size or no proper window (VGPU_ERR_INVALID_REQUEST), more than the quotas or BAR2 allow
 * (VGPU_ERR_CHANNEL_LIMIT, VGPU_ERR_WINDOW_LIMIT), a worker that cannot be started
 * (VGPU_ERR_UNAVAILABLE). Returns NULL, or what no correct device does, for which the link has to
 * go. Both may drop the link: look at vm->link afterwards.
 */
const char *channel_open(struct vm *vm, const struct vgpu_link_open *open, int fds[2]);

/*
 * The device's CLOSE of a channel below VGPU_CHANNELS_MAX: it is answered with CLOSED when the
 * channel's worker was reaped, which is killed if it has not ended by itself 2 s later. Returns
 * false where there is no such channel of this serial. May drop the link.
 */
bool channel_close(struct vm *vm, uint32_t number, uint32_t serial);

/* Tells the device, if there is one, that a channel is closed. May drop the link. */
void channel_send_closed(struct vm *vm, uint32_t number, uint32_t serial, uint32_t error);

/* The device was reset, or went: kills every channel's worker. Sends nothing, now or later. */
void channels_reset(struct vm *vm);

/* As if each had lost its worker, with this VGPU_ERR_*; text says why. */
void channels_break(struct vm *vm, uint32_t error, const char *text);

/* After that: kills what ends already, too. The scheduler has none of them afterwards. */
void channels_leave(struct vm *vm);

/*
 * Tells the device that no channel of it is open any more, or will be, since the link is about to
 * go for good; on a link that merely went, what is open would wait for a mediator to resume it.
 * Changes nothing else. May drop the link.
 */
void channels_forsake(struct vm *vm);

/* Something changed that one that waits may have waited for. May drop the link. */
void channels_advance(struct vm *vm);

/*
 * A worker that was kept, with a record that is sound, and its memory in no ledger yet: goes on
 * with the channel that it serves. Returns NULL, or why that cannot be, and nothing is changed.
 */
const char *channel_adopt(struct vm *vm, struct worker *worker);

/*
 * As channel_adopt(), of a worker that is being killed: what it holds is the VM's, and its region
 * taken, until it was reaped.
 */
void channel_adopt_orphan(struct vm *vm, struct worker *worker);

/* The VM's quota, or its use of memory changed: tells every worker through its grant page. */
void channels_publish(struct vm *vm);

/* Reads what the workers did so far into channels.done. Returns whether anything was new. */
bool channels_sample(struct vm *vm);
void channels_sample_due(struct vm *vm);

/* Looks for news of them from now on. */
void channels_sample_soon(struct vm *vm);

/* Ends the channels with a job that is longer on the GPU than the VM may have one, in time. */
void channels_expire_due(struct vm *vm);

/* The VM's longest job may be another now, or have more channels to hold for. */
void channels_expire_soon(struct vm *vm);

/* Whether any of them has work on a GPU, as its worker says. */
bool channels_busy(const struct vm *vm);

/* Fills the entries of channels that the device has; returns their number. */
uint32_t channels_status(const struct vm *vm, struct vm_channel_status status[VGPU_CHANNELS_MAX]);

/* From worker.c; each may drop the link. */
void channel_worker_ready(struct channel *channel);
void channel_worker_lost(struct channel *channel, const char *text);
/* Its guest broke the ring, the worker says. */
void channel_ring_broken(struct channel *channel, const char *text);
/* Its process was reaped; frees the channel. */
void channel_worker_gone(struct channel *channel);
/* It was killed long ago and is still there. */
void channel_worker_stuck(struct channel *channel);

/* For channel*.c and resume.c. */

/* The channel that the device knows by a number, or NULL. */
struct channel *channel_find(const struct vm *vm, uint32_t number);
/* Kills a channel's worker; what the channel holds it keeps until that was reaped. */
void channel_kill(struct channel *channel, enum channel_state state);

/* Takes it out of the scheduler: whoever comes next may use its GPU. */
void channel_unschedule(struct channel *channel);
/*
 * A scheduler's channel on a GPU of the VM's pool, or, where it is there already, on *gpu. Returns
 * 0, or -1 with errno.
 */
int channel_schedule(struct channel *channel, uint32_t *gpu, bool there);
/* As channels_sample(), of one. */
bool channel_sample(struct channel *channel);

#endif
