/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/plan.h"

#define MS_PER_SECOND	 INT64_C(1000)
#define BACKOFF_MS	 (10 * MS_PER_SECOND)
#define BACKOFF_DOUBLES	 5
#define WAKE_PAUSE_SHARE 30 /* of the interval: between resyncs that events ask for */
#define JITTER_SHARE	 10 /* of the interval */

static int64_t share(int64_t max_ms, uint32_t chance)
{
	return max_ms * chance / UINT32_MAX;
}

void plan_begin(struct plan *plan, unsigned int interval_s, int64_t now_ms, uint32_t chance)
{
	*plan = (struct plan){ .last_ms = now_ms };
	plan_interval(plan, interval_s);
	plan->next_ms = now_ms + share(plan->interval_ms / JITTER_SHARE, chance);
}

void plan_interval(struct plan *plan, unsigned int interval_s)
{
	plan->interval_ms = interval_s * MS_PER_SECOND;
}

void plan_at_once(struct plan *plan, int64_t now_ms)
{
	plan->next_ms = now_ms;
}

void plan_wake(struct plan *plan, int64_t now_ms, uint32_t chance)
{
	int64_t pause = plan->interval_ms / WAKE_PAUSE_SHARE;
	int64_t at = plan->last_ms + pause;

	/* One throw for all of them: the least of many would be no chance at all. */
	if (plan->failures > 0 || plan->woken)
		return;
	plan->woken = true;
	if (at < now_ms)
		at = now_ms;
	at += share(pause, chance);
	if (at < plan->next_ms)
		plan->next_ms = at;
}

void plan_succeeded(struct plan *plan, int64_t now_ms, uint32_t chance)
{
	int64_t jitter = plan->interval_ms / JITTER_SHARE;

	plan->failures = 0;
	plan->woken = false;
	plan->last_ms = now_ms;
	plan->next_ms = now_ms + plan->interval_ms - jitter + share(2 * jitter, chance);
}

int64_t plan_failed(struct plan *plan, unsigned int retry_after_s, int64_t now_ms, uint32_t chance)
{
	unsigned int doubles = plan->failures < BACKOFF_DOUBLES ? plan->failures : BACKOFF_DOUBLES;
	int64_t wait = BACKOFF_MS << doubles;

	if (wait < retry_after_s * MS_PER_SECOND)
		wait = retry_after_s * MS_PER_SECOND;
	wait += share(wait / JITTER_SHARE, chance);
	plan->failures++;
	plan->woken = false;
	plan->last_ms = now_ms;
	plan->next_ms = now_ms + wait;
	return wait;
}
