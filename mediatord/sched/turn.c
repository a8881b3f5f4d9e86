/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "mediatord/sched/internal.h"

static bool is_held(const struct turn *turn)
{
	return turn->owner && (turn->owner->held || turn->running);
}

/* From the revocation on, so long may its channels take to yield. */
static int64_t yield_bound(const struct sched *sched, const struct seat *seat)
{
	int64_t longest = seat->tenant->config.longest_job_ns;

	return longest ? longest : sched->params.yield_ns;
}

/* When the running job exceeds its tenant's limit; NEVER. */
static int64_t expiry(const struct turn *turn)
{
	int64_t longest = turn->running ? turn->owner->tenant->config.longest_job_ns : 0;

	return longest && !turn->expired ? later(turn->started_ns, longest) : NEVER;
}

/* When turn_step() is to look although nothing happens. */
static int64_t due(const struct sched *sched, const struct gpu *gpu)
{
	const struct heap_node *timer = heap_first(&gpu->timers);
	const struct turn *turn = &gpu->turn;
	int64_t first = timer ? (int64_t)timer->key : NEVER;
	int64_t times[3] = { expiry(turn), NEVER, NEVER };

	if (turn->owner && turn->owner->held && !turn->revoked) {
		times[1] = share_turn_due(turn->owner);
		if (gpu->waiting)
			times[2] = later(turn->slice_ns, sched->params.slice_ns);
	} else if (turn->owner && turn->owner->held && !turn->kill_said) {
		times[1] = later(turn->revoked_ns, yield_bound(sched, turn->owner));
	}
	for (size_t i = 0; i < 3; i++) {
		if (times[i] < first)
			first = times[i];
	}
	return first;
}

void gpu_touch(const struct sched *sched, struct gpu *gpu)
{
	gpu->dirty = true;
	gpu->due_ns = due(sched, gpu);
}

void turn_stop_job(const struct sched *sched, struct gpu *gpu, int64_t gpu_time_ns, int64_t now_ns)
{
	struct turn *turn = &gpu->turn;
	struct tenant *tenant = turn->owner->tenant;
	int64_t elapsed = now_ns > turn->started_ns ? now_ns - turn->started_ns : 0;

	if (gpu_time_ns > elapsed)
		gpu_time_ns = elapsed;
	if (gpu_time_ns < 0)
		gpu_time_ns = 0;
	seat_settle(sched, turn->owner, now_ns);
	seat_claim(turn->owner, gpu_time_ns);
	tenant->stats.gpu_time_ns += (uint64_t)gpu_time_ns;
	tenant->stats.running--;
	turn->running->tell_run = false;
	turn->running->tell_expire = false;
	turn->running = NULL;
	gpu_touch(sched, gpu);
}

void turn_release(const struct sched *sched, struct channel *channel, int64_t now_ns)
{
	struct seat *seat = channel->seat;

	if (channel->hold == HOLD_NOTHING || channel->hold == HOLD_LOST)
		return;
	seat_settle(sched, seat, now_ns);
	channel->hold = HOLD_NOTHING;
	channel->told = HOLD_NOTHING;
	seat->held--;
	gpu_touch(sched, seat->gpu);
}

static void grant(struct sched *sched, struct channel *channel, int64_t now_ns)
{
	channel_withdraw_want(channel);
	channel->hold = HOLD_GRANTED;
	channel->used_ns = now_ns;
	channel->seat->held++;
	channel_tell(sched, channel);
}

/* What the owner may do now: all its rings that want, and one job of its mailboxes. */
static void start_work(struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct turn *turn = &gpu->turn;
	struct seat *owner = turn->owner;
	struct channel *channel;

	for (channel = owner->wanting ? owner->channels : NULL; channel; channel = channel->next) {
		if (channel->wants)
			grant(sched, channel, now_ns);
	}
	if (turn->running || !owner->jobs.count)
		return;
	channel = HEAP_OWNER(heap_first(&owner->jobs), struct channel, job_node);
	turn->job = channel_pop(channel).id;
	turn->running = channel;
	turn->started_ns = now_ns;
	turn->expired = false;
	owner->tenant->stats.waiting--;
	owner->tenant->stats.running++;
	channel->tell_run = true;
	channel_tell(sched, channel);
}

static void begin(const struct sched *sched, struct gpu *gpu, struct seat *owner, bool aged,
		  int64_t now_ns)
{
	struct sched_tenant_stats *stats = &owner->tenant->stats;

	if (now_ns > owner->wait_since_ns)
		stats->waited_ns += (uint64_t)(now_ns - owner->wait_since_ns);
	stats->turns++;
	gpu->turns++;
	seat_settle(sched, owner, now_ns);
	seat_unwait(sched, owner, now_ns);
	owner->unclaimed_ns = 0;
	gpu->turn = (struct turn){ .owner = owner, .slice_ns = now_ns, .aged = aged };
	gpu->last_aged = aged;
	gpu->promised = NULL;
}

/* Nothing is held any more. */
static void end(const struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct seat *owner = gpu->turn.owner;

	seat_settle(sched, owner, now_ns);
	gpu->turn = (struct turn){ .owner = NULL };
	if (seat_has_work(owner))
		seat_wait(sched, owner, now_ns, now_ns);
	else
		seat_check(sched, owner, now_ns);
}

/* From those who are in one state of holding the GPU to the next. */
static void advance_holds(struct sched *sched, struct seat *owner, enum hold from, enum hold to)
{
	for (struct channel *channel = owner->channels; channel; channel = channel->next) {
		if (channel->hold != from)
			continue;
		channel->hold = to;
		owner->tenant->stats.killed += to == HOLD_KILLED;
		channel_tell(sched, channel);
	}
}

static void revoke(struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct turn *turn = &gpu->turn;

	turn->revoked = true;
	turn->revoked_ns = now_ns;
	if (turn->owner->held)
		turn->owner->tenant->stats.revoked++;
	advance_holds(sched, turn->owner, HOLD_GRANTED, HOLD_REVOKED);
}

/* The owner goes on, unless it has to let others go first, or has used up its share. */
static void go_on(struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct turn *turn = &gpu->turn;
	bool slice_over = now_ns >= later(turn->slice_ns, sched->params.slice_ns);

	share_update(sched, turn->owner);
	if (turn->owner->exhausted || turn->owner->tenant->config.paused ||
	    gpu_overtaken(sched, gpu, slice_over, now_ns)) {
		revoke(sched, gpu, now_ns);
		return;
	}
	/* Who is alone has no slice: the next to come does not wait for one. */
	if (slice_over && gpu->waiting) {
		turn->slice_ns = now_ns;
		turn->aged = false;
		gpu->last_aged = false;
	}
	start_work(sched, gpu, now_ns);
}

/* Those that are granted are to know whether others wait. */
static void publish_contention(struct sched *sched, struct gpu *gpu)
{
	struct turn *turn = &gpu->turn;
	bool contended = gpu_contended(gpu);

	if (turn->contended == contended)
		return;
	turn->contended = contended;
	for (struct channel *channel = turn->owner ? turn->owner->channels : NULL; channel;
	     channel = channel->next) {
		if (channel->hold == HOLD_GRANTED)
			channel_tell(sched, channel);
	}
}

/* What has gone on for too long. */
static void check_bounds(struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct turn *turn = &gpu->turn;
	int64_t bound =
		turn->revoked ? later(turn->revoked_ns, yield_bound(sched, turn->owner)) : NEVER;

	if (expiry(turn) != NEVER && now_ns >= expiry(turn)) {
		turn->expired = true;
		turn->owner->tenant->stats.expired++;
		turn->running->tell_expire = true;
		channel_tell(sched, turn->running);
	}
	if (bound != NEVER && now_ns >= bound && !turn->kill_said) {
		turn->kill_said = true;
		advance_holds(sched, turn->owner, HOLD_REVOKED, HOLD_KILLED);
	}
}

void turn_step(struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	bool aged;

	gpu->dirty = false;
	gpu_timers_due(sched, gpu, now_ns);
	if (gpu->turn.owner && !is_held(&gpu->turn))
		end(sched, gpu, now_ns);
	if (gpu->turn.owner) {
		seat_settle(sched, gpu->turn.owner, now_ns);
		check_bounds(sched, gpu, now_ns);
		if (!gpu->turn.revoked)
			go_on(sched, gpu, now_ns);
	} else {
		struct seat *first = gpu_first(sched, gpu, now_ns, &aged);

		if (first) {
			begin(sched, gpu, first, aged, now_ns);
			start_work(sched, gpu, now_ns);
		}
	}
	publish_contention(sched, gpu);
	gpu->due_ns = due(sched, gpu);
}

int turn_adopt(struct sched *sched, struct channel *channel, int64_t now_ns)
{
	struct seat *seat = channel->seat;
	struct gpu *gpu = seat->gpu;

	if (gpu->turn.owner && (gpu->turn.owner != seat || gpu->turn.revoked)) {
		errno = EBUSY;
		return -1;
	}
	if (!gpu->turn.owner) {
		if (!seat->active)
			seat_activate(sched, seat, now_ns);
		begin(sched, gpu, seat, false, now_ns);
	}
	channel->hold = HOLD_GRANTED;
	channel->told = HOLD_GRANTED;
	channel->told_contended = true;
	channel->used_ns = now_ns;
	seat->held++;
	channel_tell(sched, channel);
	gpu_touch(sched, gpu);
	return 0;
}

void turn_abandon(const struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct seat *owner = gpu->turn.owner;

	if (!owner)
		return;
	if (gpu->turn.running)
		turn_stop_job(sched, gpu, INT64_MAX, now_ns);
	for (struct channel *channel = owner->channels; channel; channel = channel->next)
		turn_release(sched, channel, now_ns);
	end(sched, gpu, now_ns);
}
