/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/timer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * heap[0] is the earliest; the children of place n (from 1) are 2n and 2n + 1. `room` is the sum of
 * what was reserved; the array is at least that long and never shrinks.
 */

int timers_reserve(struct timers *timers, size_t more)
{
	struct timer **grown =
		reallocarray(timers->heap, timers->room + more, sizeof(timers->heap[0]));

	if (!grown) {
		errno = ENOMEM;
		return -1;
	}
	timers->heap = grown;
	timers->room += more;
	return 0;
}

void timers_unreserve(struct timers *timers, size_t less)
{
	timers->room -= less;
}

void timers_free(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ .heap = NULL };
}

static void put(struct timers *timers, size_t place, struct timer *timer)
{
	timers->heap[place - 1] = timer;
	timer->place = place;
}

static void sift(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place;

	while (place > 1 && timers->heap[place / 2 - 1]->deadline_ns > timer->deadline_ns) {
		put(timers, place, timers->heap[place / 2 - 1]);
		place /= 2;
	}
	for (;;) {
		size_t child = place * 2;

		if (child > timers->count)
			break;
		if (child < timers->count &&
		    timers->heap[child]->deadline_ns < timers->heap[child - 1]->deadline_ns)
			child++;
		if (timers->heap[child - 1]->deadline_ns >= timer->deadline_ns)
			break;
		put(timers, place, timers->heap[child - 1]);
		place = child;
	}
	put(timers, place, timer);
}

void timer_set(struct timers *timers, struct timer *timer, int64_t deadline_ns)
{
	timer->deadline_ns = deadline_ns;
	if (timer->place == 0)
		put(timers, ++timers->count, timer);
	sift(timers, timer);
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
	struct timer *last;
	size_t place = timer->place;

	if (place == 0)
		return;
	timer->place = 0;
	last = timers->heap[--timers->count];
	if (last == timer)
		return;
	put(timers, place, last);
	sift(timers, last);
}

int64_t timers_next(const struct timers *timers)
{
	return timers->count ? timers->heap[0]->deadline_ns : -1;
}

struct timer *timers_due(struct timers *timers, int64_t now_ns)
{
	struct timer *first = timers->count ? timers->heap[0] : NULL;

	if (!first || first->deadline_ns > now_ns)
		return NULL;
	timer_cancel(timers, first);
	return first;
}
