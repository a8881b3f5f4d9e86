/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a VM's faults are too many: a pure module, as sched.h: events and times in, state out. A
 * fault is what the caller counts as one: a job that ran too long, a worker that was killed or
 * lost. After so many in a period the VM is quarantined, until a time has passed or an operator
 * releases it; what is refused then, and how, is the caller's. mediatord.conf(5) has the defaults.
 */
#ifndef VGPU_MEDIATORD_QUARANTINE_H
#define VGPU_MEDIATORD_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

#define QUARANTINE_FAULTS_MAX 32u

#define QUARANTINE_FAULTS      5u
#define QUARANTINE_PERIOD_NS   (60 * VGPU_NS_PER_SECOND)
#define QUARANTINE_DURATION_NS (600 * VGPU_NS_PER_SECOND)

struct quarantine_config {
	uint32_t faults;     /* so many, at most QUARANTINE_FAULTS_MAX; 0: never */
	int64_t period_ns;   /* within so long */
	int64_t duration_ns; /* for so long; 0: until it is released */
};

/* Until it is released. */
#define QUARANTINE_FOREVER INT64_MAX

/* Of one VM. All zero: nothing happened. */
struct quarantine {
	int64_t faults[QUARANTINE_FAULTS_MAX]; /* when they happened: a ring */
	uint32_t last;			       /* the place of the newest */
	uint32_t count;
	bool active;
	int64_t until_ns; /* where active */
};

/*
 * A fault happened. Returns whether it is the one that begins a quarantine: the faults up to it
 * count no more. While one lasts they are not counted.
 */
bool quarantine_fault(struct quarantine *quarantine, const struct quarantine_config *config,
		      int64_t now_ns);

/* Begins one now, or sets the time anew: an operator's, or one from before a restart. */
void quarantine_begin(struct quarantine *quarantine, int64_t until_ns);

/* Ends one, and forgets the faults. Returns whether there was one. */
bool quarantine_release(struct quarantine *quarantine);

/* Whether one lasts. It ends by itself at its time. */
bool quarantine_active(struct quarantine *quarantine, int64_t now_ns);

#endif
