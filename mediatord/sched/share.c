/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a seat is charged with. While it has its turn and others wait, or its own limit counts every
 * nanosecond, that is the time that passes: from its first grant to its last yield, whatever its
 * workers say. While it is alone and without a limit it is what its workers say that they used, and
 * never more than the time that passed.
 *
 * The charge over the weight is its *virtual time*: who has the least in a class goes first.
 *
 * The two shares are buckets in *percent-nanoseconds*: a hundredth of a nanosecond of the GPU's
 * time, so that a share of p percent grows by p each nanosecond and nothing is rounded.
 *
 * time_max_percent fills `allowance` with p a nanosecond and each charged one takes 100. It holds
 * p (1 - p) of the period: what lets a tenant that never stops run its share of one period at a
 * stretch. So in any time t it has at most p t + p (1 - p) period, and what was on the GPU when it
 * was revoked: over 1 s, 2.5 percentage points more than p at most, with a period of 100 ms. When
 * it is empty the seat waits until it holds enough for a slice.
 *
 * time_guaranteed_percent fills `arrears` with p a nanosecond and each of its turns' nanoseconds
 * takes 100; work that comes where there was none finds no arrears. At more than a slice of it the
 * seat goes ahead of the classes until there is none left. The bounds on both sides say how far
 * back its past counts.
 */
#include "mediatord/sched/internal.h"

#define PERCENT 100
/* Beyond it every bucket is full: a bound so that nothing overflows. */
#define ELAPSED_MAX (INT64_C(1) << 50)
/* The weight at which virtual time is time. */
#define WEIGHT_UNIT 100u

static int64_t max_percent(const struct seat *seat)
{
	return seat->tenant->config.time_max_percent;
}

static int64_t guaranteed_percent(const struct seat *seat)
{
	return seat->tenant->config.time_guaranteed_percent;
}

/* Whether time_max_percent limits anything. */
static bool is_limited(const struct seat *seat)
{
	return max_percent(seat) > 0 && max_percent(seat) < PERCENT;
}

static int64_t at_most(int64_t value, int64_t most)
{
	return value < most ? value : most;
}

static int64_t divide_up(int64_t value, int64_t by)
{
	return value / by + (value % by != 0);
}

/* How far a share of so many percent may run ahead. */
static int64_t bucket(const struct sched *sched, int64_t percent)
{
	return percent * (PERCENT - percent) * (sched->params.period_ns / PERCENT) + 1;
}

/* The allowance with which a seat may begin a turn: a slice, of which a part grows meanwhile. */
static int64_t allowance_least(const struct sched *sched, const struct seat *seat)
{
	return at_most(bucket(sched, max_percent(seat)),
		       sched->params.slice_ns * (PERCENT - max_percent(seat)));
}

/* The arrears at which a seat goes ahead. */
static int64_t arrears_least(const struct sched *sched)
{
	return sched->params.slice_ns * PERCENT;
}

static int64_t arrears_most(const struct sched *sched, const struct seat *seat)
{
	int64_t period = guaranteed_percent(seat) * sched->params.period_ns;
	int64_t least = 2 * arrears_least(sched);

	return period > least ? period : least;
}

bool gpu_contended(const struct gpu *gpu)
{
	return gpu->turn.owner && (gpu->waiting > 0 || is_limited(gpu->turn.owner));
}

static void charge(struct seat *seat, int64_t ns)
{
	uint64_t scaled = (uint64_t)ns * WEIGHT_UNIT + seat->virtual_rest;
	uint32_t weight = seat->tenant->config.weight;

	seat->virtual_time += scaled / weight;
	seat->virtual_rest = scaled % weight;
	seat->tenant->stats.held_ns += (uint64_t)ns;
}

static void settle_allowance(const struct sched *sched, struct seat *seat, int64_t ns, bool owner)
{
	if (!is_limited(seat))
		return;
	seat->allowance += ns * (max_percent(seat) - (owner ? PERCENT : 0));
	seat->allowance = at_most(seat->allowance, bucket(sched, max_percent(seat)));
}

static void settle_arrears(const struct sched *sched, struct seat *seat, int64_t ns, bool owner)
{
	int64_t percent = guaranteed_percent(seat);

	if (percent == 0)
		return;
	seat->arrears += ns * (percent - (owner ? PERCENT : 0));
	seat->arrears = at_most(seat->arrears, arrears_most(sched, seat));
	if (seat->arrears < -bucket(sched, percent))
		seat->arrears = -bucket(sched, percent);
}

void seat_settle(const struct sched *sched, struct seat *seat, int64_t now_ns)
{
	bool owner = seat->gpu->turn.owner == seat;
	int64_t elapsed = now_ns - seat->settled_ns;

	if (elapsed <= 0)
		return;
	seat->settled_ns = now_ns;
	if (owner && gpu_contended(seat->gpu))
		charge(seat, elapsed);
	else if (owner)
		seat->unclaimed_ns = later(seat->unclaimed_ns, elapsed);
	settle_allowance(sched, seat, at_most(elapsed, ELAPSED_MAX), owner);
	settle_arrears(sched, seat, at_most(elapsed, ELAPSED_MAX), owner);
}

void seat_claim(struct seat *seat, int64_t gpu_time_ns)
{
	int64_t ns = at_most(gpu_time_ns, seat->unclaimed_ns);

	if (seat->gpu->turn.owner != seat)
		return;
	seat->unclaimed_ns -= ns;
	charge(seat, ns);
}

void share_init(const struct sched *sched, struct seat *seat)
{
	if (is_limited(seat))
		seat->allowance = bucket(sched, max_percent(seat));
}

void share_change(const struct sched *sched, struct seat *seat,
		  const struct sched_tenant_config *old)
{
	uint32_t was = old->time_max_percent;

	if (was == 0 || was >= PERCENT)
		share_init(sched, seat);
	if (!is_limited(seat))
		seat->exhausted = false;
	else
		seat->allowance = at_most(seat->allowance, bucket(sched, max_percent(seat)));
	if (guaranteed_percent(seat) == 0)
		seat->arrears = 0;
}

void share_update(const struct sched *sched, struct seat *seat)
{
	if (is_limited(seat)) {
		if (seat->allowance <= 0)
			seat->exhausted = true;
		else if (seat->allowance >= allowance_least(sched, seat))
			seat->exhausted = false;
	}
	if (seat->arrears > arrears_least(sched))
		seat->behind = true;
	else if (seat->arrears <= 0)
		seat->behind = false;
}

int64_t share_wait_due(const struct sched *sched, const struct seat *seat)
{
	int64_t missing;

	if (seat->exhausted) {
		missing = allowance_least(sched, seat) - seat->allowance;
		return later(seat->settled_ns, divide_up(missing, max_percent(seat)));
	}
	if (guaranteed_percent(seat) == 0 || seat->behind)
		return NEVER;
	missing = arrears_least(sched) + 1 - seat->arrears;
	return later(seat->settled_ns, divide_up(missing, guaranteed_percent(seat)));
}

int64_t share_turn_due(const struct seat *seat)
{
	int64_t due = NEVER;

	if (is_limited(seat) && seat->allowance > 0)
		due = later(seat->settled_ns,
			    divide_up(seat->allowance, PERCENT - max_percent(seat)));
	if (seat->behind && guaranteed_percent(seat) < PERCENT && seat->gpu->waiting)
		due = at_most(due,
			      later(seat->settled_ns,
				    divide_up(seat->arrears, PERCENT - guaranteed_percent(seat))));
	return due;
}
