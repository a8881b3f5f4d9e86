/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "mediatord/sched/internal.h"

struct seat *seat_find(const struct tenant *tenant, const struct gpu *gpu)
{
	struct seat *seat = tenant->seats;

	while (seat && seat->gpu != gpu)
		seat = seat->next;
	return seat;
}

struct seat *seat_get(struct sched *sched, struct tenant *tenant, struct gpu *gpu)
{
	struct seat *seat = seat_find(tenant, gpu);

	if (seat)
		return seat;
	for (unsigned int rank = 0; rank < RANKS; rank++) {
		if (heap_reserve(&gpu->ranks[rank], gpu->seat_count + 1) < 0 ||
		    heap_reserve(&gpu->waits[rank], gpu->seat_count + 1) < 0)
			return NULL;
	}
	if (heap_reserve(&gpu->timers, gpu->seat_count + 1) < 0)
		return NULL;
	seat = calloc(1, sizeof(*seat));
	if (!seat)
		return NULL;
	*seat = (struct seat){
		.tenant = tenant,
		.gpu = gpu,
		.next = tenant->seats,
		.gpu_next = gpu->seats,
		.gpu_link = &gpu->seats,
	};
	share_init(sched, seat);
	if (seat->gpu_next)
		seat->gpu_next->gpu_link = &seat->gpu_next;
	gpu->seats = seat;
	gpu->seat_count++;
	tenant->seats = seat;
	return seat;
}

void seat_free(struct seat *seat)
{
	*seat->gpu_link = seat->gpu_next;
	if (seat->gpu_next)
		seat->gpu_next->gpu_link = seat->gpu_link;
	seat->gpu->seat_count--;
	heap_free(&seat->jobs);
	free(seat);
}

bool seat_has_work(const struct seat *seat)
{
	return seat->wanting || seat->jobs.count;
}

/* Whether a is later than b, on a clock that wraps. */
static bool after(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0;
}

/*
 * The virtual time of a class: the least of those who have work, the seat `except` not counted.
 * Where nobody has, it stands still.
 */
static uint64_t class_time(const struct sched *sched, struct gpu *gpu, uint32_t priority,
			   const struct seat *except, int64_t now_ns)
{
	const struct heap_node *first = heap_first(&gpu->ranks[priority]);
	uint64_t least = first ? first->key : gpu->clocks[priority];
	struct seat *owner = gpu->turn.owner;

	if (owner && owner != except && owner->tenant->config.priority == priority) {
		seat_settle(sched, owner, now_ns);
		if (!first || after(least, owner->virtual_time))
			least = owner->virtual_time;
	}
	if (after(least, gpu->clocks[priority]))
		gpu->clocks[priority] = least;
	return gpu->clocks[priority];
}

void seat_unwait(const struct sched *sched, struct seat *seat, int64_t now_ns)
{
	struct gpu *gpu = seat->gpu;

	heap_remove(&gpu->timers, &seat->timer);
	if (!seat->order.place)
		return;
	/* The owner's account changes when nobody waits any more. */
	if (gpu->turn.owner)
		seat_settle(sched, gpu->turn.owner, now_ns);
	heap_remove(&gpu->ranks[seat->rank], &seat->order);
	heap_remove(&gpu->waits[seat->rank], &seat->wait);
	gpu->waiting--;
	if (gpu->promised == seat)
		gpu->promised = NULL;
}

/* The first of its work: where all else is equal, who came first goes first. */
static uint64_t first_arrival(const struct seat *seat)
{
	const struct heap_node *job = heap_first(&seat->jobs);

	if (job && (!seat->wanting || job->key < seat->want_arrival))
		return job->key;
	return seat->want_arrival;
}

void seat_wait(const struct sched *sched, struct seat *seat, int64_t since_ns, int64_t now_ns)
{
	struct gpu *gpu = seat->gpu;
	bool promised = gpu->promised == seat;
	int64_t due;

	seat_unwait(sched, seat, now_ns);
	seat_settle(sched, seat, now_ns);
	share_update(sched, seat);
	due = share_wait_due(sched, seat);
	if (due != NEVER) {
		seat->timer.key = (uint64_t)due;
		heap_add(&gpu->timers, &seat->timer);
	}
	if (seat->exhausted || seat->tenant->config.paused)
		return;
	if (gpu->turn.owner) {
		seat_settle(sched, gpu->turn.owner, now_ns);
		/* What its rings do not say before others come, these are not to gain by. */
		if (gpu->waiting == 0 && !gpu->turn.running)
			gpu->turn.owner->unclaimed_ns = 0;
	}
	seat->wait_since_ns = since_ns;
	seat->rank = seat->behind ? RANK_BEHIND : seat->tenant->config.priority;
	/* Those who are behind take turns: their shares say how much each gets. */
	seat->order.key = seat->behind ? (uint64_t)since_ns : seat->virtual_time;
	seat->order.number = first_arrival(seat);
	heap_add(&gpu->ranks[seat->rank], &seat->order);
	seat->wait.key = (uint64_t)since_ns;
	seat->wait.number = seat->order.number;
	heap_add(&gpu->waits[seat->rank], &seat->wait);
	gpu->waiting++;
	if (promised)
		gpu->promised = seat;
}

/* It waits by other values now: where it was among those that wait, for as long as before. */
static void wait_again(const struct sched *sched, struct seat *seat, int64_t now_ns)
{
	seat_wait(sched, seat, seat->order.place ? seat->wait_since_ns : now_ns, now_ns);
}

void seat_activate(const struct sched *sched, struct seat *seat, int64_t now_ns)
{
	uint64_t least;

	gpu_touch(sched, seat->gpu);
	if (seat->active)
		return;
	seat_settle(sched, seat, now_ns);
	least = class_time(sched, seat->gpu, seat->tenant->config.priority, seat, now_ns);
	if (after(least, seat->virtual_time))
		seat->virtual_time = least;
	/* While it had no work it was owed nothing. */
	if (seat->arrears > 0)
		seat->arrears = 0;
	seat->active = true;
	seat_wait(sched, seat, now_ns, now_ns);
}

void seat_check(const struct sched *sched, struct seat *seat, int64_t now_ns)
{
	struct gpu *gpu = seat->gpu;
	uint32_t priority = seat->tenant->config.priority;

	if (!seat->active || seat_has_work(seat) || gpu->turn.owner == seat)
		return;
	seat_settle(sched, seat, now_ns);
	seat_unwait(sched, seat, now_ns);
	seat->active = false;
	seat->behind = false;
	/* Who comes next is level with the last who was there. */
	class_time(sched, gpu, priority, NULL, now_ns);
	if (!gpu->ranks[priority].count && after(seat->virtual_time, gpu->clocks[priority]))
		gpu->clocks[priority] = seat->virtual_time;
}

/* How far it is ahead of the least in the class that its tenant leaves. */
static uint64_t lead(const struct sched *sched, const struct seat *seat, uint32_t left,
		     int64_t now_ns)
{
	uint64_t least = class_time(sched, seat->gpu, left, NULL, now_ns);

	/* Nobody waits for an owner who is alone to be level with him. */
	if (seat->gpu->turn.owner == seat && !seat->gpu->ranks[left].count)
		return 0;
	return after(seat->virtual_time, least) ? seat->virtual_time - least : 0;
}

void seat_reconfigure(const struct sched *sched, struct seat *seat,
		      const struct sched_tenant_config *old, int64_t now_ns)
{
	uint32_t priority = seat->tenant->config.priority;

	share_change(sched, seat, old);
	/* Each class has a virtual time of its own: it is as far ahead in that as in the last. */
	if (old->priority != priority)
		seat->virtual_time = lead(sched, seat, old->priority, now_ns) +
				     class_time(sched, seat->gpu, priority, seat, now_ns);
	if (seat->active && seat->gpu->turn.owner != seat)
		wait_again(sched, seat, now_ns);
	gpu_touch(sched, seat->gpu);
}

void gpu_reconsider(const struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	for (struct seat *seat = gpu->seats; seat; seat = seat->gpu_next)
		if (seat->active && seat != gpu->turn.owner)
			wait_again(sched, seat, now_ns);
	gpu_touch(sched, gpu);
}

void gpu_timers_due(const struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct heap_node *first;

	while ((first = heap_first(&gpu->timers)) && (int64_t)first->key <= now_ns)
		wait_again(sched, HEAP_OWNER(first, struct seat, timer), now_ns);
}

/* Who waited too long because others of a rank up to `rank` go first; NULL: nobody. */
static struct seat *find_aged(const struct sched *sched, const struct gpu *gpu, unsigned int rank,
			      int64_t now_ns)
{
	const struct heap_node *longest = NULL;

	/* Every second turn at most: those of a high class wait for a slice, not for thousands. */
	if (gpu->last_aged)
		return NULL;
	for (unsigned int below = 0; below < rank; below++) {
		const struct heap_node *first = heap_first(&gpu->waits[below]);

		if (first && now_ns - (int64_t)first->key >= sched->params.ageing_ns &&
		    (!longest || heap_before(first, longest)))
			longest = first;
	}
	return longest ? HEAP_OWNER(longest, struct seat, wait) : NULL;
}

/* The first of the highest rank, or NULL. */
static struct seat *find_highest(const struct gpu *gpu)
{
	for (unsigned int rank = RANKS; rank-- > 0;) {
		struct heap_node *first = heap_first(&gpu->ranks[rank]);

		if (first)
			return HEAP_OWNER(first, struct seat, order);
	}
	return NULL;
}

struct seat *gpu_first(const struct sched *sched, const struct gpu *gpu, int64_t now_ns, bool *aged)
{
	struct seat *first = find_highest(gpu);
	struct seat *longest = gpu->promised;

	if (first && !longest)
		longest = find_aged(sched, gpu, first->rank, now_ns);
	*aged = longest != NULL;
	return longest ? longest : first;
}

bool gpu_overtaken(const struct sched *sched, struct gpu *gpu, bool slice_over, int64_t now_ns)
{
	const struct seat *owner = gpu->turn.owner;
	const struct seat *first = find_highest(gpu);
	unsigned int rank = owner->behind ? RANK_BEHIND : owner->tenant->config.priority;

	if (!first || (gpu->turn.aged && !slice_over))
		return false;
	if (slice_over)
		gpu->promised =
			find_aged(sched, gpu, first->rank > rank ? first->rank : rank, now_ns);
	if (gpu->promised)
		return true;
	if (first->rank != rank || !slice_over)
		return first->rank > rank;
	return rank == RANK_BEHIND || !after(first->order.key, owner->virtual_time);
}
