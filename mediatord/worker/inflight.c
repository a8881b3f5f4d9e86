/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/inflight.h"

#include <stddef.h>
#include <string.h>

#include "common/clock.h"

#define MIB (UINT64_C(1) << 20)

/* Before anything was measured: 10 GB/s between host and GPU, 500 GB/s on it. */
#define GUESS_HOST_NS_PER_MIB	100000u
#define GUESS_DEVICE_NS_PER_MIB 2000u

/* What any copy, set, or mark takes besides. */
#define FIXED_NS 2000u

/* With fewer bytes, the fixed part is what is measured. */
#define LEARN_BYTES (256u << 10)

#define PIECE_SHORTEST_NS ((uint64_t)VGPU_NS_PER_MS)

/* Longer is not told apart: sums of INFLIGHT_MAX stay far below 2^64. */
#define LONGEST_NS (VGPU_NS_PER_SECOND * 3600)

void inflight_init(struct inflight *inflight)
{
	memset(inflight, 0, sizeof(*inflight));
	inflight->ns_per_mib[INFLIGHT_HTOD] = GUESS_HOST_NS_PER_MIB;
	inflight->ns_per_mib[INFLIGHT_DTOH] = GUESS_HOST_NS_PER_MIB;
	inflight->ns_per_mib[INFLIGHT_DTOD] = GUESS_DEVICE_NS_PER_MIB;
	inflight->ns_per_mib[INFLIGHT_SET] = GUESS_DEVICE_NS_PER_MIB;
}

/*
 * Launches of one function whose numbers of threads have the same magnitude share an estimate: a
 * program that runs it on little and on much data is not held up by the one, nor lets the other
 * through.
 */
static uint64_t key_of(const struct inflight_work *work)
{
	uint64_t magnitude = work->threads ? 64u - (uint64_t)__builtin_clzll(work->threads) : 0;

	return (uint64_t)work->function << 7 | magnitude;
}

/* Where the estimate is, or would be: who has its place is forgotten then. */
static size_t place_of(const struct inflight_work *work)
{
	return (size_t)(key_of(work) * UINT64_C(0x9e3779b97f4a7c15) >> 54);
}

_Static_assert(INFLIGHT_ESTIMATES == 1u << (64 - 54), "place_of() covers the table");

/* Keeps a time within what is told apart. */
static uint64_t to_ns(double ns)
{
	return ns < LONGEST_NS ? (uint64_t)ns : (uint64_t)LONGEST_NS;
}

/* Whether its time can be told beforehand; *ns is it. */
static bool predict(const struct inflight *inflight, const struct inflight_work *work, uint64_t *ns)
{
	const struct inflight_estimate *estimate;

	*ns = FIXED_NS;
	if (work->kind < INFLIGHT_RATES)
		*ns += to_ns((double)work->bytes / (double)MIB *
			     (double)inflight->ns_per_mib[work->kind]);
	if (work->kind != INFLIGHT_LAUNCH)
		return true;
	estimate = &inflight->estimates[place_of(work)];
	*ns = estimate->ns;
	return estimate->key == key_of(work) && estimate->ns != 0;
}

bool inflight_admits(const struct inflight *inflight, const struct inflight_work *work,
		     uint64_t bound_ns, uint32_t depth, int64_t now_ns)
{
	bool job = work->kind <= INFLIGHT_LAUNCH;
	uint64_t ns;

	if (inflight->count == 0)
		return true;
	if (inflight->count >= INFLIGHT_MAX || (job && depth && inflight->jobs >= depth))
		return false;
	if (bound_ns == 0)
		return true;
	/* It took longer than it should have, or it is time to see what it took. */
	if (inflight->unknown || now_ns - inflight->since_ns >= (int64_t)bound_ns)
		return false;
	return predict(inflight, work, &ns) && inflight->predicted_ns + ns <= bound_ns;
}

uint64_t inflight_piece(const struct inflight *inflight, const struct inflight_work *work,
			uint64_t bound_ns)
{
	uint64_t piece;

	if (bound_ns == 0 || work->kind >= INFLIGHT_RATES)
		return work->bytes;
	if (bound_ns < PIECE_SHORTEST_NS)
		bound_ns = PIECE_SHORTEST_NS;
	if (bound_ns > (uint64_t)LONGEST_NS)
		bound_ns = (uint64_t)LONGEST_NS;
	piece = bound_ns / inflight->ns_per_mib[work->kind] * MIB;
	if (piece < MIB)
		piece = MIB;
	/* No small rest. */
	return work->bytes <= piece + piece / 4 ? work->bytes : piece;
}

static struct inflight_estimate *join_estimate(struct inflight *inflight,
					       const struct inflight_work *work)
{
	size_t place = place_of(work);
	struct inflight_estimate *estimate = &inflight->estimates[place];

	if (estimate->key != key_of(work)) {
		/* Another's, which has a part in this batch: nothing can be learned for this one.
		 */
		if (estimate->batch)
			return NULL;
		*estimate = (struct inflight_estimate){ .key = key_of(work) };
	}
	if (estimate->batch++ == 0)
		inflight->used[inflight->used_count++] = (uint16_t)place;
	return estimate;
}

void inflight_add(struct inflight *inflight, const struct inflight_work *work, int64_t now_ns)
{
	uint64_t ns;

	if (inflight->count++ == 0)
		inflight->since_ns = now_ns;
	if (work->kind <= INFLIGHT_LAUNCH)
		inflight->jobs++;
	if (work->kind < INFLIGHT_RATES)
		inflight->bytes[work->kind] += work->bytes;
	if (work->kind == INFLIGHT_BLOCKS)
		inflight->blocked = true;
	if (!predict(inflight, work, &ns))
		inflight->unknown = true;
	else
		inflight->predicted_ns += ns;
	if (work->kind == INFLIGHT_LAUNCH)
		join_estimate(inflight, work);
}

/* Up fast, down slowly: too long an estimate costs a gap, too short a one costs others time. */
static uint64_t blend(uint64_t old, uint64_t seen)
{
	uint64_t next = seen > old ? old + (seen - old + 1) / 2 : old - (old - seen) / 4;

	return next ? next : 1;
}

/* Nobody can see how long each of a batch took: all are taken to have erred alike. */
static uint64_t corrected(uint64_t old, double error)
{
	return blend(old, to_ns((double)old * error));
}

static void learn(struct inflight *inflight, int64_t took_ns)
{
	double error = (double)took_ns / (double)inflight->predicted_ns;

	for (uint32_t i = 0; i < inflight->used_count; i++) {
		struct inflight_estimate *estimate = &inflight->estimates[inflight->used[i]];

		estimate->ns = corrected(estimate->ns, error);
	}
	for (int kind = 0; kind < INFLIGHT_RATES; kind++)
		if (inflight->bytes[kind] >= LEARN_BYTES)
			inflight->ns_per_mib[kind] = corrected(inflight->ns_per_mib[kind], error);
}

void inflight_idle(struct inflight *inflight, int64_t now_ns)
{
	int64_t took_ns = now_ns > inflight->since_ns ? now_ns - inflight->since_ns : 0;
	struct inflight_estimate *first = &inflight->estimates[inflight->used[0]];

	if (took_ns > LONGEST_NS)
		took_ns = LONGEST_NS;
	if (inflight->count && !inflight->blocked) {
		if (!inflight->unknown)
			learn(inflight, took_ns);
		else if (inflight->used_count == 1 && first->batch == inflight->count)
			first->ns = (uint64_t)took_ns / inflight->count + 1;
	}
	for (uint32_t i = 0; i < inflight->used_count; i++)
		inflight->estimates[inflight->used[i]].batch = 0;
	inflight->count = inflight->jobs = inflight->used_count = 0;
	inflight->predicted_ns = 0;
	memset(inflight->bytes, 0, sizeof(inflight->bytes));
	inflight->unknown = inflight->blocked = false;
}

int64_t inflight_expected_ns(const struct inflight *inflight)
{
	if (inflight->count == 0 || inflight->unknown || inflight->blocked)
		return 0;
	return inflight->since_ns + (int64_t)inflight->predicted_ns;
}
