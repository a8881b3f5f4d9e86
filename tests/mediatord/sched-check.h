/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler's tests share. */
#ifndef VGPU_TESTS_SCHED_CHECK_H
#define VGPU_TESTS_SCHED_CHECK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "mediatord/sched/sched.h"

/* A tenant without any limit. */
static inline struct sched_tenant_config plain_tenant(uint32_t pool, uint32_t priority)
{
	return (struct sched_tenant_config){ .pool = pool, .priority = priority, .weight = 100 };
}

static inline struct sched *new_sched(void)
{
	struct sched *sched = sched_new();

	assert_non_null(sched);
	return sched;
}

static inline void add_tenant(struct sched *sched, uint32_t tenant, uint32_t pool,
			      uint32_t priority)
{
	struct sched_tenant_config config = plain_tenant(pool, priority);

	assert_int_equal(sched_tenant_set(sched, tenant, &config, 0), 0);
}

/* Adds a channel and returns its GPU. */
static inline uint32_t add_channel(struct sched *sched, uint32_t channel, uint32_t tenant)
{
	uint32_t gpu = UINT32_MAX;

	assert_int_equal(sched_channel_add(sched, channel, tenant, &gpu), 0);
	return gpu;
}

static inline void submit(struct sched *sched, uint32_t channel, uint64_t job, int64_t now)
{
	assert_int_equal(sched_submit(sched, channel, job, now), SCHED_ADMITTED);
}

/* The next decision must be to run this job; returns it whole. */
static inline struct sched_decision expect_run(struct sched *sched, uint64_t job, int64_t now)
{
	struct sched_decision decision;

	assert_true(sched_next(sched, now, &decision));
	assert_int_equal(decision.kind, SCHED_RUN);
	assert_int_equal(decision.job, job);
	return decision;
}

/* The next decision must be this one, of this channel; returns it whole. */
static inline struct sched_decision expect(struct sched *sched, enum sched_decision_kind kind,
					   uint32_t channel, int64_t now)
{
	struct sched_decision decision;

	assert_true(sched_next(sched, now, &decision));
	assert_int_equal(decision.kind, kind);
	assert_int_equal(decision.channel, channel);
	return decision;
}

static inline void expect_nothing(struct sched *sched, int64_t now)
{
	struct sched_decision decision;

	assert_false(sched_next(sched, now, &decision));
}

static inline struct sched_tenant_stats stats_of(const struct sched *sched, uint32_t tenant)
{
	struct sched_tenant_stats stats;

	assert_int_equal(sched_tenant_stats(sched, tenant, &stats), 0);
	return stats;
}

#endif
