/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "mediatord/sched_internal.h"

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
		if (heap_reserve(&gpu->ranks[rank], gpu->seat_count + 1) < 0)
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

static void waits_add(struct waits *waits, struct seat *seat)
{
	seat->wait_next = NULL;
	seat->wait_previous = waits->last;
	*(waits->last ? &waits->last->wait_next : &waits->first) = seat;
	waits->last = seat;
}

static void waits_remove(struct waits *waits, struct seat *seat)
{
	*(seat->wait_previous ? &seat->wait_previous->wait_next : &waits->first) = seat->wait_next;
	*(seat->wait_next ? &seat->wait_next->wait_previous : &waits->last) = seat->wait_previous;
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
	waits_remove(&gpu->waits[seat->rank], seat);
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
	waits_add(&gpu->waits[seat->rank], seat);
	gpu->waiting++;
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

void seat_reconfigure(const struct sched *sched, struct seat *seat,
		      const struct sched_tenant_config *old, int64_t now_ns)
{
	share_change(sched, seat, old);
	/* Each class has a virtual time of its own: the tenant is a newcomer there. */
	if (old->priority != seat->tenant->config.priority)
		seat->virtual_time =
			class_time(sched, seat->gpu, seat->tenant->config.priority, seat, now_ns);
	if (seat->active && seat->gpu->turn.owner != seat)
		seat_wait(sched, seat, seat->order.place ? seat->wait_since_ns : now_ns, now_ns);
	gpu_touch(sched, seat->gpu);
}

void gpu_reconsider(const struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct seat *last[RANKS];

	for (unsigned int rank = 0; rank < RANKS; rank++)
		last[rank] = gpu->waits[rank].last;
	for (struct seat *seat = gpu->seats; seat; seat = seat->gpu_next)
		if (seat->active && seat != gpu->turn.owner && !seat->order.place)
			seat_wait(sched, seat, now_ns, now_ns);
	/* Once around each list, so that the longest wait stays the first. */
	for (unsigned int rank = 0; rank < RANKS; rank++)
		for (struct seat *seat = NULL; seat != last[rank];) {
			seat = gpu->waits[rank].first;
			seat_wait(sched, seat, seat->wait_since_ns, now_ns);
		}
	gpu_touch(sched, gpu);
}

void gpu_timers_due(const struct sched *sched, struct gpu *gpu, int64_t now_ns)
{
	struct heap_node *first;

	while ((first = heap_first(&gpu->timers)) && (int64_t)first->key <= now_ns) {
		struct seat *seat = HEAP_OWNER(first, struct seat, timer);

		seat_wait(sched, seat, seat->order.place ? seat->wait_since_ns : now_ns, now_ns);
	}
}

/* Who waited too long because others of a rank up to `rank` go first; NULL: nobody. */
static struct seat *find_aged(const struct sched *sched, const struct gpu *gpu, unsigned int rank,
			      int64_t now_ns)
{
	struct seat *longest = NULL;

	/* Every second turn at most: those of a high class wait for a slice, not for thousands. */
	if (gpu->last_aged)
		return NULL;
	for (unsigned int below = 0; below < rank; below++) {
		struct seat *seat = gpu->waits[below].first;

		if (seat && now_ns - seat->wait_since_ns >= sched->params.ageing_ns &&
		    (!longest || seat->wait_since_ns < longest->wait_since_ns))
			longest = seat;
	}
	return longest;
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
