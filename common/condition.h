/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/* Conditions that are waited for until a time of vgpu_now_ns(). */
#ifndef VGPU_COMMON_CONDITION_H
#define VGPU_COMMON_CONDITION_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "common/clock.h"

static inline void vgpu_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* The mutex is held. Returns false when it is that late, and else as pthread_cond_wait(). */
static inline bool vgpu_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex,
				       int64_t until_ns)
{
	const struct timespec time = { .tv_sec = until_ns / VGPU_NS_PER_SECOND,
				       .tv_nsec = until_ns % VGPU_NS_PER_SECOND };

	return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT;
}

#endif
