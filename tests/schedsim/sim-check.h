/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests over the simulator share. */
#ifndef VGPU_TESTS_SCHEDSIM_SIM_CHECK_H
#define VGPU_TESTS_SCHEDSIM_SIM_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/protocol.h"
#include "tests/schedsim/simulate.h"

/* Runs a workload that can be run; no invariant may be broken. To be freed with sim_free(). */
static inline struct sim_result *simulate(const char *text)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE struct workload *workload = NULL;
	struct sim_result *result = NULL;

	if (workload_parse(text, strlen(text), &workload, &err) < 0 ||
	    sim_run(workload, &result, &err) < 0)
		fail_msg("%s\n%s", err->message, text);
	if (result->broken[0])
		fail_msg("%s\n%s", result->broken, text);
	return result;
}

static inline const struct sim_tenant *tenant(const struct sim_result *result, const char *name)
{
	for (size_t i = 0; i < result->tenant_count; i++) {
		if (strcmp(result->tenants[i].name, name) == 0)
			return &result->tenants[i];
	}
	fail_msg("there is no tenant %s", name);
	return NULL;
}

/* A tenant's part of one GPU, in percent, is this one; some points more or less. */
static inline void assert_share(const struct sim_result *result, const char *name, double percent,
				double points)
{
	double share = sim_share(result, tenant(result, name));

	if (share < percent - points || share > percent + points)
		fail_msg("%s had %.2f %%, not %.2f", name, share, percent);
}

static inline double p99_ms(const struct sim_result *result, const char *name)
{
	return (double)sim_percentile(tenant(result, name), 99) / (double)VGPU_NS_PER_MS;
}

#endif
