/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a workload: one whose promises hold, or an error with a message. */
#include "tests/schedsim/workload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct workload *workload = NULL;
	struct vgpu_error *err = NULL;
	uint64_t tenants = 0;

	if (workload_parse((const char *)data, size, &workload, &err) < 0) {
		if (workload || !err || !err->message[0])
			abort();
		vgpu_error_free(&err);
		return 0;
	}
	for (size_t i = 0; i < workload->group_count; i++) {
		if (!workload->groups[i].name[0] || !workload->groups[i].times)
			abort();
		tenants += workload->groups[i].times;
	}
	if (tenants > WORKLOAD_TENANTS || workload->run_ns <= 0)
		abort();
	for (size_t i = 0; i < workload->load_count; i++) {
		const struct workload_load *load = &workload->loads[i];

		if (load->group >= workload->group_count || load->job_ns <= 0 || !load->channels ||
		    load->from_ns >= load->until_ns)
			abort();
	}
	for (size_t i = 1; i < workload->change_count; i++)
		if (workload->changes[i].at_ns < workload->changes[i - 1].at_ns)
			abort();
	free(workload);
	return 0;
}
