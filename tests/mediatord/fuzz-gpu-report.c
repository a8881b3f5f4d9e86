/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as vgpu-gpuinfo's output: a report that is sound, or an error with a message. */
#include <stdlib.h>
#include <string.h>

#include "mediatord/gpus/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gpu_report report;
	struct vgpu_error *err = NULL;

	if (gpu_report_parse((const char *)data, size, &report, &err) < 0) {
		if (!err || !err->message[0])
			abort();
		vgpu_error_free(&err);
		return 0;
	}
	if (report.count > GPUS_MAX)
		abort();
	for (size_t i = 0; i < report.count; i++)
		if (report.gpus[i].process_count > GPU_PROCESSES_MAX ||
		    !memchr(report.gpus[i].name, '\0', sizeof(report.gpus[i].name)) ||
		    gpu_report_find(&report, report.gpus[i].index) != &report.gpus[i])
			abort();
	return 0;
}
