/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/sched/quarantine.h"

bool quarantine_active(struct quarantine *quarantine, int64_t now_ns)
{
	if (quarantine->active && quarantine->until_ns != QUARANTINE_FOREVER &&
	    now_ns >= quarantine->until_ns)
		quarantine->active = false;
	return quarantine->active;
}

void quarantine_begin(struct quarantine *quarantine, int64_t until_ns)
{
	*quarantine = (struct quarantine){ .active = true, .until_ns = until_ns };
}

bool quarantine_release(struct quarantine *quarantine)
{
	bool was = quarantine->active;

	*quarantine = (struct quarantine){ .active = false };
	return was;
}

/* When the fault happened that is the n-th from the newest, counted from 0. */
static int64_t fault_time(const struct quarantine *quarantine, uint32_t n)
{
	return quarantine
		->faults[(quarantine->last + QUARANTINE_FAULTS_MAX - n) % QUARANTINE_FAULTS_MAX];
}

bool quarantine_fault(struct quarantine *quarantine, const struct quarantine_config *config,
		      int64_t now_ns)
{
	int64_t until;

	if (config->faults == 0 || quarantine_active(quarantine, now_ns))
		return false;
	quarantine->last = (quarantine->last + 1) % QUARANTINE_FAULTS_MAX;
	quarantine->faults[quarantine->last] = now_ns;
	if (quarantine->count < QUARANTINE_FAULTS_MAX)
		quarantine->count++;
	if (quarantine->count < config->faults ||
	    now_ns - fault_time(quarantine, config->faults - 1) > config->period_ns)
		return false;
	if (config->duration_ns == 0 || __builtin_add_overflow(now_ns, config->duration_ns, &until))
		until = QUARANTINE_FOREVER;
	quarantine_begin(quarantine, until);
	return true;
}
