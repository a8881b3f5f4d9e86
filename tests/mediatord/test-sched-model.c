/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings that want and yield at random, of tenants that come, go and change, against a model of
 * docs/scheduling.md that has no heaps, lists or timers: after every event it looks at everybody.
 * Whose turn it is, and who has been told to end it, must be what the model says, every time.
 */
#include "tests/mediatord/sched-check.h"

#define TENANTS 12
#define STEPS	6000
#define SEEDS	6
#define NOBODY	(-1)

#define SLICE_NS  1000
#define AGEING_NS 9000

static struct {
	uint32_t seed;
	struct sched *sched;
	int64_t now;
	struct {
		bool there, active, wants, granted, revoked;
		uint32_t class, weight;
		uint64_t time, rest; /* virtual */
		int64_t since;	     /* it waits for a turn */
		uint64_t arrival;    /* of its want */
	} tenants[TENANTS];
	uint64_t clocks[3]; /* of each class: the least virtual time, which never goes back */
	uint64_t arrivals;
	int owner, promised;
	bool aged, last_aged; /* the turn, or the last one, is for a long wait */
	int64_t slice_since, charged_until;
	/* That the workload is one. */
	uint32_t turns, aged_turns, revocations, class_changes;
} m;

static uint32_t random_below(uint32_t limit)
{
	/* xorshift: the same on every machine, so that a failing seed can be run again. */
	m.seed ^= m.seed << 13;
	m.seed ^= m.seed >> 17;
	m.seed ^= m.seed << 5;
	return m.seed % limit;
}

static bool waits(int t)
{
	return m.tenants[t].active && t != m.owner;
}

static bool somebody_waits(void)
{
	for (int t = 0; t < TENANTS; t++)
		if (waits(t))
			return true;
	return false;
}

/* The owner pays for the time in which others wait. */
static void charge(void)
{
	if (m.owner != NOBODY && m.now > m.charged_until && somebody_waits()) {
		uint64_t due = (uint64_t)(m.now - m.charged_until) * 100 + m.tenants[m.owner].rest;

		m.tenants[m.owner].time += due / m.tenants[m.owner].weight;
		m.tenants[m.owner].rest = due % m.tenants[m.owner].weight;
	}
	m.charged_until = m.now;
}

/* The virtual time of a class: of those who have work, but for `except`. */
static uint64_t class_time(uint32_t class, int except)
{
	uint64_t least = UINT64_MAX;

	for (int t = 0; t < TENANTS; t++)
		if ((waits(t) || t == m.owner) && t != except && m.tenants[t].class == class &&
		    m.tenants[t].time < least)
			least = m.tenants[t].time;
	if (least != UINT64_MAX && least > m.clocks[class])
		m.clocks[class] = least;
	return m.clocks[class];
}

static void rest(int t)
{
	uint32_t class = m.tenants[t].class;
	bool alone = true;

	m.tenants[t].active = false;
	if (m.promised == t)
		m.promised = NOBODY;
	class_time(class, NOBODY);
	for (int other = 0; other < TENANTS; other++)
		alone = alone && !(waits(other) && m.tenants[other].class == class);
	if (alone && m.tenants[t].time > m.clocks[class])
		m.clocks[class] = m.tenants[t].time;
}

static void model_want(int t)
{
	uint64_t least;

	if (m.tenants[t].wants)
		return;
	m.tenants[t].wants = true;
	m.tenants[t].arrival = m.arrivals++;
	if (m.tenants[t].active)
		return;
	least = class_time(m.tenants[t].class, t);
	if (m.tenants[t].time < least)
		m.tenants[t].time = least;
	m.tenants[t].active = true;
	m.tenants[t].since = m.now;
}

static void model_yield(int t)
{
	m.tenants[t].granted = false;
	m.tenants[t].revoked = false;
}

static void end_turn(void)
{
	int t = m.owner;

	m.owner = NOBODY;
	m.tenants[t].since = m.now;
	if (!m.tenants[t].wants)
		rest(t);
}

/* Of the highest class the one with the least virtual time; who came first, where that is equal. */
static int first(void)
{
	int best = NOBODY;

	for (int t = 0; t < TENANTS; t++) {
		if (!waits(t))
			continue;
		if (best == NOBODY || m.tenants[t].class > m.tenants[best].class ||
		    (m.tenants[t].class == m.tenants[best].class &&
		     (m.tenants[t].time < m.tenants[best].time ||
		      (m.tenants[t].time == m.tenants[best].time &&
		       m.tenants[t].arrival < m.tenants[best].arrival))))
			best = t;
	}
	return best;
}

/* Who has waited the longest, and too long, of those below a class. */
static int too_old(uint32_t class)
{
	int oldest = NOBODY;

	for (int t = 0; t < TENANTS && !m.last_aged; t++) {
		if (!waits(t) || m.tenants[t].class >= class ||
		    m.now - m.tenants[t].since < AGEING_NS)
			continue;
		if (oldest == NOBODY || m.tenants[t].since < m.tenants[oldest].since ||
		    (m.tenants[t].since == m.tenants[oldest].since &&
		     m.tenants[t].arrival < m.tenants[oldest].arrival))
			oldest = t;
	}
	return oldest;
}

static bool has_to_end(bool slice_over)
{
	int next = first();
	uint32_t class = m.tenants[m.owner].class;

	if (next == NOBODY || (m.aged && !slice_over))
		return false;
	if (slice_over)
		m.promised = too_old(m.tenants[next].class > class ? m.tenants[next].class : class);
	if (m.promised != NOBODY)
		return true;
	if (!slice_over || m.tenants[next].class != class)
		return m.tenants[next].class > class;
	return m.tenants[next].time <= m.tenants[m.owner].time;
}

static void go_on(void)
{
	bool slice_over = m.now - m.slice_since >= SLICE_NS;

	if (m.tenants[m.owner].revoked)
		return;
	if (has_to_end(slice_over)) {
		m.tenants[m.owner].revoked = true;
		m.revocations++;
	} else if (slice_over && somebody_waits()) {
		m.slice_since = m.now;
		m.aged = false;
		m.last_aged = false;
	}
}

static void model_decide(void)
{
	int next;

	if (m.owner != NOBODY && !m.tenants[m.owner].granted)
		end_turn();
	if (m.owner != NOBODY) {
		go_on();
		return;
	}
	next = first();
	if (next == NOBODY)
		return;
	if (m.promised == NOBODY)
		m.promised = too_old(m.tenants[next].class);
	m.aged = m.promised != NOBODY;
	m.owner = m.aged ? m.promised : next;
	m.last_aged = m.aged;
	m.promised = NOBODY;
	m.slice_since = m.now;
	m.tenants[m.owner].wants = false;
	m.tenants[m.owner].granted = true;
	m.turns++;
	m.aged_turns += m.aged;
}

static void check_decisions(void)
{
	struct sched_decision decision;
	bool granted[TENANTS], revoked[TENANTS];
	int64_t deadline;

	for (int t = 0; t < TENANTS; t++) {
		granted[t] = m.tenants[t].granted;
		revoked[t] = m.tenants[t].revoked;
	}
	model_decide();
	while (sched_next(m.sched, m.now, &decision)) {
		int t = (int)decision.channel;

		assert_int_equal(decision.tenant, decision.channel);
		if (decision.kind == SCHED_GRANT) {
			assert_int_equal(t, m.owner);
			assert_false(granted[t]);
			granted[t] = true;
		} else if (decision.kind == SCHED_REVOKE) {
			assert_true(granted[t]);
			revoked[t] = true;
		} else {
			assert_true(decision.kind == SCHED_CONTEND ||
				    decision.kind == SCHED_UNCONTEND);
		}
	}
	for (int t = 0; t < TENANTS; t++) {
		assert_int_equal(granted[t], m.tenants[t].granted);
		assert_int_equal(revoked[t], m.tenants[t].revoked);
	}
	deadline = sched_deadline(m.sched);
	assert_true(deadline < 0 || deadline > m.now);
}

static void set(int t)
{
	struct sched_tenant_config config = plain_tenant(0, random_below(3));
	bool fresh = !m.tenants[t].there;
	uint32_t old = m.tenants[t].class;
	uint64_t ahead;

	config.weight = 20 + random_below(200);
	assert_int_equal(sched_tenant_set(m.sched, (uint32_t)t, &config, m.now), 0);
	if (fresh)
		add_channel(m.sched, (uint32_t)t, (uint32_t)t);
	m.tenants[t].there = true;
	m.tenants[t].weight = config.weight;
	if (!fresh && old != config.priority) {
		/* As far ahead in the new class as in the old; nobody is ahead of himself. */
		ahead = class_time(old, t == m.owner ? t : NOBODY);
		ahead = m.tenants[t].time > ahead ? m.tenants[t].time - ahead : 0;
		if (t == m.owner) {
			bool others = false;

			for (int other = 0; other < TENANTS; other++)
				others = others || (waits(other) && m.tenants[other].class == old);
			ahead = others ? ahead : 0;
		}
		m.tenants[t].time = ahead + class_time(config.priority, t);
		m.class_changes++;
	}
	m.tenants[t].class = config.priority;
}

static void remove_tenant(int t)
{
	sched_tenant_remove(m.sched, (uint32_t)t, m.now);
	m.tenants[t].wants = false;
	model_yield(t);
	if (t == m.owner)
		end_turn();
	else if (m.tenants[t].active)
		rest(t);
	memset(&m.tenants[t], 0, sizeof(m.tenants[t]));
}

static void event(void)
{
	uint32_t kind = random_below(100);
	int t = (int)random_below(TENANTS);

	m.now += random_below(4) ? random_below(SLICE_NS / 2) : 0;
	charge();
	if (kind < 5) {
		set(t);
	} else if (kind < 6) {
		if (m.tenants[t].there)
			remove_tenant(t);
	} else if (kind < 60) {
		/* Who is granted says nothing by it; who is revoked, that it has yielded. */
		sched_want(m.sched, (uint32_t)t, m.now);
		if (!m.tenants[t].there || (m.tenants[t].granted && !m.tenants[t].revoked))
			return;
		model_yield(t);
		model_want(t);
	} else if (m.owner != NOBODY && (kind < 66 || m.tenants[m.owner].revoked)) {
		t = m.owner;
		sched_yielded(m.sched, (uint32_t)t, m.now);
		model_yield(t);
		if (random_below(2)) {
			sched_want(m.sched, (uint32_t)t, m.now);
			model_want(t);
		}
	}
}

static void turns_are_the_models(void **state)
{
	const struct sched_params params = {
		.slice_ns = SLICE_NS,
		.yield_ns = VGPU_NS_PER_SECOND,
		.ageing_ns = AGEING_NS,
		.period_ns = SCHED_PERIOD_NS,
	};

	(void)state;
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		memset(&m, 0, sizeof(m));
		m.seed = seed * 2654435761u;
		m.owner = m.promised = NOBODY;
		m.sched = new_sched();
		assert_int_equal(sched_gpu_add(m.sched, 0, 0), 0);
		assert_int_equal(sched_set_params(m.sched, &params, 0), 0);
		for (int step = 0; step < STEPS; step++) {
			event();
			check_decisions();
		}
		/* Turns of every kind came about. */
		assert_true(m.turns > 300);
		assert_true(m.aged_turns > 20);
		assert_true(m.revocations > 100);
		assert_true(m.class_changes > 50);
		sched_free(&m.sched);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_are_the_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
