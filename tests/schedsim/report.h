/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulation found, for people and as one JSON object. */
#ifndef VGPU_TESTS_SCHEDSIM_REPORT_H
#define VGPU_TESTS_SCHEDSIM_REPORT_H

#include "tests/schedsim/simulate.h"

void report_print(const struct sim_result *result);
void report_print_json(const struct sim_result *result);

#endif
