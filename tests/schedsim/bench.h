/* SPDX-License-Identifier: Apache-2.0 */
/* What a decision of the scheduler costs, by the number of tenants. */
#ifndef VGPU_TESTS_SCHEDSIM_BENCH_H
#define VGPU_TESTS_SCHEDSIM_BENCH_H

#include <stdbool.h>

/* Prints a table, or {"decision_ns":[{"tenants","ns"}...]}. Returns 0, or -1 with ENOMEM. */
int bench_run(bool json);

#endif
