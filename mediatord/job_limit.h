/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the mediator looks whether a ring's job is too long. Its worker says in shared memory since
 * when the GPU works, and tells nobody when that begins: the mediator has to look. A job is found
 * in time by a look that comes within its limit after its start, which then says when it has to
 * end. Those looks are at multiples of a time that is the same for VMs with similar limits, so that
 * however many there are, they wake the mediator together. Pure.
 */
#ifndef VGPU_MEDIATORD_JOB_LIMIT_H
#define VGPU_MEDIATORD_JOB_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

/* A job is ended within its limit and this. */
#define JOB_LIMIT_TICK_NS (25 * VGPU_NS_PER_MS / 4)
/* The longest time between two looks: a tick, doubled seven times. */
#define JOB_LIMIT_LOOK_NS (128 * JOB_LIMIT_TICK_NS)

/* The first multiple of a step at or after a time. */
static inline int64_t job_limit_align(int64_t at_ns, int64_t step_ns)
{
	int64_t over = at_ns % step_ns;

	return over ? at_ns + step_ns - over : at_ns;
}

/* Whether a job that is on the GPU since then, 0 for none, is too long. */
static inline bool job_limit_reached(int64_t since_ns, int64_t limit_ns, int64_t now_ns)
{
	return since_ns && now_ns - since_ns >= limit_ns;
}

/* When to look again at a channel whose job, if it has one, is not too long. limit_ns is above 0.
 */
static inline int64_t job_limit_look(int64_t since_ns, int64_t limit_ns, int64_t now_ns)
{
	int64_t step = JOB_LIMIT_LOOK_NS, look, end;

	while (step > limit_ns && step > JOB_LIMIT_TICK_NS)
		step /= 2;
	look = job_limit_align(now_ns + 1, step);
	if (!since_ns)
		return look;
	end = job_limit_align(since_ns + limit_ns, JOB_LIMIT_TICK_NS);
	return end < look ? end : look;
}

#endif
