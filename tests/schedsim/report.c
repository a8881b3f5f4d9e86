/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/schedsim/report.h"

#include <inttypes.h>

#include "common/protocol.h"

static const char *const classes[] = { "low", "medium", "high" };

static double us(int64_t ns)
{
	return (double)ns / (double)VGPU_NS_PER_US;
}

static double utilisation(const struct sim_result *result)
{
	return result->gpus ? 100.0 * (double)result->busy_ns /
				      ((double)result->run_ns * (double)result->gpus)
			    : 0;
}

static double per_second(const struct sim_result *result, uint64_t count)
{
	return (double)count * (double)VGPU_NS_PER_SECOND / (double)result->run_ns;
}

void report_print(const struct sim_result *result)
{
	printf("%-20s %-6s %6s %8s %8s %9s %11s %11s %8s %6s\n", "tenant", "class", "weight",
	       "share %", "peak %", "jobs", "wait p50 us", "wait p99 us", "refused", "killed");
	for (size_t i = 0; i < result->tenant_count; i++) {
		const struct sim_tenant *tenant = &result->tenants[i];

		printf("%-20s %-6s %6" PRIu32 " %8.2f %8.2f %9" PRIu64 " %11.1f %11.1f %8" PRIu64
		       " %6" PRIu64 "\n",
		       tenant->name, classes[tenant->config.priority], tenant->config.weight,
		       sim_share(result, tenant), (double)tenant->peak_ns / 1e7, tenant->jobs,
		       us(sim_percentile(tenant, 50)), us(sim_percentile(tenant, 99)),
		       tenant->refused, tenant->killed);
	}
	printf("fairness (Jain, by weight):");
	for (uint32_t class = 0; class <= VGPU_PRIORITY_HIGH; class ++)
		printf(" %s %.4f", classes[class], sim_fairness(result, class));
	printf("\nGPUs busy %.1f %%, %.0f turns/s, %.0f decisions/s\n", utilisation(result),
	       per_second(result, result->turns), per_second(result, result->decisions));
	if (result->broken[0])
		printf("BROKEN: %s\n", result->broken);
}

void report_print_json(const struct sim_result *result)
{
	printf("{\"tenants\":[");
	for (size_t i = 0; i < result->tenant_count; i++) {
		const struct sim_tenant *tenant = &result->tenants[i];

		printf("%s{\"name\":\"%s\",\"class\":\"%s\",\"weight\":%" PRIu32
		       ",\"share_percent\":%.3f,\"peak_percent\":%.3f,\"jobs\":%" PRIu64
		       ",\"wait_p50_us\":%.1f,\"wait_p99_us\":%.1f,\"longest_turn_wait_us\":%.1f"
		       ",\"refused\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"expired\":%" PRIu64
		       ",\"killed\":%" PRIu64 "}",
		       i ? "," : "", tenant->name, classes[tenant->config.priority],
		       tenant->config.weight, sim_share(result, tenant),
		       (double)tenant->peak_ns / 1e7, tenant->jobs, us(sim_percentile(tenant, 50)),
		       us(sim_percentile(tenant, 99)), us(tenant->longest_turn_wait_ns),
		       tenant->refused, tenant->dropped, tenant->expired, tenant->killed);
	}
	printf("],\"fairness\":{");
	for (uint32_t class = 0; class <= VGPU_PRIORITY_HIGH; class ++)
		printf("%s\"%s\":%.5f", class ? "," : "", classes[class],
		       sim_fairness(result, class));
	printf("},\"busy_percent\":%.2f,\"turns\":%" PRIu64 ",\"decisions\":%" PRIu64
	       ",\"broken\":\"%s\"}\n",
	       utilisation(result), result->turns, result->decisions, result->broken);
}
