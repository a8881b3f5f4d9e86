/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any events in any order, as a caller that is wrong and workers that lie would send them: after
 * each, decisions end, one tenant at most is let to a GPU, and the next deadline is ahead.
 */
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"
#include "mediatord/sched/sched.h"

#define GPUS	       3u
#define TENANTS	       6u
#define CHANNELS       16u
#define DECISIONS_MAX  1000
#define BYTES_AN_EVENT 6u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct sched *sched;
	int64_t now;
	uint64_t jobs;
	/* Whom each channel belongs to, as decisions say, and whether it is granted. */
	struct {
		bool granted, revoked, killed;
		uint32_t tenant, gpu;
		uint64_t job; /* that runs; 0: none */
	} channels[CHANNELS];
} f;

static void decided(const struct sched_decision *decision)
{
	uint32_t channel = decision->channel;

	if (channel >= CHANNELS || decision->tenant >= TENANTS || decision->gpu >= GPUS)
		abort();
	f.channels[channel].tenant = decision->tenant;
	f.channels[channel].gpu = decision->gpu;
	switch (decision->kind) {
	case SCHED_GRANT:
	case SCHED_RUN:
		for (uint32_t i = 0; i < CHANNELS; i++) {
			if ((f.channels[i].granted || f.channels[i].job) &&
			    f.channels[i].gpu == decision->gpu &&
			    f.channels[i].tenant != decision->tenant)
				abort();
		}
		if (decision->kind == SCHED_RUN)
			f.channels[channel].job = decision->job;
		else
			f.channels[channel].granted = true;
		break;
	case SCHED_KILL:
		if (!f.channels[channel].revoked || f.channels[channel].killed)
			abort();
		f.channels[channel].killed = true;
		break;
	case SCHED_REVOKE:
		if (!f.channels[channel].granted || f.channels[channel].revoked)
			abort();
		f.channels[channel].revoked = true;
		break;
	case SCHED_CONTEND:
	case SCHED_UNCONTEND:
		if (!f.channels[channel].granted)
			abort();
		break;
	case SCHED_EXPIRE:
		if (!f.channels[channel].job || f.channels[channel].job != decision->job)
			abort();
		break;
	case SCHED_LOST:
	case SCHED_TOKENS:
		break;
	}
}

static void decide(void)
{
	struct sched_decision decision;
	int64_t deadline;

	for (int i = 0; sched_next(f.sched, f.now, &decision); i++) {
		if (i == DECISIONS_MAX)
			abort();
		decided(&decision);
	}
	deadline = sched_deadline(f.sched);
	if (deadline >= 0 && deadline <= f.now)
		abort();
}

static void forget(uint32_t channel)
{
	memset(&f.channels[channel], 0, sizeof(f.channels[channel]));
}

static void set_tenant(uint32_t tenant, uint8_t a, uint8_t b)
{
	struct sched_tenant_config config = {
		.pool = a >> 7,
		.priority = a % 4,
		.weight = b,
		.time_guaranteed_percent = a % 8 == 1 ? b / 2 : 0,
		.time_max_percent = a % 8 == 2 ? b / 2 : 0,
		.requests_per_second = a % 8 == 3 ? b * 20u : 0,
		.burst = b % 16,
		.queue_depth = a % 8 == 4 ? b % 8 : 0,
		.longest_job_ns = a % 8 == 5 ? b * VGPU_NS_PER_MS : 0,
	};

	sched_tenant_set(f.sched, tenant, &config, f.now);
}

static void yielded(uint32_t channel)
{
	sched_yielded(f.sched, channel, f.now);
	f.channels[channel].granted = false;
	f.channels[channel].revoked = false;
	f.channels[channel].killed = false;
}

static void want(uint32_t channel)
{
	sched_want(f.sched, channel, f.now);
	if (!f.channels[channel].revoked || f.channels[channel].killed)
		return;
	f.channels[channel].granted = false;
	f.channels[channel].revoked = false;
}

static void gpu_failed(uint32_t gpu)
{
	sched_gpu_fail(f.sched, gpu, f.now);
	for (uint32_t i = 0; i < CHANNELS; i++) {
		if (f.channels[i].gpu == gpu)
			forget(i);
	}
}

/* kind, whom, two values, and how much later: in 0.1 ms. */
static void event(const uint8_t *bytes)
{
	uint32_t channel = bytes[1] % CHANNELS, tenant = bytes[2] % TENANTS, gpu;
	uint32_t later = bytes[4] | (uint32_t)bytes[5] << 8;

	f.now += later * (VGPU_NS_PER_MS / 10);
	switch (bytes[0] % 14) {
	case 0:
		set_tenant(tenant, bytes[1], bytes[3]);
		break;
	case 1:
		sched_tenant_remove(f.sched, tenant, f.now);
		for (uint32_t i = 0; i < CHANNELS; i++) {
			if (f.channels[i].tenant == tenant)
				forget(i);
		}
		break;
	case 2:
		sched_channel_add(f.sched, channel, tenant, &gpu);
		break;
	case 3:
		gpu = bytes[3] % GPUS;
		if (sched_channel_adopt(f.sched, channel, tenant, gpu, bytes[3] & 0x80, f.now) ==
		    0) {
			f.channels[channel].tenant = tenant;
			f.channels[channel].gpu = gpu;
			f.channels[channel].granted = bytes[3] & 0x80;
		}
		break;
	case 4:
		sched_channel_remove(f.sched, channel, f.now);
		forget(channel);
		break;
	case 5:
		gpu_failed(bytes[3] % GPUS);
		break;
	case 6:
		sched_gpu_restore(f.sched, bytes[3] % GPUS);
		break;
	case 7:
		sched_submit(f.sched, channel, ++f.jobs, f.now);
		break;
	case 8:
		sched_complete(f.sched, f.channels[channel].job, bytes[3] * VGPU_NS_PER_MS, f.now);
		f.channels[channel].job = 0;
		break;
	case 9:
		sched_used(f.sched, channel, (int8_t)bytes[3] * VGPU_NS_PER_MS, f.now);
		break;
	case 10:
		yielded(channel);
		break;
	case 11:
		sched_want_tokens(f.sched, channel, bytes[3] == 255 ? UINT64_MAX : bytes[3], f.now);
		break;
	default:
		want(channel);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&f, 0, sizeof(f));
	f.sched = sched_new();
	for (uint32_t gpu = 0; gpu < GPUS; gpu++)
		sched_gpu_add(f.sched, gpu, gpu == 2);
	for (; size >= BYTES_AN_EVENT; data += BYTES_AN_EVENT, size -= BYTES_AN_EVENT) {
		event(data);
		/* A caller may see to several events at once. */
		if (data[0] & 0x80)
			continue;
		decide();
	}
	sched_free(&f.sched);
	return 0;
}
