/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random jobs against a model that is too simple to be wrong: an array of jobs, searched from end
 * to end. After every event each decision must be one that the rules allow, no GPU may idle while a
 * job could run on it, and no job may be lost, run twice or overtake in its channel.
 */
#include "tests/mediatord/sched-check.h"

#define TENANTS	 12u
#define CHANNELS 30u
#define GPUS	 3u
#define JOBS	 2000u
#define STEPS	 4000u

enum {
	NONE,
	WAITING,
	RUNNING,
	ENDED,
	FORGOTTEN
};

static struct {
	uint32_t seed;
	struct sched *sched;
	struct sched_tenant_config tenants[TENANTS];
	bool tenant_there[TENANTS];
	struct {
		bool there;
		uint32_t tenant, gpu;
	} channels[CHANNELS];
	struct {
		int state;
		uint32_t channel;
		int64_t started;
		bool expired;
	} jobs[JOBS];
	uint32_t job_count;
	int64_t now;
} m;

static uint32_t random_below(uint32_t limit)
{
	/* xorshift: the same on every machine, so that a failing seed can be run again. */
	m.seed ^= m.seed << 13;
	m.seed ^= m.seed >> 17;
	m.seed ^= m.seed << 5;
	return m.seed % limit;
}

static uint32_t tenant_of(uint32_t job)
{
	return m.channels[m.jobs[job].channel].tenant;
}

static uint32_t gpu_of(uint32_t job)
{
	return m.channels[m.jobs[job].channel].gpu;
}

static uint32_t in_state(uint32_t tenant, int state)
{
	uint32_t count = 0;

	for (uint32_t job = 0; job < m.job_count; job++)
		count += m.jobs[job].state == state && tenant_of(job) == tenant;
	return count;
}

static uint32_t running_on(uint32_t gpu)
{
	for (uint32_t job = 0; job < m.job_count; job++) {
		if (m.jobs[job].state == RUNNING && gpu_of(job) == gpu)
			return job;
	}
	return JOBS;
}

static uint32_t priority_of(uint32_t job)
{
	return m.tenants[tenant_of(job)].priority;
}

/*
 * The first of those that may run next on a free GPU, or JOBS: of one tenant, or of all. Jobs are
 * numbered in the order of arrival.
 */
static uint32_t best_on(uint32_t gpu, uint32_t tenant)
{
	uint32_t best = JOBS;

	for (uint32_t job = 0; job < m.job_count; job++) {
		if (m.jobs[job].state == WAITING && gpu_of(job) == gpu &&
		    (tenant == TENANTS || tenant_of(job) == tenant) &&
		    (best == JOBS || priority_of(job) > priority_of(best)))
			best = job;
	}
	return best;
}

static void forget_channel(uint32_t channel)
{
	for (uint32_t job = 0; job < m.job_count; job++) {
		if (m.jobs[job].channel == channel &&
		    (m.jobs[job].state == WAITING || m.jobs[job].state == RUNNING))
			m.jobs[job].state = FORGOTTEN;
	}
	m.channels[channel].there = false;
}

static void set_tenant(uint32_t tenant)
{
	struct sched_tenant_config config = plain_tenant(tenant % 2, random_below(3));

	config.queue_depth = random_below(4) ? random_below(20) : 0;
	config.longest_job_ns = random_below(3) ? random_below(5000) : 0;
	assert_int_equal(sched_tenant_set(m.sched, tenant, &config, m.now), 0);
	m.tenants[tenant] = config;
	m.tenant_there[tenant] = true;
}

static void event(void)
{
	uint32_t channel = random_below(CHANNELS), tenant = random_below(TENANTS);
	uint32_t kind = random_below(100), job;

	m.now += random_below(300);
	if (kind < 2) {
		sched_tenant_remove(m.sched, tenant, m.now);
		for (uint32_t c = 0; c < CHANNELS; c++) {
			if (m.channels[c].there && m.channels[c].tenant == tenant)
				forget_channel(c);
		}
		m.tenant_there[tenant] = false;
	} else if (kind < 8) {
		set_tenant(tenant);
	} else if (kind < 12) {
		sched_channel_remove(m.sched, channel, m.now);
		forget_channel(channel);
	} else if (kind < 20) {
		uint32_t gpu;
		int status;

		/* A channel keeps its number's tenant, as the model looks it up by number. */
		tenant = channel % TENANTS;
		status = sched_channel_add(m.sched, channel, tenant, &gpu);
		assert_int_equal(status,
				 m.tenant_there[tenant] && !m.channels[channel].there ? 0 : -1);
		if (status < 0)
			return;
		m.channels[channel].there = true;
		m.channels[channel].tenant = tenant;
		for (uint32_t j = 0; j < m.job_count; j++) {
			if (m.jobs[j].channel == channel)
				assert_true(m.jobs[j].state >= ENDED);
		}
		m.channels[channel].gpu = gpu;
		assert_int_equal(gpu == GPUS - 1 ? 1 : 0, tenant % 2);
	} else if (kind < 60 && m.job_count < JOBS) {
		enum sched_answer expected = SCHED_ADMITTED;
		uint32_t depth;

		tenant = m.channels[channel].tenant;
		depth = m.tenants[tenant].queue_depth;
		if (!m.channels[channel].there)
			expected = SCHED_NO_CHANNEL;
		else if (depth && in_state(tenant, WAITING) + in_state(tenant, RUNNING) >= depth)
			expected = SCHED_QUEUE_FULL;
		assert_int_equal(sched_submit(m.sched, channel, m.job_count, m.now), expected);
		m.jobs[m.job_count].channel = channel;
		m.jobs[m.job_count].state = expected == SCHED_ADMITTED ? WAITING : FORGOTTEN;
		m.job_count++;
	} else if (kind < 90) {
		job = running_on(random_below(GPUS));
		if (job == JOBS)
			return;
		sched_complete(m.sched, job, random_below(400), m.now);
		m.jobs[job].state = ENDED;
	} else if (m.job_count) {
		/* One that is not running, or is unknown: nothing may happen. */
		job = random_below(m.job_count);
		if (m.jobs[job].state != RUNNING)
			sched_complete(m.sched, job, 1, m.now);
	}
}

static int64_t deadline_of(uint32_t job)
{
	int64_t longest = m.tenants[tenant_of(job)].longest_job_ns;

	return longest && !m.jobs[job].expired ? m.jobs[job].started + longest : -1;
}

static void check_counts(void)
{
	uint32_t counts[TENANTS][FORGOTTEN + 1] = { 0 };

	for (uint32_t job = 0; job < m.job_count; job++)
		counts[tenant_of(job)][m.jobs[job].state]++;
	for (uint32_t tenant = 0; tenant < TENANTS; tenant++) {
		if (!m.tenant_there[tenant])
			continue;
		assert_int_equal(stats_of(m.sched, tenant).waiting, counts[tenant][WAITING]);
		assert_int_equal(stats_of(m.sched, tenant).running, counts[tenant][RUNNING]);
	}
}

static void decide_all(void)
{
	struct sched_decision d;
	int64_t first = -1;

	while (sched_next(m.sched, m.now, &d)) {
		uint32_t job = (uint32_t)d.job;

		assert_true(job < m.job_count);
		assert_int_equal(d.channel, m.jobs[job].channel);
		assert_int_equal(d.tenant, tenant_of(job));
		assert_int_equal(d.gpu, gpu_of(job));
		if (d.kind == SCHED_EXPIRE) {
			assert_int_equal(m.jobs[job].state, RUNNING);
			assert_true(deadline_of(job) >= 0 && deadline_of(job) <= m.now);
			m.jobs[job].expired = true;
			continue;
		}
		assert_int_equal(d.kind, SCHED_RUN);
		assert_int_equal(running_on(d.gpu), JOBS);
		/* Which of the tenants of one priority is a matter of what they had. */
		assert_int_equal(priority_of(job), priority_of(best_on(d.gpu, TENANTS)));
		assert_int_equal(job, best_on(d.gpu, d.tenant));
		m.jobs[job].state = RUNNING;
		m.jobs[job].started = m.now;
	}
	for (uint32_t gpu = 0; gpu < GPUS; gpu++) {
		uint32_t job = running_on(gpu);

		if (job == JOBS) {
			assert_int_equal(best_on(gpu, TENANTS), JOBS);
		} else if (deadline_of(job) >= 0) {
			assert_true(deadline_of(job) > m.now);
			if (first < 0 || deadline_of(job) < first)
				first = deadline_of(job);
		}
	}
	assert_int_equal(sched_deadline(m.sched), first);
	check_counts();
}

static void every_decision_is_the_models(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++) {
		uint32_t ended = 0, expired = 0;

		memset(&m, 0, sizeof(m));
		m.seed = seed * 2654435761u;
		m.sched = new_sched();
		for (uint32_t gpu = 0; gpu < GPUS; gpu++)
			assert_int_equal(sched_gpu_add(m.sched, gpu, gpu == GPUS - 1), 0);
		for (uint32_t channel = 0; channel < CHANNELS; channel++)
			m.channels[channel].tenant = channel % TENANTS;
		for (uint32_t tenant = 0; tenant < TENANTS; tenant++)
			set_tenant(tenant);
		for (uint32_t step = 0; step < STEPS; step++) {
			event();
			decide_all();
		}
		/* All that was not forgotten ends. */
		for (uint32_t gpu = 0; gpu < GPUS; gpu++) {
			for (uint32_t job; (job = running_on(gpu)) != JOBS;) {
				sched_complete(m.sched, job, 0, m.now);
				m.jobs[job].state = ENDED;
				decide_all();
			}
		}
		for (uint32_t job = 0; job < m.job_count; job++) {
			assert_true(m.jobs[job].state >= ENDED);
			ended += m.jobs[job].state == ENDED;
			expired += m.jobs[job].expired;
		}
		/* The workload was one: a good part of it ran, and some ran too long. */
		assert_true(ended > 300);
		assert_true(expired > 10);
		sched_free(&m.sched);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_decision_is_the_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
