/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random workloads: the simulator's invariants hold in all of them (one owner a GPU, no idle GPU
 * while somebody may run, decisions that fit), no limit is exceeded, and everybody gets a turn. A
 * failure prints the seed and the workload. VGPU_SIM_SEEDS=FIRST,COUNT runs others.
 */
#include <stdarg.h>

#include "tests/schedsim/sim-check.h"

#define SEEDS	   (getenv("VGPU_TEST_SLOW") ? 10u : 60u)
#define TEXT_BYTES 8192u
#define RUN_NS	   (4 * VGPU_NS_PER_SECOND)

static struct {
	uint32_t seed;
	char text[TEXT_BYTES];
	size_t length;
	uint32_t tenants;
} w;

static uint32_t random_below(uint32_t limit)
{
	/* xorshift: the same on every machine, so that a failing seed can be run again. */
	w.seed ^= w.seed << 13;
	w.seed ^= w.seed >> 17;
	w.seed ^= w.seed << 5;
	return w.seed % limit;
}

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(w.text + w.length, sizeof(w.text) - w.length, format, arguments);
	va_end(arguments);
	assert_true(length > 0 && (size_t)length < sizeof(w.text) - w.length);
	w.length += (size_t)length;
}

static void start(uint32_t seed)
{
	memset(&w, 0, sizeof(w));
	w.seed = (seed + 1) * 2654435761u;
	add("# seed %u\nrun 4s\nseed %u\n", seed, seed);
}

static const char *one_of(const char *const *names, uint32_t count)
{
	return names[random_below(count)];
}

static void add_tenant(uint32_t number)
{
	static const char *const classes[] = { "low", "medium", "high" };
	static const char *const kinds[] = { "ring", "ring", "mailbox" };
	static const char *const workers[] = { "honest", "honest", "honest",
					       "late",	 "ignore", "idle" };
	uint32_t times = 1 + random_below(3);

	w.tenants += times;
	add("tenant t%u times %u class %s weight %u longest %ums", number, times,
	    one_of(classes, 3), 50 + random_below(200), 20 + random_below(20));
	if (random_below(4) == 0)
		add(" max %u", 5 + random_below(90));
	else if (random_below(4) == 0)
		add(" guaranteed %u", 1 + random_below(3));
	if (random_below(4) == 0)
		add(" rate %u burst %u", 10 + random_below(2000), 1 + random_below(100));
	for (uint32_t loads = 1 + random_below(2); loads > 0; loads--) {
		add("\nload t%u %s channels %u job %uus worker %s delay %ums", number,
		    one_of(kinds, 3), 1 + random_below(3), 10 + random_below(3000),
		    one_of(workers, 6), 1 + random_below(9));
		if (random_below(2))
			add(" exp yes");
		if (random_below(3))
			add(" closed %u", 1 + random_below(8));
		else
			add(" every %uus count %u", 100 + random_below(50000),
			    1 + random_below(20));
		if (random_below(3) == 0)
			add(" on %ums off %ums", 1 + random_below(300), 1 + random_below(300));
	}
	add("\n");
}

/* Changes that leave the values which the checks below rely on. */
static void add_changes(uint32_t groups, uint32_t gpus)
{
	uint32_t at_ms = 0;

	for (uint32_t changes = random_below(6); changes > 0; changes--) {
		at_ms += random_below(700);
		if (gpus > 1 && random_below(4) == 0) {
			add("at %ums fail 0\nat %ums restore 0\n", at_ms, at_ms + 200);
			at_ms += 200;
			continue;
		}
		add("at %ums tenant t%u class high weight %u\n", at_ms, random_below(groups),
		    50 + random_below(200));
	}
}

static void check_tenant(const struct sim_tenant *tenant, uint32_t seed, uint32_t gpus)
{
	const struct sched_tenant_config *config = &tenant->config;
	/* A job that is on the GPU ends there: the mean times what is rare in so many. */
	double longest_percent = 3 * 20 / 10.0;
	/* The limit is of each GPU. */
	double peak = (double)tenant->peak_ns / 1e7 / gpus;
	uint64_t rate = config->requests_per_second;
	/*
	 * Ageing, and a turn of everybody with what it may take until it has yielded or was ended.
	 * Half of the turns are for those who waited too long.
	 */
	int64_t bound = VGPU_NS_PER_SECOND + (int64_t)w.tenants * 2 * 45 * VGPU_NS_PER_MS;

	if (config->time_max_percent && peak > config->time_max_percent + 3 + longest_percent)
		fail_msg("seed %u: %s had %.2f %% of %u\n%s", seed, tenant->name, peak,
			 config->time_max_percent, w.text);
	if (rate && tenant->jobs > config->burst + rate * 4)
		fail_msg("seed %u: %s had %llu jobs\n%s", seed, tenant->name,
			 (unsigned long long)tenant->jobs, w.text);
	if (!config->time_max_percent && tenant->longest_turn_wait_ns > bound)
		fail_msg("seed %u: %s waited for %lld ns\n%s", seed, tenant->name,
			 (long long)tenant->longest_turn_wait_ns, w.text);
}

static void run_seed(uint32_t seed)
{
	uint32_t gpus, groups;
	struct sim_result *result;

	start(seed);
	gpus = 1 + random_below(3);
	groups = 1 + random_below(8);
	for (uint32_t gpu = 0; gpu < gpus; gpu++)
		add("gpu %u\n", gpu);
	for (uint32_t group = 0; group < groups; group++)
		add_tenant(group);
	add_changes(groups, gpus);
	result = simulate(w.text);
	for (size_t i = 0; i < result->tenant_count; i++)
		check_tenant(&result->tenants[i], seed, gpus);
	sim_free(&result);
}

static void invariants_and_limits_hold(void **state)
{
	const char *which = getenv("VGPU_SIM_SEEDS");
	uint32_t first = 0, count = SEEDS;

	(void)state;
	if (which)
		assert_int_equal(sscanf(which, "%u,%u", &first, &count), 2);
	print_message("seeds %u to %u\n", first, first + count - 1);
	for (uint32_t seed = first; seed < first + count; seed++)
		run_seed(seed);
}

/* Whoever always has work in one class: nobody is more than some slices off his part. */
static void fair_within_a_bound(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		uint32_t tenants, weights = 0;
		struct sim_result *result;

		start(seed);
		tenants = 2 + random_below(10);
		add("gpu 0\n");
		for (uint32_t i = 0; i < tenants; i++)
			add("tenant t%u weight %u\nload t%u %s closed 4 job %uus to 2500us\n", i,
			    10 + random_below(500), i, random_below(3) ? "ring" : "mailbox",
			    20 + random_below(2000));
		result = simulate(w.text);
		for (size_t i = 0; i < tenants; i++)
			weights += result->tenants[i].config.weight;
		for (size_t i = 0; i < tenants; i++) {
			const struct sim_tenant *tenant = &result->tenants[i];
			double part = (double)tenant->config.weight / weights * (double)RUN_NS;
			double off = (double)tenant->gpu_ns - part;
			/* A slice, and the job that was begun in it: two such at either end. */
			double bound = 2.0 * (2 + 2.5) * (double)VGPU_NS_PER_MS;

			if (off > bound || off < -bound)
				fail_msg("seed %u: %s is %.2f ms off\n%s", seed, tenant->name,
					 off / 1e6, w.text);
		}
		assert_true(sim_fairness(result, VGPU_PRIORITY_MEDIUM) > 0.97);
		sim_free(&result);
	}
}

static void the_same_seed_is_the_same_run(void **state)
{
	struct sim_result *one, *other;

	(void)state;
	start(3);
	add("gpu 0\ntenant a times 9\nload a ring closed 3 job 1ms exp yes\n");
	one = simulate(w.text);
	other = simulate(w.text);
	for (size_t i = 0; i < one->tenant_count; i++)
		assert_memory_equal(&one->tenants[i], &other->tenants[i], sizeof(*one->tenants));
	sim_free(&one);
	sim_free(&other);
}

static void a_thousand_tenants(void **state)
{
	struct sim_result *result = simulate("run 10s\n"
					     "gpu 0\n"
					     "gpu 1\n"
					     "tenant ring times 900\n"
					     "tenant mail times 100\n"
					     "load ring ring closed 2 job 500us\n"
					     "load mail mailbox closed 2 job 500us\n");

	(void)state;
	assert_true(result->busy_ns > 2 * result->run_ns / 100 * 99);
	/* Two GPUs for a thousand: each 20 ms of 10 s, ten slices. */
	for (size_t i = 0; i < result->tenant_count; i++)
		assert_in_range(result->tenants[i].gpu_ns, 17 * VGPU_NS_PER_MS,
				23 * VGPU_NS_PER_MS);
	sim_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariants_and_limits_hold),
		cmocka_unit_test(fair_within_a_bound),
		cmocka_unit_test(the_same_seed_is_the_same_run),
		cmocka_unit_test(a_thousand_tenants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
