/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/schedsim/bench.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "mediatord/sched/sched.h"

#define ROUNDS 5
#define EVENTS 200000u

/* Tenants of all classes and some shares, each with a ring that wants one GPU; NULL with ENOMEM. */
static struct sched *prepare(uint32_t tenants)
{
	struct sched *sched = sched_new();
	uint32_t gpu;

	if (!sched || sched_gpu_add(sched, 0, 0) < 0) {
		sched_free(&sched);
		return NULL;
	}
	for (uint32_t i = 0; i < tenants; i++) {
		struct sched_tenant_config config = {
			.priority = i % (VGPU_PRIORITY_HIGH + 1),
			.weight = 1 + i % 100,
			.time_max_percent = i % 5 == 0 ? 50 : 0,
			.time_guaranteed_percent = i < 10 ? 5 : 0,
		};

		if (sched_tenant_set(sched, i, &config, 0) < 0 ||
		    sched_channel_add(sched, i, i, &gpu) < 0) {
			sched_free(&sched);
			return NULL;
		}
		sched_want(sched, i, 0);
	}
	return sched;
}

/* Nanoseconds for a decision, with the event that it answers. Each ring uses all of its slices. */
static double measure(struct sched *sched, int64_t *now)
{
	struct sched_decision decision;
	uint64_t decisions = 0;
	int64_t start = vgpu_now_ns();

	for (uint32_t i = 0; i < EVENTS; i++) {
		while (sched_next(sched, *now, &decision)) {
			decisions++;
			if (decision.kind != SCHED_REVOKE)
				continue;
			sched_yielded(sched, decision.channel, *now);
			sched_want(sched, decision.channel, *now);
		}
		*now = sched_deadline(sched);
	}
	return (double)(vgpu_now_ns() - start) / (double)decisions;
}

int bench_run(bool json)
{
	static const uint32_t counts[] = { 10, 100, 1000, 10000 };

	printf(json ? "{\"decision_ns\":[" : "%8s %s\n", "tenants", "ns for a decision");
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct sched *sched = prepare(counts[i]);
		int64_t now = 0;
		double best = 0;

		for (int round = 0; sched && round < ROUNDS; round++) {
			double ns = measure(sched, &now);

			if (round == 0 || ns < best)
				best = ns;
		}
		if (!sched)
			return -1;
		sched_free(&sched);
		if (json)
			printf("%s{\"tenants\":%u,\"ns\":%.1f}", i ? "," : "", counts[i], best);
		else
			printf("%8u %.1f\n", counts[i], best);
	}
	printf(json ? "]}\n" : "");
	return 0;
}
