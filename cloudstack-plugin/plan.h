/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to resync. Pure: what time it is, in milliseconds of a clock that never goes back, and
 * chance, from 0 to UINT32_MAX, are given.
 */
#ifndef VGPU_CLOUDSTACK_PLAN_H
#define VGPU_CLOUDSTACK_PLAN_H

#include <stdbool.h>
#include <stdint.h>

struct plan {
	int64_t interval_ms;
	int64_t next_ms;       /* when a resync is due */
	int64_t last_ms;       /* when the last one ended */
	unsigned int failures; /* in a row */
	bool woken;	       /* next_ms is an event's */
};

/* The first is due within a tenth of the interval: hosts that start together do not ask together.
 */
void plan_begin(struct plan *plan, unsigned int interval_s, int64_t now_ms, uint32_t chance);

/* From now on the interval is another; what is due stays so. */
void plan_interval(struct plan *plan, unsigned int interval_s);

/* Somebody wants one at once. */
void plan_at_once(struct plan *plan, int64_t now_ms);

/*
 * An event is a reason to look soon: a thirtieth of the interval or two after the last resync, once
 * for however many events. It is none after a failure, whose time to try again stays.
 */
void plan_wake(struct plan *plan, int64_t now_ms, uint32_t chance);

/* One ended well: the next is due after the interval, a tenth of it more or less. */
void plan_succeeded(struct plan *plan, int64_t now_ms, uint32_t chance);

/*
 * One failed: the next is due after 10 s, then after twice as long each time, up to 320 s, or after
 * the seconds that CloudStack asked for where those are more; and up to a tenth longer. Returns the
 * milliseconds until then.
 */
int64_t plan_failed(struct plan *plan, unsigned int retry_after_s, int64_t now_ms, uint32_t chance);

#endif
